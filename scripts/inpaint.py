"""Train one run's networks on the known pixels of one scan, one a fold, and score them on the hidden ones."""

from pathlib import Path

import pandas as pd

from scatterheal import exposure, fit, logs, pictures, storage
from scatterheal.inpaint import inpaint
from scatterheal.judge import overlay

hyperparameters = snakemake.params.hyperparameters
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)
fit.use_threads(snakemake.threads)
device = fit.choose_device((snakemake.config.get("fit") or {}).get("device", "auto"))
log.info(fit.describe_device(device))

scan = exposure.read(Path(snakemake.input.hidden).parent)
hidden = storage.read_pages(Path(snakemake.input.hidden))
truth = storage.read_tiff(Path(snakemake.input.truth)) if snakemake.input.get("truth") else None
done = inpaint(scan, hidden, hyperparameters, device, truth)
log.info("score of the hidden pixels: %.6f", done.metrics["score"])

storage.write_pages(Path(snakemake.output.models), done.models)
storage.write_pages(Path(snakemake.output.spreads), done.spreads)
storage.write_tiff(Path(snakemake.output.healed), overlay(scan.image, scan.missing, done.models.mean(axis=0)))
folder = Path(snakemake.output.snapshots)
folder.mkdir(parents=True, exist_ok=True)
meaning = storage.read_json(Path(snakemake.input.meaning))
look = pictures.look_of(storage.read_tiff(Path(snakemake.input.intensity)), meaning)
for iteration, (_, snapshot) in done.snapshots.items():
    storage.write_png(folder / f"{iteration:06d}.png", pictures.render(snapshot, look))
storage.write_csv(Path(snakemake.output.curve), pd.DataFrame(done.curve))
storage.write_json(Path(snakemake.output.run), {**hyperparameters, "taken": done.taken})
metrics = {**done.metrics, "score_after": {iteration: score for iteration, (score, _) in done.snapshots.items()}}
storage.write_json(Path(snakemake.output.metrics), metrics)
