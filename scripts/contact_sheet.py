"""Draw all runs of one scan on one sheet."""

from pathlib import Path

import pandas as pd

from scatterheal import logs, pictures, storage

logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

meaning = storage.read_json(Path(snakemake.input.meaning))
look = pictures.look_of(storage.read_tiff(Path(snakemake.input.intensity)), meaning)
healed = dict(zip(snakemake.params.runs, snakemake.input.healed, strict=True))
tiles = []
for run in pd.read_csv(snakemake.input.ranking).to_dict("records"):
    row, settings = pictures.labels(snakemake.params.runs[run["run"]], snakemake.params.axes)
    image = pictures.render(storage.read_tiff(Path(healed[run["run"]])), look)
    pruned = int(run["trained"]) if run.get("pruned") else None
    tiles.append(pictures.Tile(row, settings, run["rank"], run["score"], run["collapsed"], image, pruned))
title = f"{snakemake.wildcards.scan}: {len(tiles)} runs, healed; # is the rank among all"
pictures.contact_sheet(Path(snakemake.output.sheet), tiles, title)
