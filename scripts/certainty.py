"""Say how sure each healed pixel is, by what the same run said of the hidden ones."""

from pathlib import Path

import numpy as np

from scatterheal import curves, exposure, logs, storage, uncertainty
from scatterheal.bits import BEAMSTOP
from scatterheal.scale import luminance

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

scan = exposure.read(Path(snakemake.input.hidden).parent)
hidden = storage.read_pages(Path(snakemake.input.hidden)) > 0
chosen = storage.read_json(Path(snakemake.input.chosen))["run"]
number = list(snakemake.params.runs).index(chosen)
models = storage.read_pages(Path(snakemake.input.models[number]))
model = storage.read_tiff(Path(snakemake.input.model))
spread, apart = storage.read_pages(Path(snakemake.input.spread))
image, unit = scan.image, "counts" if scan.scale.unit == "counts" else "values"
if image.ndim == 3:
    image, model = luminance(image), luminance(model.clip(0, 255).astype(np.uint8))
    models = np.stack([luminance(of_fold.clip(0, 255).astype(np.uint8)) for of_fold in models])
spreads = np.zeros_like(models)
if snakemake.params.runs[chosen]["method"] == "dip":
    spreads = storage.read_pages(Path(snakemake.input.models[number]).with_name("spreads.tif"))

folds = [uncertainty.Fold(*of_fold) for of_fold in zip(models, spreads, hidden, strict=True)]
calibration = uncertainty.calibrate(image, scan.flags, folds, unit)
distance, beyond = uncertainty.reach(~scan.missing, hidden)
# No copy of the beamstop lies where the beam is: what is painted there goes beyond all that is known.
beyond |= storage.read_tiff(Path(snakemake.input.reasons)) & BEAMSTOP > 0
sd = uncertainty.sd_image(calibration, model, spread, apart, image, scan.flags, ~scan.missing, beyond)
found = uncertainty.coverage(image, scan.flags, folds, unit)
pixels = found.table[found.table.side == 1]
log.info(
    "of the hidden pixels %.1f %% lie within their 68 %% interval, %.1f %% within that of 95 %%",
    100 * np.average(pixels.within_68, weights=pixels.judged),
    100 * np.average(pixels.within_95, weights=pixels.judged),
)
log.info("%d pixels lie behind the beamstop, or farther from a valid one than any hidden pixel did", beyond.sum())

storage.write_tiff(Path(snakemake.output.sd), sd)
storage.write_tiff(Path(snakemake.output.distance), distance, compress=True)
storage.write_tiff(Path(snakemake.output.beyond), beyond.astype(np.uint8), compress=True)
storage.write_csv(Path(snakemake.output.coverage), found.table)
storage.write_json(Path(snakemake.output.factors), calibration._asdict())
title = f"{snakemake.wildcards.scan}: {chosen}"
curves.calibration(Path(snakemake.output.calibration), found, title)
curves.sd_map(Path(snakemake.output.certainty), sd, model, ~scan.missing, title)
