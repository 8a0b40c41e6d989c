"""Train all networks of the grid on one scan a little, the best of them on, and the best of these to the end."""

import logging
from pathlib import Path

from scatterheal import devices, exposure, gpus, logs, outcome, pictures, resume, search, storage

resume.end_in_time()
runs = snakemake.params.runs
folders = {run: Path(file).parent for run, file in zip(runs, snakemake.output.run, strict=True)}
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)
# Many trainings in turn: their own lines and bars do not say whose they are.
for module in ("fit", "inpaint"):
    logging.getLogger(f"scatterheal.{module}").setLevel(logging.WARNING)
devices.use_threads(snakemake.threads)
device = gpus.take_device(snakemake.config)
log.info(devices.describe_device(device))

scan = exposure.read(Path(snakemake.input.hidden).parent)
hidden = storage.read_pages(Path(snakemake.input.hidden))
truth = storage.read_tiff(Path(snakemake.input.truth)) if snakemake.input.get("truth") else None
meaning = storage.read_json(Path(snakemake.input.meaning))
look = pictures.look_of(storage.read_tiff(Path(snakemake.input.intensity)), meaning)
of = resume.fingerprint([runs, snakemake.params.code], [Path(file) for file in snakemake.input])
sides = {run: resume.side_file(folder, of, device) for run, folder in folders.items()}
for side in sides.values():
    side.hold()
for run, done in search.halving(search.trainings(scan, hidden, runs, device, truth, sides), device):
    how = "let go" if done.metrics["pruned"] else "ended"
    trained, score = done.metrics["trained"], done.metrics["score"]
    log.info("%s %s after %d iterations: score %.6f, at iteration %d", run, how, trained, score, done.iterations)
    outcome.write(folders[run], done, runs[run], scan, look)
# All of them, at last: a start that is interrupted before makes those again that it had let go.
for side in sides.values():
    side.remove()
