"""Build the reason-coded mask of what is missing in a scan."""

import json
from pathlib import Path

from scatterheal import detectors, frames, logs, masks, storage
from scatterheal.config import Mask, check_geometry
from scatterheal.figures import Box

scan = snakemake.params.scan
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

image = storage.read_tiff(Path(snakemake.input.image))
grey = storage.read_tiff(Path(snakemake.input.intensity))
check_geometry(Mask.model_validate(scan["mask"]), (grey.shape[1], grey.shape[0]))
found = json.loads(Path(snakemake.input.found).read_text())
gaps = None
if scan["detector"]:
    gaps = Box(**found["box"]).of(detectors.detector_gaps(scan["detector"], tuple(found["whole"])))
from_file = snakemake.input.get("mask_file")
missing_in_file = frames.read_mask(Path(from_file), scan["mask"]["mask_convention"]) if from_file else None

reasons = masks.find_reasons(image, grey, scan["mask"], gaps, missing_in_file)
masks.check_share(reasons, scan["mask"]["allow_large_mask"])
for name, bit in masks.REASONS.items():
    log.info("%s: %d pixels", name, (reasons & bit > 0).sum())
log.info("%.2f %% of the image is missing", 100 * (reasons > 0).mean())

storage.write_tiff(Path(snakemake.output.reasons), reasons)
storage.write_png(Path(snakemake.output.mask), ((reasons == 0) * 255).astype("uint8"))
