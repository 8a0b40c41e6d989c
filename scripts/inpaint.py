"""Train one run's network on the known pixels of one scan, and score it on the hidden ones."""

from pathlib import Path

import pandas as pd
import torch

from scatterheal import fit, logs, pictures, storage
from scatterheal.inpaint import inpaint
from scatterheal.scale import scale_of

hyperparameters = snakemake.params.hyperparameters
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)
torch.set_num_threads(snakemake.threads)
device = fit.choose_device((snakemake.config.get("fit") or {}).get("device", "auto"))
log.info(fit.describe_device(device))

meaning = storage.read_json(Path(snakemake.input.meaning))
intensity = storage.read_tiff(Path(snakemake.input.intensity))
# A figure whose colours say nothing about intensity is fitted as a picture.
image = storage.read_tiff(Path(snakemake.input.image)) if meaning["unit"] == "colours" else intensity
missing = storage.read_tiff(Path(snakemake.input.reasons)) > 0
hidden = storage.read_png(Path(snakemake.input.hidden)) > 0
truth = storage.read_tiff(Path(snakemake.input.truth)) if snakemake.input.get("truth") else None

scale = scale_of(image, meaning["unit"], meaning.get("limits"), ~missing)
done = inpaint(image, missing, hidden, hyperparameters, device, scale, truth)
log.info("hidden pixels: mean squared error %.6f", done.metrics["hidden_mse"])

storage.write_tiff(Path(snakemake.output.healed), done.healed)
storage.write_tiff(Path(snakemake.output.model), done.model)
folder = Path(snakemake.output.snapshots)
folder.mkdir(parents=True, exist_ok=True)
look = pictures.look_of(intensity, meaning)
for iteration, snapshot in done.snapshots.items():
    storage.write_png(folder / f"{iteration:06d}.png", pictures.render(snapshot, look))
curve = pd.DataFrame({"iteration": range(1, len(done.losses) + 1), "loss": done.losses})
storage.write_csv(Path(snakemake.output.curve), curve)
storage.write_json(Path(snakemake.output.run), hyperparameters)
storage.write_json(Path(snakemake.output.metrics), done.metrics)
