"""Hide hole-shaped regions of valid pixels, by which the runs are judged: another set in each fold."""

from pathlib import Path

from scatterheal import storage
from scatterheal.pattern import units
from scatterheal.pattern.found import Found
from scatterheal.pattern.meaning import Meaning
from scatterheal.pipeline import logs
from scatterheal.validation import holdout

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)

reasons = storage.read_tiff(Path(snakemake.input.reasons))
unit = Meaning.from_json(storage.read_json(Path(snakemake.input.meaning))).unit
centre = Found.from_json(storage.read_json(Path(snakemake.input.parts))).beam_centre
grey = units.grey_levels(storage.read_tiff(Path(snakemake.input.intensity)), unit)
hidden = holdout.hide(reasons, grey, centre, snakemake.params.folds)
for fold, of_fold in enumerate(hidden):
    log.info("fold %d hides %d pixels, %.1f %% of the image", fold, (of_fold > 0).sum(), 100 * (of_fold > 0).mean())

storage.write_pages(Path(snakemake.output.hidden), hidden)
