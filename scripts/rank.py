"""Rank the runs of one scan by their score on the hidden pixels."""

from pathlib import Path

from scatterheal import storage
from scatterheal.pipeline import logs
from scatterheal.validation.rank import rank

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

names = snakemake.params.runs
asked, metrics = (
    {run: storage.read_json(Path(file)) for run, file in zip(names, files, strict=True)}
    for files in (snakemake.input.run, snakemake.input.metrics)
)
# What this scan could take of the hyperparameters; a method that is no network has none.
table = rank({run: found.get("taken", found) for run, found in asked.items()}, metrics)
log.info("best: %s, score of the hidden pixels %.6f", table.run[0], table.score[0])
storage.write_csv(Path(snakemake.output.ranking), table)
of_runs = {run: {"hyperparameters": asked[run], "metrics": metrics[run]} for run in names}
storage.write_json(Path(snakemake.output.runs), of_runs)
