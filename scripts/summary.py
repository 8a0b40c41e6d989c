"""One line a scan: the run that heals it, and its scores; or what is wrong with it."""

from pathlib import Path

import pandas as pd

from scatterheal import storage
from scatterheal.pipeline import logs
from scatterheal.pipeline.summary import summary

logs.begin(snakemake.log[0], snakemake.config)

rankings = {
    scan: pd.read_csv(file) for scan, file in zip(snakemake.params.scans, snakemake.input.rankings, strict=True)
}
table = summary(rankings, snakemake.params.problems, snakemake.params.heal_with)
storage.write_csv(Path(snakemake.output.summary), table)
