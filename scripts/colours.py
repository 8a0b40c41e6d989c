"""Show how far a figure's colours are from its colour map."""

from pathlib import Path

import numpy as np

from scatterheal import storage
from scatterheal.pictures.colour_check import colours
from scatterheal.pipeline import logs, prepare
from scatterheal.reading.crop import Crop
from scatterheal.settings.models import Colour

scan = snakemake.params.scan
logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

image = storage.read_tiff(Path(snakemake.input.image))
cut = Crop.from_json(storage.read_json(Path(snakemake.input.found)))
found = prepare.intensity_of(image, cut, Colour.model_validate(scan["colour"]))
# A figure healed as a picture has no map to be compared with.
residual = found.inverted.residual if found.inverted else np.full_like(found.values, np.nan)
storage.write_tiff(Path(snakemake.output.residual), residual, compress=True)
colours(Path(snakemake.output.picture), image, found, snakemake.wildcards.scan)
