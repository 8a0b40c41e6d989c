"""Draw a scan, its mask and its healed image side by side."""

from pathlib import Path

import numpy as np

from scatterheal import storage
from scatterheal.pattern.meaning import Meaning
from scatterheal.pictures.look import as_counted, look_of, render
from scatterheal.pictures.panels import before_after
from scatterheal.pipeline import logs

logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

meaning = Meaning.from_json(storage.read_json(Path(snakemake.input.meaning)))
look = look_of(storage.read_tiff(Path(snakemake.input.intensity)), meaning)
mask = storage.read_png(Path(snakemake.input.mask))
healed = storage.read_png(Path(snakemake.input.healed))
panels = [
    ("scan", storage.read_png(Path(snakemake.input.cropped))),
    ("mask (white = keep)", np.repeat(mask[..., None], 3, axis=2)),
]
if meaning.unit == "counts":
    missing = storage.read_tiff(Path(snakemake.input.reasons)) > 0
    values = storage.read_tiff(Path(snakemake.input.values))
    panels.append(("healed\nexpected counts, no noise", healed))
    panels.append(("healed\nshot noise drawn in holes", as_counted(healed, values, missing, look)))
else:
    panels.append(("healed", healed))
if snakemake.input.get("truth"):
    panels.append(("truth", render(storage.read_tiff(Path(snakemake.input.truth)), look)))
bar = None if meaning.unit == "colours" else look
before_after(Path(snakemake.output.panel), panels, snakemake.wildcards.scan, bar)
