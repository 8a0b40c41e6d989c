"""Cut the plot area of a figure, or a frame, out of a scan's file."""

from pathlib import Path

from scatterheal import figures, logs, storage

scan = snakemake.params.scan
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

crop = None if scan["crop"] == "auto" else tuple(scan["crop"])
cropped = figures.crop_scan(Path(snakemake.input.image), scan["kind"], crop)
log.info("%s: kept %s (%s)", snakemake.input.image, cropped.box, "automatic" if crop is None else "from the YAML")

storage.write_tiff(Path(snakemake.output.image), cropped.image)
found = {
    "asked": scan["crop"],
    "sha256": snakemake.params.content,
    "whole": cropped.whole,
    "box": cropped.box._asdict(),
    "colour_bar": None if cropped.colours is None else cropped.colours.tolist(),
}
storage.write_json(Path(snakemake.output.found), found)
