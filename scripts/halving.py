"""Train all networks of the grid on one scan a little, the best of them on, and the best of these to the end."""

import logging
from pathlib import Path

from scatterheal import storage
from scatterheal.compute import devices, gpus
from scatterheal.compute.checkpoint import fingerprint, side_file
from scatterheal.compute.ending import end_in_time
from scatterheal.dip import halving
from scatterheal.dip.scene import settled
from scatterheal.pattern.meaning import Meaning
from scatterheal.pictures.look import look_of
from scatterheal.pipeline import logs, outcome
from scatterheal.pipeline.read_pattern import read_pattern
from scatterheal.settings.runs import fit_of, hyperparameters_of

end_in_time()
runs = snakemake.params.runs
folders = {run: Path(file).parent for run, file in zip(runs, snakemake.output.run, strict=True)}
log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)
# Many trainings in turn: their own lines and bars do not say whose they are.
for module in ("dip.loop", "dip.inpaint"):
    logging.getLogger(f"scatterheal.{module}").setLevel(logging.WARNING)
devices.use_threads(snakemake.threads)
device = gpus.take_device(snakemake.config)
log.info(devices.describe_device(device))

scan = read_pattern(Path(snakemake.input.hidden).parent)
hidden = storage.read_pages(Path(snakemake.input.hidden))
truth = storage.read_tiff(Path(snakemake.input.truth)) if snakemake.input.get("truth") else None
meaning = Meaning.from_json(storage.read_json(Path(snakemake.input.meaning)))
look = look_of(storage.read_tiff(Path(snakemake.input.intensity)), meaning)
of = fingerprint([runs, snakemake.params.code], [Path(file) for file in snakemake.input])
sides = {run: side_file(folder, of, device) for run, folder in folders.items()}
for side in sides.values():
    side.hold()
chosen = {run: settled(fit_of(asked), scan, device) for run, asked in runs.items()}
for run, done in halving.halving(halving.trainings(scan, hidden, chosen, device, truth, sides), device):
    how = "let go" if done.metrics["pruned"] else "ended"
    trained, score = done.metrics["trained"], done.metrics["score"]
    log.info("%s %s after %d iterations: score %.6f, at iteration %d", run, how, trained, score, done.iterations)
    said = {**runs[run], "taken": hyperparameters_of(chosen[run])}
    outcome.write(folders[run], done, said, scan, look)
# All of them, at last: a start that is interrupted before makes those again that it had let go.
for side in sides.values():
    side.remove()
