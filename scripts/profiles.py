"""Compare a scan's I(q), I(chi) and orientation before and after healing, and with the truth where it is known."""

from pathlib import Path

import numpy as np

from scatterheal import storage
from scatterheal.counts import deviance
from scatterheal.physics.compare import compare, none
from scatterheal.pictures import curves
from scatterheal.pipeline import logs, prepare
from scatterheal.pipeline.read_pattern import read_pattern
from scatterheal.reading.crop import Crop

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

scan = read_pattern(Path(snakemake.input.reasons).parent)
title, unit = snakemake.wildcards.scan, scan.scale.unit
radial, azimuthal = Path(snakemake.output.radial_picture), Path(snakemake.output.azimuthal_picture)
if scan.centre is None or unit == "colours":
    why = "its colours are no intensities" if unit == "colours" else "no beam centre is known"
    log.warning("no profiles: %s", why)
    found = none(why)
    for picture in (radial, azimuthal):
        curves.nothing(picture, why, title)
else:
    poni = snakemake.params.scan["poni"]
    cut = Crop.from_json(storage.read_json(Path(snakemake.input.cropped)))
    geometry = prepare.geometry_of(cut, poni and Path(poni))
    truth = storage.read_tiff(Path(snakemake.input.truth)) if snakemake.input.get("truth") else None
    healed, model, sd = (storage.read_tiff(Path(snakemake.input[name])) for name in ("healed", "model", "sd"))
    if unit == "counts":
        # What stands for a censored count is no mean of it.
        image = deviance.expected_counts(scan.image, np.where(scan.missing, 0, scan.flags), model)
        scan, healed = scan._replace(image=image), np.where(scan.missing, healed, image)
    found = compare(scan, healed, geometry, sd, truth)
    curves.radial(radial, found.radial, found.summary, title, unit)
    curves.azimuthal(azimuthal, found.azimuthal, found.summary, title, unit)
storage.write_csv(Path(snakemake.output.radial), found.radial)
storage.write_csv(Path(snakemake.output.azimuthal), found.azimuthal)
storage.write_json(Path(snakemake.output.orientation), found.summary)
