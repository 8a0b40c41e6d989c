"""Cut the plot area of a figure, or a frame, out of a scan's file."""

from pathlib import Path

from scatterheal import storage
from scatterheal.pipeline import logs
from scatterheal.reading import crop

scan = snakemake.params.scan
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

image, cut = crop.crop_scan(
    Path(snakemake.input.image),
    scan["kind"],
    scan["crop"] if scan["crop"] == "auto" else tuple(scan["crop"]),
    scan["data"],
    scan["frame"],
)
how = "automatic" if scan["crop"] == "auto" else "from the YAML"
log.info("%s: kept %s (%s)", snakemake.input.image, cut.box, how)
if cut.detector:
    log.info("detector: %s, %s", cut.detector.name, cut.detector.sure)

storage.write_tiff(Path(snakemake.output.image), image)
found = {"asked": scan, "sha256": snakemake.params.content, **cut.to_json()}
storage.write_json(Path(snakemake.output.found), found)
