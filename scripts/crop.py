"""Cut the plot area of a figure, or a frame, out of a scan's file."""

from pathlib import Path

from scatterheal import storage
from scatterheal.pipeline import logs, prepare
from scatterheal.reading import crop

scan = snakemake.params.scan
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

cropped = crop.crop_scan(
    Path(snakemake.input.image),
    scan["kind"],
    scan["crop"] if scan["crop"] == "auto" else tuple(scan["crop"]),
    scan["data"],
    scan["frame"],
)
how = "automatic" if scan["crop"] == "auto" else "from the YAML"
log.info("%s: kept %s (%s)", snakemake.input.image, cropped.box, how)
if cropped.detector:
    log.info("detector: %s, %s", cropped.detector.name, cropped.detector.sure)

storage.write_tiff(Path(snakemake.output.image), cropped.image)
found = {"asked": scan, "sha256": snakemake.params.content, **prepare.as_record(cropped)}
storage.write_json(Path(snakemake.output.found), found)
