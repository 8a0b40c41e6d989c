"""Rank the runs of one scan by their score on the hidden pixels."""

from pathlib import Path

from scatterheal import logs, storage
from scatterheal.rank import rank

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

runs = snakemake.params.runs
metrics = {run: storage.read_json(Path(file)) for run, file in zip(runs, snakemake.input.metrics, strict=True)}
table = rank(runs, metrics)
log.info("best: %s, score of the hidden pixels %.6f", table.run[0], table.score[0])
storage.write_csv(Path(snakemake.output.ranking), table)
