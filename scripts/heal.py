"""Give a scan its healed image in every format, with where it comes from and how sure it is."""

from pathlib import Path

import pandas as pd

from scatterheal import storage
from scatterheal.pattern.found import Found
from scatterheal.pattern.healed import Healed, in_grey
from scatterheal.pattern.meaning import Meaning
from scatterheal.pattern.pattern import overlay
from scatterheal.pipeline import export, logs, prepare, provenance
from scatterheal.pipeline.read_pattern import read_pattern
from scatterheal.reading.crop import Crop

scan = snakemake.params.scan
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

chosen = storage.read_json(Path(snakemake.input.chosen))["run"]
run = storage.read_json(Path(snakemake.input.runs))[chosen]
log.info("healed by %s", chosen)

reasons, model, sd = (storage.read_tiff(Path(snakemake.input[name])) for name in ("reasons", "model", "sd"))
beyond = storage.read_tiff(Path(snakemake.input.beyond)) > 0
measured = read_pattern(Path(snakemake.input.reasons).parent)
healed = Healed(overlay(measured.image, reasons > 0, model), model, sd, beyond, reasons, measured.flags)
cut = Crop.from_json(storage.read_json(Path(snakemake.input.cropped)))
found = Found.from_json(storage.read_json(Path(snakemake.input.parts)))
meaning = Meaning.from_json(storage.read_json(Path(snakemake.input.meaning)))
geometry = prepare.geometry_of(cut, scan["poni"] and Path(scan["poni"]))
geometry = geometry._replace(beam_centre=found.sure_beam_centre)
source = provenance.of_files(Path(snakemake.input.source), [Path(file) for file in snakemake.input.linked])
coverage = pd.read_csv(snakemake.input.coverage).to_dict("records")
record = provenance.record(source, scan, meaning, found, geometry, healed, run, coverage)

export.write_tiff(Path(snakemake.output.healed), healed.image, record)
grey = in_grey(healed)
export.write_edf(Path(snakemake.output.edf), grey.image, record, geometry)
export.write_hdf5(Path(snakemake.output.hdf5), grey, record, geometry)
storage.write_json(Path(snakemake.output.provenance), record)
