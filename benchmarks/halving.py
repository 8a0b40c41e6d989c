"""What successive halving saves, and what it loses: its winner against that of the exhaustive grid.

python benchmarks/halving.py --cache FOLDER [--grid scattering | paper] [--scans NAME ...] [--fit KEY=VALUE ...]
                             [--runs N]

Each run of a grid is trained once, to its end, and looked at on the way where the rungs of `search: halving` end. From
that the choices of halving are replayed: trainings are deterministic, and a test compares a replay with true halving.
The grids are `scattering`, 48 networks round the preset of that name, and `paper`, the report's 40; every run is
checked a hundred times. NAME is a real scan that tests/scans describes, a demo scan, or one of the six simulated scans
of scatterheal/app/simulate.py. FOLDER keeps each finished training, so that an interrupted measurement goes on, and two
commands may train different scans at a time; it knows settings alone, so empty it when the training itself changes.
"""

import argparse
import hashlib
import itertools
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

from scatterheal import storage
from scatterheal.app import simulate
from scatterheal.compute.devices import choose_device, describe_device, use_threads
from scatterheal.dip import halving
from scatterheal.dip.inpaint import Inpainted
from scatterheal.dip.scene import settled
from scatterheal.pattern import units
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.pixels import Bits
from scatterheal.pipeline.prepare import prepare
from scatterheal.settings.reading import read_config, read_scan
from scatterheal.settings.reference import ROOT
from scatterheal.settings.runs import fit_of, hyperparameters_of, runs_of
from scatterheal.validation import holdout
from scatterheal.validation.rank import rank

GRIDS = {
    "scattering": {
        "lr": [0.001, 0.0025, 0.005, 0.01],
        "channels": [16, 32],
        "reg_noise_std": [0.01, 0.03, 0.1],
        "domain": ["polar", "cartesian"],
    },
    "paper": None,
}
FILES = {file.stem: file for folder in ("tests/scans", "scans") for file in sorted((ROOT / folder).glob("*.yaml"))}
SCANS = ("HDPE_85_low", "MD2_MV_bulk_3", "demo_waxs", "four_lobes")
FOLDS, CHECKS = 2, 100


def scan_of(name: str) -> tuple[Pattern, Bits]:
    """A scan, as the pipeline takes it, and the pixels that each fold hides."""
    if name in simulate.SCENES:
        simulated = simulate.simulated(name)
        image, reasons, centre = simulated.counts.astype(np.float32), simulated.reasons, simulated.centre
        flags, unit, limits = np.zeros(image.shape, np.uint8), "counts", None
    else:
        prepared = prepare(read_scan(FILES[name]))
        image, flags, meaning = prepared.intensity[:3]
        reasons, centre = prepared.reasons.reasons, prepared.reasons.found.beam_centre
        unit, limits = meaning.unit, meaning.limits
    hidden = holdout.hide(reasons, units.grey_levels(image, unit), centre, FOLDS)
    return Pattern(image, flags, reasons > 0, centre, units.scale_of(image, unit, limits, reasons == 0)), hidden


def record(
    scan: Pattern,
    hidden: Bits,
    hyperparameters: Mapping[str, Any],
    device: torch.device,
    plan: Sequence[halving.Rung],
) -> dict[str, Any]:
    """One run, trained to its end: how it stands where each rung ends, and what it would leave behind there."""
    chosen = settled(fit_of(hyperparameters), scan, device)
    (training,) = halving.trainings(scan, hidden, {"run": chosen}, device).values()
    rungs = {}
    for rung in plan:
        training.advance(rung.until)
        told = {"standing": training.standing(), "metrics": training.result().metrics}
        rungs[str(rung.until)] = {"trained": training.trained, "ended": training.ended, **told}
    return {"chosen": hyperparameters_of(chosen), "rungs": rungs}


class Replay:
    """A training of which `record` knows how it goes."""

    def __init__(self, recorded: Mapping[str, Any]) -> None:
        self.chosen, self.rungs = fit_of(recorded["chosen"]), recorded["rungs"]

    def advance(self, until: int) -> None:
        """Go on to the end of a rung."""
        self.told = self.rungs[str(until)]
        self.trained, self.ended = self.told["trained"], self.told["ended"]

    def standing(self, until: int) -> dict[str, Any]:
        """As of the training."""
        return self.rungs[str(until)]["standing"]

    def result(self) -> Inpainted:
        """What is left behind, without its images."""
        return Inpainted(None, None, self.trained, {}, {}, self.told["metrics"])


def recorded(name: str, runs: Mapping[str, dict[str, Any]], cache: Path) -> dict[str, Any]:
    """The record of each run on a scan, trained where the cache has none."""
    scan, hidden = scan_of(name)
    records = {}
    for run, asked in runs.items():
        plan = halving.rungs(len(runs), asked["iterations"], asked["check_every"])
        settings = hashlib.sha256(json.dumps([asked, plan, FOLDS]).encode()).hexdigest()[:12]
        kept = cache / f"{name}_{run}_{settings}.json"
        if not kept.exists():
            start = time.process_time()
            told = record(scan, hidden, asked, choose_device("auto"), plan)
            storage.write_json(kept, told)
            end = told["rungs"][str(plan[-1].until)]
            seconds = (time.process_time() - start) / (FOLDS * end["trained"])
            print(f"{kept.stem}: score {end['metrics']['score']:.5f}, {seconds:.3f} s an iteration", file=sys.stderr)
        records[run] = storage.read_json(kept)
    return records


def excess(run: pd.Series) -> str:
    """How far the deviance of counts is above its floor, which is nearly all of it; nothing for other values."""
    return f"{100 * run.excess / (run.score - run.excess):+.2f}" if "excess" in run else ""


def row(name: str, records: Mapping[str, Any]) -> str:
    """The cells that compare both searches of a scan."""
    ends = {run: list(told["rungs"].values())[-1] for run, told in records.items()}
    chosen = {run: told["chosen"] for run, told in records.items()}
    exhaustive = rank(chosen, {run: end["metrics"] for run, end in ends.items()}).set_index("run")
    replays = {run: Replay(told) for run, told in records.items()}
    done = {run: left.metrics for run, left in halving.halving(replays, torch.device("cpu"))}
    halved = rank(chosen, done).iloc[0]
    iterations = [sum(told["trained"] for told in each.values()) for each in (ends, done)]
    best = exhaustive.index[0]
    return (
        f"| {name} | {len(records)} | {iterations[0]} | {iterations[1]} | {iterations[1] / iterations[0]:.3f} "
        f"| {best} | {exhaustive.score.iloc[0]:.5f} | {halved.run} | {halved.score:.5f} "
        f"| {100 * (halved.score / exhaustive.score.iloc[0] - 1):+.2f} "
        f"| {excess(exhaustive.iloc[0])} | {excess(halved)} | {exhaustive['rank'][halved.run]} "
        f"| {100 * (exhaustive.score.median() / exhaustive.score.iloc[0] - 1):+.2f} |"
    )


def main() -> None:
    """Train what is not in the cache yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--grid", choices=GRIDS, default="scattering")
    parser.add_argument("--scans", nargs="*", default=SCANS, choices=[*FILES, *simulate.SCENES], metavar="NAME")
    parser.add_argument("--fit", nargs="*", default=[], metavar="KEY=VALUE", help="of all networks, as in config.yaml")
    parser.add_argument("--runs", type=int, help="only the first so many of the grid")
    asked = parser.parse_args()
    asked.cache.mkdir(parents=True, exist_ok=True)
    use_threads(1)
    given = {key: yaml.safe_load(value) for key, _, value in (pair.partition("=") for pair in asked.fit)}
    iterations = read_config({"preset": asked.grid, "fit": given}).fit.iterations
    every = max(iterations // CHECKS, 1)
    grid = GRIDS[asked.grid] and {axis: values for axis, values in GRIDS[asked.grid].items() if axis not in given}
    fit = {**given, "check_every": every, "snapshot_every": CHECKS * every}
    runs = runs_of(read_config({"preset": asked.grid, "grid": grid, "fit": fit}))
    runs = dict(itertools.islice(runs.items(), asked.runs))
    plan = " -> ".join(f"{rung.runs} to {rung.until}" for rung in halving.rungs(len(runs), iterations, every))
    print(f"{asked.grid}: {plan} iterations; {describe_device(choose_device('auto'))}\n")
    print(
        "| scan | runs | iterations, grid | halving | share | winner of the grid | score | winner of halving | score ",
        end="",
    )
    print("| behind, % | excess over the floor, % of it: winner of the grid | of halving ", end="")
    print("| rank of that run in the grid, trained to its end | a run in the middle of the grid is behind, % |")
    print(f"|{'---|' * 14}", flush=True)
    for name in asked.scans:
        print(row(name, recorded(name, runs, asked.cache)), flush=True)


if __name__ == "__main__":
    main()
