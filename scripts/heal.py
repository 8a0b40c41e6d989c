"""Give a scan the healed image of its best run, with where it comes from."""

import shutil
from pathlib import Path

import pandas as pd

from scatterheal import export, logs, prepare, provenance, scale, storage

scan = snakemake.params.scan
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

ranking = pd.read_csv(snakemake.input.ranking)
best = ranking.run[0]
chosen = snakemake.params.runs.index(best)
log.info("healed by %s", best)
if ranking.collapsed[0]:
    log.warning("every run collapsed: none painted more than a constant, and this healing is worth nothing")

reasons = storage.read_tiff(Path(snakemake.input.reasons))
cropped, meaning, found, run, metrics = (
    storage.read_json(Path(file))
    for file in (
        snakemake.input.cropped,
        snakemake.input.meaning,
        snakemake.input.parts,
        snakemake.input.run[chosen],
        snakemake.input.metrics[chosen],
    )
)
geometry = prepare.with_found_centre(prepare.geometry_of(cropped, scan["poni"]), found["centre"])
record = provenance.record(
    source=Path(snakemake.input.source),
    linked=[Path(file) for file in snakemake.input.linked],
    scan=scan,
    reasons=reasons,
    found=found,
    meaning=meaning,
    geometry=geometry,
    run=run,
    metrics=metrics,
)

for name in ("healed", "model"):
    with storage.replacing(Path(snakemake.output[name])) as part:
        shutil.copyfile(snakemake.input[name][chosen], part)
healed, model = (storage.read_tiff(Path(snakemake.output[name])) for name in ("healed", "model"))
if meaning["unit"] == "colours":
    # Formats of detector frames hold one number a pixel.
    healed, model = scale.luminance(healed), scale.luminance(model.clip(0, 255).astype("uint8"))
export.write_edf(Path(snakemake.output.edf), healed, record, geometry)
export.write_hdf5(Path(snakemake.output.hdf5), healed, model, reasons, record, geometry)
storage.write_json(Path(snakemake.output.provenance), record)
