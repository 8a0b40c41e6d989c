"""Train one run's network on the known pixels of one scan, and score it on the hidden ones."""

from pathlib import Path

import pandas as pd
import torch

from scatterheal import fit, grayscale, logs, pictures, storage
from scatterheal.inpaint import inpaint

hyperparameters = snakemake.params.hyperparameters
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)
torch.set_num_threads(snakemake.threads)
device = fit.choose_device((snakemake.config.get("fit") or {}).get("device", "auto"))
log.info(fit.describe_device(device))

image = storage.read_tiff(Path(snakemake.input.image))
missing = storage.read_tiff(Path(snakemake.input.reasons)) > 0
hidden = storage.read_png(Path(snakemake.input.hidden)) > 0
truth = storage.read_tiff(Path(snakemake.input.truth)) if snakemake.input.get("truth") else None

done = inpaint(image, missing, hidden, hyperparameters, device, truth)
log.info("hidden pixels: mean squared error %.6f", done.metrics["hidden_mse"])

storage.write_tiff(Path(snakemake.output.healed), done.healed)
storage.write_tiff(Path(snakemake.output.model), done.model)
folder = Path(snakemake.output.snapshots)
folder.mkdir(parents=True, exist_ok=True)
for iteration, snapshot in done.snapshots.items():
    storage.write_png(folder / f"{iteration:06d}.png", pictures.render(snapshot, grayscale.top_count(image)))
curve = pd.DataFrame({"iteration": range(1, len(done.losses) + 1), "loss": done.losses})
storage.write_csv(Path(snakemake.output.curve), curve)
storage.write_json(Path(snakemake.output.run), hyperparameters)
storage.write_json(Path(snakemake.output.metrics), done.metrics)
