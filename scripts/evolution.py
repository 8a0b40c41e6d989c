"""Draw how the image of a scan's best run came to be."""

from pathlib import Path

import pandas as pd

from scatterheal import storage
from scatterheal.pictures.panels import evolution
from scatterheal.pipeline import logs
from scatterheal.validation.rank import chosen

logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

best = chosen(pd.read_csv(snakemake.input.ranking), "dip")
metrics = storage.read_json(Path(snakemake.input.runs))[best]["metrics"]
folder = Path(snakemake.input.snapshots[snakemake.params.runs.index(best)])
snapshots = [
    (int(iteration), score, storage.read_png(folder / f"{int(iteration):06d}.png"))
    for iteration, score in metrics["score_after"].items()
]
scan = storage.read_png(Path(snakemake.input.picture))
of_several = f" in the run {best}" if len(snakemake.params.runs) > 1 else ""
title = f"{snakemake.wildcards.scan}: the network's own image{of_several}"
evolution(Path(snakemake.output.strip), snapshots, metrics["iterations"], scan, title)
