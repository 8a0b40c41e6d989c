"""Cut the truth of a simulated scan to the same box as the scan."""

import json
from pathlib import Path

from scatterheal import figures, logs, storage

scan = snakemake.params.scan
logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

box = json.loads(Path(snakemake.input.found).read_text())["box"]
truth = figures.crop_scan(Path(snakemake.input.truth), scan["kind"], tuple(box.values()))
storage.write_tiff(Path(snakemake.output.truth), truth.image)
