"""Whether the held-out score agrees with people: our runs at the report's settings against its 160 grades.

python benchmarks/grades.py --cache FOLDER [--iterations N] [--channels N] [--precision bfloat16] [--folds N]
                            [--settings N] [--scans NAME ...]

The authors of the report sorted its runs by eye into good, mediocre and bad: 40 for each of four scans. In their code
param_noise did nothing and reg_noise_std 0 meant 0.03, so these are 15 settings, some of them repeated. Each is trained
here (preset: paper) on the report's own picture and mask, in its colours, without the hole-shaped regions that judge
it; every graded run gets what its setting got. FOLDER keeps each finished training (and shows what it painted), so that
an interrupted measurement goes on, and two commands may train different scans at a time; it knows settings alone, so
empty it when the training itself changes. Pictures, masks and grades lie beside the repository and are never committed.
"""

import argparse
import itertools
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage.measure import block_reduce

from scatterheal import storage
from scatterheal.compute.devices import choose_device, describe_device, use_threads
from scatterheal.dip.inpaint import inpaint
from scatterheal.dip.scene import settled
from scatterheal.pattern import units
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.pixels import USER, Bits
from scatterheal.pictures.look import Look, render
from scatterheal.settings.models import Fit
from scatterheal.settings.reading import read_config
from scatterheal.settings.reference import ROOT
from scatterheal.settings.runs import spelled
from scatterheal.validation import holdout
from scatterheal.validation.scores import BLOCK, FEWEST_IN_BLOCK

SCANS = ROOT.parent / "shared" / "scans"
NAMES = ("HDPE_85_low", "MD2_MV_bulk_3", "MD2_MV_edge_2", "MD2_MV_shear_2")
# reg_noise_std and lr, in this order: the first five of the 15 settings stand for half of the graded runs.
SETTINGS = [*itertools.product((0.03, 0.003, 0.3), (0.01, 0.05, 0.1, 0.001, 0.0001))]
# The report kept so many pictures of a run, at equal distances, and people looked at these.
FRAMES = 4
CHECKS = 10 * FRAMES
# Resamples of the settings, for the standard error.
RESAMPLES = 1000
SCORES = {
    "last": "held-out score, last picture",
    "ranked": "the same, collapsed runs last",
    "blocks": f"squared error of means over {BLOCK} x {BLOCK} hidden pixels, last picture",
    "lowest": "held-out score, lowest of four pictures",
    "loss": "training loss, last picture",
    "lowest_loss": "training loss, lowest of four pictures",
    "ceiling": "any score of settings, at most",
}


def picture(name: str, folds: int) -> tuple[Pattern, Bits]:
    """The report's picture of a scan with its own mask, and the pixels that each fold hides."""
    image, keep = (storage.read_png(SCANS / "paper_inputs" / f"{name}{kind}.png") for kind in ("", "_mask"))
    reasons = np.where(keep[..., 0] < 128, USER, 0)
    hidden = holdout.hide(reasons, units.grey_levels(units.luminance(image), "colours"), None, folds)
    return Pattern(image, 0 * reasons, reasons > 0, None, units.scale_of(image, "colours")), hidden


def train(scan: Pattern, hidden: Bits, fit: Fit, painted: Path) -> dict[str, Any]:
    """One setting on one scan: what its pictures cost and score, the means over the folds."""
    start = time.monotonic()
    device = choose_device("auto")
    done = inpaint(scan, hidden, settled(fit, scan, device), device)
    storage.write_png(painted, render(done.models[0], Look()))
    # Pictures at equal distances; before the first iteration there is none.
    checks = np.array(done.curve["iteration"])
    at = [np.abs(checks - fit.iterations * (k + 1) / FRAMES).argmin() for k in range(FRAMES)]
    score, loss = (
        np.mean([done.curve[f"{what}_{fold}"] for fold in range(len(hidden))], axis=0)[at].tolist()
        for what in ("score", "loss")
    )
    seconds = (time.monotonic() - start) / (fit.iterations * len(hidden))
    return {"score": score, "loss": loss, "collapsed": done.metrics["collapsed"], "seconds": seconds}


def of_blocks(painted: NDArray[np.uint8], scan: NDArray[np.uint8], hidden: NDArray[np.bool_]) -> float:
    """Mean squared error of the mean colour of the hidden pixels of a block: noise that is painted counts little."""
    away = np.where(hidden[..., None], painted / 255 - scan / 255, 0)
    sums, pixels = block_reduce(away, (BLOCK, BLOCK, 1), np.sum), block_reduce(hidden, (BLOCK, BLOCK), np.sum)
    enough = pixels > FEWEST_IN_BLOCK
    return float(((sums[enough] / pixels[enough, None]) ** 2).mean())


def by_setting(grades: pd.DataFrame) -> pd.DataFrame:
    """How many runs of each scan and setting were graded how."""
    # The report's code took 0 for nothing given, and its default was 0.03.
    noise = grades.reg_noise_std.replace(0, 0.03)
    return grades.groupby(["scan", grades.lr, noise]).grade.value_counts().unstack(fill_value=0)


def area(table: pd.DataFrame, score: str, against: list[str], weights: NDArray | None = None) -> NDArray[np.float64]:
    """Area under the ROC curve by which a low score tells good runs from others, of the same scan.

    It is the share of pairs of a good run and another that the score orders right, ties counting half; scores of
    different scans are not compared.

    Parameters
    ----------
    table : DataFrame
        One row a scan and setting: scan, good, mediocre, bad (runs), and the scores.
    score : str
        Its column.
    against : list of str
        The grades of the others.
    weights : int array (resamples, rows), optional
        How often each row is taken; once by default.

    Returns
    -------
    area : float64 array (resamples,)
        NaN where there is no such pair.
    """
    weights = np.ones((1, len(table)), int) if weights is None else weights
    values, scan = table[score].to_numpy(), table.scan.to_numpy()
    pairs = (scan[:, None] == scan).astype(float)
    right = pairs * ((values[:, None] < values) + 0.5 * (values[:, None] == values))
    good, other = weights * table.good.to_numpy(), weights * table[against].sum(axis=1).to_numpy()
    with np.errstate(invalid="ignore"):
        return ((good @ right) * other).sum(axis=1) / ((good @ pairs) * other).sum(axis=1)


def resampled(table: pd.DataFrame) -> NDArray[np.int64]:
    """Weights of the rows of a table whose settings were drawn again, with replacement, within each scan."""
    random = np.random.default_rng(0)
    weights = np.zeros((RESAMPLES, len(table)), int)
    for rows in table.reset_index(drop=True).groupby("scan").indices.values():
        weights[:, rows] = random.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), RESAMPLES)
    return weights


def areas_table(table: pd.DataFrame, against: list[str]) -> None:
    """Print how well each score tells good runs from the others, for all of them and for parts."""
    print(f"\nArea under the ROC curve, good against {' and '.join(against)} (in brackets its standard error)\n")
    print(f"| runs | good | {' and '.join(against)} | {' | '.join(SCORES.values())} |")
    print(f"|---|---|---|{'---|' * len(SCORES)}")
    for scan, lr in itertools.product(["all", *table.scan.unique()], [0, 0.01]):
        part = table[(table.lr >= lr) & ((table.scan == scan) | (scan == "all"))].copy()
        good, other = part.good, part[against].sum(axis=1)
        # The best order of the settings there is: by the share of their runs that is good.
        part["ceiling"] = -(good / (good + other)).fillna(0)
        drawn = resampled(part)
        cells = [
            f"{area(part, score, against)[0]:.2f} ({np.nanstd(area(part, score, against, drawn)):.2f})"
            if good.any() and other.any()
            else ""
            for score in SCORES
        ]
        print(f"| {scan}{', lr >= 0.01' if lr else ''} | {good.sum()} | {other.sum()} | {' | '.join(cells)} |")


def main() -> None:
    """Train what is not in the cache yet, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--iterations", type=int, default=6000)
    parser.add_argument("--channels", type=int, default=128)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--folds", type=int, default=1, help="sets of hidden pixels; each is another training")
    parser.add_argument(
        "--settings",
        type=int,
        choices=range(1, len(SETTINGS) + 1),
        metavar="N",
        default=len(SETTINGS),
        help="only the first so many of the 15",
    )
    parser.add_argument("--scans", nargs="*", default=NAMES, choices=NAMES, metavar="NAME")
    asked = parser.parse_args()
    asked.cache.mkdir(parents=True, exist_ok=True)
    use_threads(1)
    every = max(asked.iterations // CHECKS, 1)
    common = {key: getattr(asked, key) for key in ("iterations", "channels", "precision")}
    common |= {"check_every": every, "snapshot_every": CHECKS * every}
    graded = by_setting(pd.read_csv(SCANS / "paper_grades.csv"))
    pictures_of = {name: picture(name, asked.folds) for name in asked.scans}
    rows = []
    for (noise, lr), name in itertools.product(SETTINGS[: asked.settings], asked.scans):
        scan, hidden = pictures_of[name]
        given = {**common, "lr": lr, "reg_noise_std": noise}
        slug = "_".join([name, *(f"{key}-{spelled(value)}" for key, value in given.items()), f"folds-{asked.folds}"])
        kept = asked.cache / f"{slug}.json"
        if not kept.exists():
            fit = read_config({"preset": "paper", "grid": {}, "fit": given}).fit
            storage.write_json(kept, train(scan, hidden, fit, kept.with_suffix(".png")))
            print(f"{slug}: {storage.read_json(kept)}", file=sys.stderr, flush=True)
        found = storage.read_json(kept)
        rows.append(
            {
                **{"scan": name, "lr": lr, "reg_noise_std": noise, **graded.loc[name, lr, noise]},
                **{"last": found["score"][-1], "lowest": min(found["score"]), "seconds": found["seconds"]},
                "blocks": of_blocks(storage.read_png(kept.with_suffix(".png")), scan.image, hidden[0] > 0),
                "ranked": np.inf if found["collapsed"] else found["score"][-1],
                **{"loss": found["loss"][-1], "lowest_loss": min(found["loss"])},
            }
        )
    table = pd.DataFrame(rows)
    device = describe_device(choose_device("auto"))
    print(
        f"Trained: {len(table)} = {len(asked.scans)} scans x {asked.settings} settings of {len(SETTINGS)}, on "
        f"{asked.folds} fold(s) each; {asked.iterations} iterations, {asked.channels} channels, {asked.precision}, "
        f"{table.seconds.mean():.3f} s an iteration; {device}\n"
        f"Graded runs of these: {table[['good', 'mediocre', 'bad']].sum().sum()} of {graded.sum().sum()}; "
        f"collapsed as the pipeline sees it: {np.isinf(table.ranked).sum()} of {len(table)}\n"
        f"Every area compares runs of the same scan alone."
    )
    for against in (["bad"], ["mediocre", "bad"]):
        areas_table(table, against)


if __name__ == "__main__":
    main()
