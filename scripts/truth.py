"""Cut the truth of a simulated scan to the same box as the scan, and read it in the same unit."""

from pathlib import Path

from scatterheal import storage
from scatterheal.pipeline import logs, prepare
from scatterheal.reading import crop

scan = snakemake.params.scan
logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

cropped = storage.read_json(Path(snakemake.input.found))
truth = crop.crop_scan(Path(snakemake.input.truth), scan["kind"], tuple(cropped["box"].values()))
found = prepare.intensity_of(truth.image, cropped, scan["colour"])
storage.write_tiff(Path(snakemake.output.truth), truth.image if found.meaning.unit == "colours" else found.values)
