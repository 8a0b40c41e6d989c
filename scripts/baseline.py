"""Heal one scan by a method that is no network, once without each fold's hidden pixels, and score it on them."""

from pathlib import Path

import numpy as np

from scatterheal import storage
from scatterheal.methods.baselines import NEED_CENTRE, heal
from scatterheal.pattern.pattern import overlay
from scatterheal.pipeline import logs
from scatterheal.pipeline.read_pattern import read_pattern
from scatterheal.validation.judge import judge

method = snakemake.params.hyperparameters["method"]
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

scan = read_pattern(Path(snakemake.input.hidden).parent)
hidden = storage.read_pages(Path(snakemake.input.hidden))
truth = storage.read_tiff(Path(snakemake.input.truth)) if snakemake.input.get("truth") else None
known = [~scan.missing & (of_fold == 0) for of_fold in hidden]
if scan.centre is None and method in NEED_CENTRE:
    # Not a number anywhere: it comes last, and stops no other method.
    log.warning("%s needs the beam centre, and this scan has none; give centre: [x, y]", method)
    models = np.full((len(known), *scan.image.shape), np.nan, np.float32)
else:
    models = np.stack([heal(method, scan.image, of_fold, scan.centre, scan.scale.unit) for of_fold in known])
metrics = judge(scan, models, hidden, truth)
log.info("score of the hidden pixels: %.6f", metrics["score"])

storage.write_pages(Path(snakemake.output.models), models)
storage.write_tiff(Path(snakemake.output.healed), overlay(scan.image, scan.missing, models.mean(axis=0)))
storage.write_json(Path(snakemake.output.run), snakemake.params.hyperparameters)
storage.write_json(Path(snakemake.output.metrics), metrics)
