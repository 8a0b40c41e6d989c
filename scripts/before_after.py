"""Draw a scan, its mask and its healed image side by side."""

import json
from pathlib import Path

import numpy as np

from scatterheal import grayscale, logs, pictures, storage

scan = snakemake.params.scan
logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

image = storage.read_tiff(Path(snakemake.input.image))
top = grayscale.top_count(image)
mask = storage.read_png(Path(snakemake.input.mask))
panels = [
    ("scan", pictures.render(image, top)),
    ("mask (white = keep)", np.repeat(mask[..., None], 3, axis=2)),
    ("healed", pictures.render(storage.read_tiff(Path(snakemake.input.healed)), top)),
]
if snakemake.input.get("truth"):
    panels.append(("truth", pictures.render(storage.read_tiff(Path(snakemake.input.truth)), top)))
scale = top
if image.ndim == 3:
    colours = json.loads(Path(snakemake.input.found).read_text())["colour_bar"]
    scale = colours and pictures.Bar(np.uint8(colours), scan["colour"])
pictures.before_after(Path(snakemake.output.panel), panels, snakemake.wildcards.scan, scale)
