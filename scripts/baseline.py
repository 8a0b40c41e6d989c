"""Heal one scan by a method that is no network, once without each fold's hidden pixels, and score it on them."""

from pathlib import Path

from scatterheal import storage
from scatterheal.pattern.pattern import overlay
from scatterheal.pipeline import logs
from scatterheal.pipeline.healing import without_each_fold
from scatterheal.pipeline.read_pattern import read_pattern
from scatterheal.validation.judge import judge

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

scan = read_pattern(Path(snakemake.input.hidden).parent)
hidden = storage.read_pages(Path(snakemake.input.hidden))
truth = storage.read_tiff(Path(snakemake.input.truth)) if snakemake.input.get("truth") else None
models = without_each_fold(snakemake.params.hyperparameters["method"], scan, hidden)
metrics = judge(scan, models, hidden, truth)
log.info("score of the hidden pixels: %.6f", metrics["score"])

storage.write_pages(Path(snakemake.output.models), models)
storage.write_tiff(Path(snakemake.output.healed), overlay(scan.image, scan.missing, models.mean(axis=0)))
storage.write_json(Path(snakemake.output.run), snakemake.params.hyperparameters)
storage.write_json(Path(snakemake.output.metrics), metrics)
