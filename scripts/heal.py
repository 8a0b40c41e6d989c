"""Give a scan the healed image of its best run, with where it comes from."""

import json
import shutil
from pathlib import Path

import pandas as pd

from scatterheal import logs, provenance, storage

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

ranking = pd.read_csv(snakemake.input.ranking)
best = ranking.run[0]
chosen = snakemake.params.runs.index(best)
for name in ("healed", "model"):
    with storage.replacing(Path(snakemake.output[name])) as part:
        shutil.copyfile(snakemake.input[name][chosen], part)
log.info("healed by %s", best)
if ranking.collapsed[0]:
    log.warning("every run collapsed: none painted more than a constant, and this healing is worth nothing")

reasons = storage.read_tiff(Path(snakemake.input.reasons))
record = provenance.record(
    source=Path(snakemake.input.source),
    scan=snakemake.params.scan,
    reasons=reasons,
    run=json.loads(Path(snakemake.input.run[chosen]).read_text()),
    metrics=json.loads(Path(snakemake.input.metrics[chosen]).read_text()),
)
storage.write_json(Path(snakemake.output.provenance), record)
