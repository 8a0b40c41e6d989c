"""Cut the truth of a simulated scan to the same box as the scan, and read it in the same unit."""

from pathlib import Path

from scatterheal import storage
from scatterheal.pipeline import logs, prepare
from scatterheal.reading import crop
from scatterheal.settings.models import Colour

scan = snakemake.params.scan
logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

cut = crop.Crop.from_json(storage.read_json(Path(snakemake.input.found)))
truth = crop.crop_scan(Path(snakemake.input.truth), scan["kind"], cut.box)
found = prepare.intensity_of(truth.image, cut, Colour.model_validate(scan["colour"]))
storage.write_tiff(Path(snakemake.output.truth), truth.image if found.meaning.unit == "colours" else found.values)
