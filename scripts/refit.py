"""Fit the run that scored best again, to all valid pixels, for as long as its hidden pixels told."""

from pathlib import Path

import numpy as np
import pandas as pd

from scatterheal import storage
from scatterheal.compute import devices, gpus
from scatterheal.compute.checkpoint import fingerprint, side_file
from scatterheal.compute.ending import end_in_time
from scatterheal.dip.refit import check_by_thinning
from scatterheal.dip.scene import settled
from scatterheal.pipeline import logs
from scatterheal.pipeline.healing import refit_seeds, with_all_pixels
from scatterheal.pipeline.read_pattern import read_pattern
from scatterheal.settings.runs import fit_of
from scatterheal.validation.rank import chosen, remarks

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)
devices.use_threads(snakemake.threads)

end_in_time()
ranking = pd.read_csv(snakemake.input.ranking)
best = chosen(ranking, snakemake.params.heal_with)
asked = snakemake.params.runs[best]
for remark in remarks(ranking, snakemake.params.heal_with):
    log.warning(remark)

thinned, iterations, sides = None, 0, {}
device = devices.choose_device("cpu")
scan = read_pattern(Path(snakemake.input.hidden).parent)
seeds = refit_seeds(asked, snakemake.params.folds, snakemake.params.refits)
if asked["method"] == "dip":
    device = gpus.take_device(snakemake.config)
    log.info(devices.describe_device(device))
    iterations = int(ranking.iterations[ranking.run == best].item())
    depends_on = [asked, iterations, snakemake.params.code]
    of = fingerprint(depends_on, [Path(file) for file in snakemake.input if not file.endswith(".csv")])
    folder = Path(snakemake.output.model).parent
    sides = {seed: side_file(folder / f"refit-{seed}", of, device) for seed in seeds}
    for side in sides.values():
        side.hold()
model, *spreads = with_all_pixels(scan, asked, iterations, seeds, device, sides)
if asked["method"] == "dip" and snakemake.params.thinning:
    thinned = check_by_thinning(scan, settled(fit_of(asked), scan, device), iterations, device)
    log.info("halves of the counts, deviance over floor: %s", thinned or "the scan has no whole counts")

storage.write_tiff(Path(snakemake.output.model), model.astype(np.float32))
storage.write_pages(Path(snakemake.output.spread), np.stack(spreads))
said = {"run": best, "best": str(ranking.run.iloc[0]), "thinned": thinned}
storage.write_json(Path(snakemake.output.chosen), said)
for side in sides.values():
    side.remove()
