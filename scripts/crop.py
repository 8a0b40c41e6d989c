"""Cut the plot area of a figure, or a frame, out of a scan's file."""

import json
from pathlib import Path

from scatterheal import figures, frames, logs

scan = snakemake.params.scan
log = logs.begin(snakemake.log[0], scan["file"])

crop = None if scan["crop"] == "auto" else tuple(scan["crop"])
cropped = figures.crop_scan(Path(snakemake.input.image), scan["kind"], crop)
log.info("%s: kept %s (%s)", snakemake.input.image, cropped.box, "automatic" if crop is None else "from the YAML")

frames.write_tiff(Path(snakemake.output.image), cropped.image)
found = {
    "box": cropped.box._asdict(),
    "automatic": crop is None,
    "colour_bar": None if cropped.colours is None else cropped.colours.tolist(),
}
Path(snakemake.output.found).write_text(json.dumps(found) + "\n")
