"""Build the reason-coded mask of what is missing in a scan."""

import json
from pathlib import Path

from scatterheal import storage
from scatterheal.mask.reasons import check_share
from scatterheal.pattern import pixels
from scatterheal.pattern.meaning import Meaning
from scatterheal.pipeline import logs, prepare
from scatterheal.reading.crop import Crop
from scatterheal.reading.intensity import Intensity
from scatterheal.settings.models import Mask
from scatterheal.settings.reading import check_geometry

scan = snakemake.params.scan
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

values, flags = (storage.read_tiff(Path(snakemake.input[name])) for name in ("intensity", "flags"))
intensity = Intensity(values, flags, Meaning.from_json(storage.read_json(Path(snakemake.input.meaning))))
cut = Crop.from_json(storage.read_json(Path(snakemake.input.found)))
mask = Mask.model_validate(scan["mask"])
check_geometry(mask, values.shape[::-1])

centre = None if scan["centre"] == "auto" else tuple(scan["centre"])
poni = scan["poni"] and Path(scan["poni"])
reasons, found = prepare.reasons_of(intensity, cut, mask, scan["detector"], centre, poni)
check_share(reasons, mask.allow_large_mask)
for reason in pixels.REASONS:
    log.info("%s: %d pixels", reason.name, (reasons & reason.bit > 0).sum())
log.info("%.2f %% of the image is missing", 100 * (reasons > 0).mean())
if found.problem:
    log.warning(found.problem)
log.info("found: %s", json.dumps(found.to_json()))

storage.write_tiff(Path(snakemake.output.reasons), reasons)
storage.write_png(Path(snakemake.output.mask), ((reasons == 0) * 255).astype("uint8"))
storage.write_json(Path(snakemake.output.parts), found.to_json())
