"""One line a scan: its best run and scores."""

from pathlib import Path

import pandas as pd

from scatterheal import logs, storage

logs.begin(snakemake.log[0], snakemake.config)

scans = snakemake.params.scans
best = [pd.read_csv(file).iloc[[0]] for file in snakemake.input.rankings]
table = pd.concat(best, ignore_index=True).drop(columns="rank")
table.insert(0, "scan", scans)
storage.write_csv(Path(snakemake.output.summary), table)
