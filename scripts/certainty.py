"""Say how sure each healed pixel is, by what the same run said of the hidden ones."""

from pathlib import Path

import numpy as np

from scatterheal import storage
from scatterheal.pattern.pixels import BEAMSTOP
from scatterheal.pattern.units import luminance
from scatterheal.pictures import certainty
from scatterheal.pipeline import logs
from scatterheal.pipeline.read_pattern import read_pattern
from scatterheal.validation.certainty import Fold, calibrate, reach, sd_image
from scatterheal.validation.coverage import coverage

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

scan = read_pattern(Path(snakemake.input.hidden).parent)
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

folds = [Fold(*of_fold) for of_fold in zip(models, spreads, hidden, strict=True)]
calibration = calibrate(image, scan.flags, folds, unit)
distance, beyond = reach(~scan.missing, hidden)
# No copy of the beamstop lies where the beam is: what is painted there goes beyond all that is known.
beyond |= storage.read_tiff(Path(snakemake.input.reasons)) & BEAMSTOP > 0
sd = sd_image(calibration, model, spread, apart, image, scan.flags, ~scan.missing, beyond)
found = coverage(image, scan.flags, folds, unit)
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
certainty.calibration(Path(snakemake.output.calibration), found, title)
certainty.sd_map(Path(snakemake.output.certainty), sd, model, ~scan.missing, title)
