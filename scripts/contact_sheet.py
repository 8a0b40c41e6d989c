"""Draw all runs of one scan on one sheet."""

from pathlib import Path

import pandas as pd

from scatterheal import storage
from scatterheal.pattern.meaning import Meaning
from scatterheal.pictures.contact_sheet import Tile, contact_sheet, labels
from scatterheal.pictures.look import look_of, render
from scatterheal.pipeline import logs

logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

meaning = Meaning.from_json(storage.read_json(Path(snakemake.input.meaning)))
look = look_of(storage.read_tiff(Path(snakemake.input.intensity)), meaning)
healed = dict(zip(snakemake.params.runs, snakemake.input.healed, strict=True))
tiles = []
for run in pd.read_csv(snakemake.input.ranking).to_dict("records"):
    row, settings = labels(snakemake.params.runs[run["run"]], snakemake.params.axes)
    image = render(storage.read_tiff(Path(healed[run["run"]])), look)
    pruned = int(run["trained"]) if run.get("pruned") else None
    tiles.append(Tile(row, settings, run["rank"], run["score"], run["collapsed"], image, pruned))
title = f"{snakemake.wildcards.scan}: {len(tiles)} runs, healed; # is the rank among all"
contact_sheet(Path(snakemake.output.sheet), tiles, title)
