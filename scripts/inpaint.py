"""Train each run's networks on the known pixels of one scan, one a fold, and score them on the hidden ones."""

import sys
from pathlib import Path

from scatterheal import exposure, fit, logs, outcome, pictures, storage
from scatterheal.inpaint import inpaint

runs = snakemake.params.runs
# Each run has its own log, which begins anew there; until then the first one takes what goes wrong.
logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)
fit.use_threads(snakemake.threads)
device = fit.choose_device((snakemake.config.get("fit") or {}).get("device", "auto"))
scan = exposure.read(Path(snakemake.input.hidden).parent)
hidden = storage.read_pages(Path(snakemake.input.hidden))
truth = storage.read_tiff(Path(snakemake.input.truth)) if snakemake.input.get("truth") else None
meaning = storage.read_json(Path(snakemake.input.meaning))
look = pictures.look_of(storage.read_tiff(Path(snakemake.input.intensity)), meaning)

folders = [Path(file).parent for file in snakemake.output.run]
failed = []
for (run, hyperparameters), folder, file in zip(runs.items(), folders, snakemake.log, strict=True):
    log = logs.begin(file, snakemake.config, snakemake.wildcards.scan)
    log.info(fit.describe_device(device))
    of = outcome.fingerprint([hyperparameters, snakemake.params.code], [Path(file) for file in snakemake.input])
    if outcome.is_kept(folder, of):
        log.info("trained by an earlier job, which did not get to its end")
        continue
    try:
        done = inpaint(scan, hidden, hyperparameters, device, truth)
        log.info("score of the hidden pixels: %.6f", done.metrics["score"])
        outcome.keep(folder, of, done, hyperparameters, scan, look)
    except Exception as error:
        # Told as always. The job fails, but first the other runs are trained; theirs stay aside for the next one.
        sys.excepthook(type(error), error, error.__traceback__)
        failed.append(run)
if failed:
    sys.exit(1)
for folder in folders:
    outcome.hand_over(folder)
