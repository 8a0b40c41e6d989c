"""Fit the run that scored best again, to all valid pixels, for as long as its hidden pixels told."""

from pathlib import Path

import numpy as np
import pandas as pd

from scatterheal import storage
from scatterheal.compute import devices, gpus
from scatterheal.compute.checkpoint import fingerprint, side_file
from scatterheal.compute.ending import end_in_time
from scatterheal.dip.refit import check_by_thinning, refit
from scatterheal.dip.scene import settled
from scatterheal.methods.baselines import heal
from scatterheal.pipeline import logs
from scatterheal.pipeline.read_pattern import read_pattern
from scatterheal.settings.runs import fit_of
from scatterheal.validation.rank import chosen

log = logs.begin(snakemake.log[0], snakemake.config, snakemake.wildcards.scan)
devices.use_threads(snakemake.threads)

end_in_time()
ranking = pd.read_csv(snakemake.input.ranking)
best = chosen(ranking, snakemake.params.heal_with)
hyperparameters = snakemake.params.runs[best]
first = ranking.iloc[0]
if first.method != "dip":
    instead = "it heals this scan" if best == first.run else f"{best} heals it all the same, as heal_with: dip says"
    log.warning("%s scores better on the hidden pixels than every network, or as well for less; %s", first.run, instead)
if ranking.collapsed[0]:
    log.warning("every run collapsed: none painted more than a constant, and this healing is worth nothing")

thinned, sides = None, {}
scan = read_pattern(Path(snakemake.input.hidden).parent)
if hyperparameters["method"] == "dip":
    device = gpus.take_device(snakemake.config)
    log.info(devices.describe_device(device))
    iterations = int(ranking.iterations[ranking.run == best].item())
    first_seed = hyperparameters["seed"] + snakemake.params.folds
    seeds = range(first_seed, first_seed + snakemake.params.refits)
    asked = [hyperparameters, iterations, snakemake.params.code]
    of = fingerprint(asked, [Path(file) for file in snakemake.input if not file.endswith(".csv")])
    folder = Path(snakemake.output.model).parent
    sides = {seed: side_file(folder / f"refit-{seed}", of, device) for seed in seeds}
    for side in sides.values():
        side.hold()
    chosen_fit = settled(fit_of(hyperparameters), scan, device)
    model, *spreads = refit(scan, chosen_fit, iterations, seeds, device, sides)
    if snakemake.params.thinning:
        thinned = check_by_thinning(scan, chosen_fit, iterations, device)
        log.info("halves of the counts, deviance over floor: %s", thinned or "the scan has no whole counts")
else:
    model = heal(hyperparameters["method"], scan.image, ~scan.missing, scan.centre, scan.scale.unit)
    spreads = np.zeros((2, *scan.missing.shape), np.float32)

storage.write_tiff(Path(snakemake.output.model), model.astype(np.float32))
storage.write_pages(Path(snakemake.output.spread), np.stack(spreads))
storage.write_json(Path(snakemake.output.chosen), {"run": best, "best": str(first.run), "thinned": thinned})
for side in sides.values():
    side.remove()
