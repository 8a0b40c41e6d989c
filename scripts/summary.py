"""One line a scan: the run that heals it, and its scores."""

from pathlib import Path

import pandas as pd

from scatterheal import logs, storage
from scatterheal.rank import chosen

logs.begin(snakemake.log[0], snakemake.config)

rows = []
for scan, file in zip(snakemake.params.scans, snakemake.input.rankings, strict=True):
    ranking = pd.read_csv(file)
    healing = ranking[ranking.run == chosen(ranking, snakemake.params.heal_with)]
    rows.append(healing.assign(scan=scan, best=ranking.run[0]))
table = pd.concat(rows, ignore_index=True)
first = ["scan", "run", "best"]
storage.write_csv(Path(snakemake.output.summary), table[first + [name for name in table if name not in first]])
