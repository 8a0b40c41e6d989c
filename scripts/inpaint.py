"""Train each run's networks on the known pixels of one scan, one a fold, and score them on the hidden ones."""

import sys
from pathlib import Path

from scatterheal import storage
from scatterheal.compute import devices, gpus
from scatterheal.compute.checkpoint import fingerprint, side_file
from scatterheal.compute.ending import end_in_time
from scatterheal.compute.memory import ran_out
from scatterheal.compute.side_by_side import side_by_side
from scatterheal.dip.inpaint import inpaint
from scatterheal.dip.scene import settled, views_of
from scatterheal.pattern.meaning import Meaning
from scatterheal.pictures.look import look_of
from scatterheal.pipeline import logs, outcome
from scatterheal.pipeline.read_pattern import read_pattern
from scatterheal.settings.runs import fit_of, hyperparameters_of

end_in_time()
runs = snakemake.params.runs
# Each run has its own log, which begins anew there; until then the first one takes what goes wrong.
logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)
devices.use_threads(snakemake.threads)
device = gpus.take_device(snakemake.config)
scan = read_pattern(Path(snakemake.input.hidden).parent)
hidden = storage.read_pages(Path(snakemake.input.hidden))
truth = storage.read_tiff(Path(snakemake.input.truth)) if snakemake.input.get("truth") else None
meaning = Meaning.from_json(storage.read_json(Path(snakemake.input.meaning)))
look = look_of(storage.read_tiff(Path(snakemake.input.intensity)), meaning)
chosen = {run: settled(fit_of(asked), scan, device) for run, asked in runs.items()}
views, sides = views_of(scan, chosen), {}


def train(run: str, folder: Path, file: str) -> bool:
    """Whether a run's outcome lies aside: trained now, or by an earlier job, which did not get to its end."""
    log = logs.begin(file, snakemake.config, snakemake.wildcards.scan)
    log.info(devices.describe_device(device))
    of = fingerprint([runs[run], snakemake.params.code], [Path(file) for file in snakemake.input])
    sides[run] = side = side_file(folder, of, device)
    try:
        side.hold()
        if outcome.is_kept(folder, of):
            log.info("trained by an earlier job, which did not get to its end")
        else:
            done = inpaint(scan, hidden, chosen[run], device, truth, views[run], side)
            log.info("score of the hidden pixels: %.6f", done.metrics["score"])
            said = {**runs[run], "taken": hyperparameters_of(chosen[run])}
            outcome.keep(folder, of, done, said, scan, look)
    except Exception as error:
        if ran_out(error):
            raise
        # Told as always. The job fails, but first the other runs are trained; theirs stay aside for the next one.
        sys.excepthook(type(error), error, error.__traceback__)
        return False
    return True


folders = [Path(file).parent for file in snakemake.output.run]
of_runs = zip(runs, folders, snakemake.log, strict=True)
if not all(side_by_side(lambda of_run: train(*of_run), of_runs, device)):
    sys.exit(1)
for folder in folders:
    outcome.hand_over(folder)
for side in sides.values():
    side.remove()
