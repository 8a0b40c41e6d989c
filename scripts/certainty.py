"""Say how sure each healed pixel is, by what the same run said of the hidden ones."""

from pathlib import Path

import numpy as np

from scatterheal import storage
from scatterheal.pictures.certainty import draw_calibration, draw_sd
from scatterheal.pipeline import logs
from scatterheal.pipeline.read_pattern import read_pattern
from scatterheal.validation.certainty import certainty

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

scan = read_pattern(Path(snakemake.input.hidden).parent)
reasons = storage.read_tiff(Path(snakemake.input.reasons))
hidden = storage.read_pages(Path(snakemake.input.hidden))
run = storage.read_json(Path(snakemake.input.chosen))["run"]
number = list(snakemake.params.runs).index(run)
models = storage.read_pages(Path(snakemake.input.models[number]))
spreads = np.zeros(hidden.shape, np.float32)
if snakemake.params.runs[run]["method"] == "dip":
    spreads = storage.read_pages(Path(snakemake.input.models[number]).with_name("spreads.tif"))
model = storage.read_tiff(Path(snakemake.input.model))
spread, apart = storage.read_pages(Path(snakemake.input.spread))

found = certainty(scan, reasons, hidden, models, spreads, model, spread, apart)
pixels = found.coverage.table[found.coverage.table.side == 1]
log.info(
    "of the hidden pixels %.1f %% lie within their 68 %% interval, %.1f %% within that of 95 %%",
    100 * np.average(pixels.within_68, weights=pixels.judged),
    100 * np.average(pixels.within_95, weights=pixels.judged),
)
log.info("%d pixels lie behind the beamstop, or farther from a valid one than any hidden pixel did", found.beyond.sum())

storage.write_tiff(Path(snakemake.output.sd), found.sd)
storage.write_tiff(Path(snakemake.output.distance), found.distance, compress=True)
storage.write_tiff(Path(snakemake.output.beyond), found.beyond.astype(np.uint8), compress=True)
storage.write_csv(Path(snakemake.output.coverage), found.coverage.table)
storage.write_json(Path(snakemake.output.factors), found.calibration._asdict())
title = f"{snakemake.wildcards.scan}: {run}"
draw_calibration(Path(snakemake.output.calibration), found.coverage, title)
draw_sd(Path(snakemake.output.certainty), found.sd, found.rate, ~scan.missing, title)
