"""Build the reason-coded mask of what is missing in a scan."""

import json
from pathlib import Path

from scatterheal import storage
from scatterheal.mask.reasons import check_share
from scatterheal.pattern import pixels
from scatterheal.pattern.meaning import Meaning
from scatterheal.pipeline import logs, prepare
from scatterheal.reading.crop import Crop
from scatterheal.settings.models import Mask
from scatterheal.settings.reading import check_geometry

scan = snakemake.params.scan
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

intensity = storage.read_tiff(Path(snakemake.input.intensity))
flags = storage.read_tiff(Path(snakemake.input.flags))
meaning = Meaning.from_json(storage.read_json(Path(snakemake.input.meaning)))
cut = Crop.from_json(storage.read_json(Path(snakemake.input.found)))
check_geometry(Mask.model_validate(scan["mask"]), (intensity.shape[1], intensity.shape[0]))

found = prepare.reasons_of(intensity, flags, meaning, cut, scan)
check_share(found.reasons, scan["mask"]["allow_large_mask"])
for name, bit in pixels.REASONS.items():
    log.info("%s: %d pixels", name, (found.reasons & bit > 0).sum())
log.info("%.2f %% of the image is missing", 100 * (found.reasons > 0).mean())
if problem := found.found["centre"].get("problem"):
    log.warning(problem)
log.info("found: %s", json.dumps(found.found))

storage.write_tiff(Path(snakemake.output.reasons), found.reasons)
storage.write_png(Path(snakemake.output.mask), ((found.reasons == 0) * 255).astype("uint8"))
storage.write_json(Path(snakemake.output.parts), found.found)
