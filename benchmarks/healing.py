"""What heals best: every method on the same hidden pixels of real and simulated scans.

python benchmarks/healing.py [SCAN ...] [--methods METHOD ...] [--config FILE] [--write FOLDER] [--drawn FOLDER]

SCAN is HDPE_85_low, buf1_00000 (beside the repository; the real scans are never committed), or one of the six simulated
scans of scatterheal/app/simulate.py; without one all of them are healed. What a method is judged by is hidden from
all of it: the network chooses its run and its iteration on folds of the remaining pixels, as the pipeline does, and is
then fitted again to all of these. --drawn takes a rate that an earlier --write left for the truth, and counts that are
drawn from it for the scan: what is left then is the shot noise of the pixels that a hole is healed from.
"""

import argparse
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from pyFAI.detectors import detector_factory

from scatterheal import storage
from scatterheal.app import simulate
from scatterheal.compute.devices import choose_device, use_threads
from scatterheal.dip.inpaint import inpaint
from scatterheal.dip.scene import settled
from scatterheal.methods import baselines
from scatterheal.pattern import units
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.pixels import GAP, USER, Bits
from scatterheal.pipeline.healing import refit_seeds, with_all_pixels
from scatterheal.pipeline.prepare import prepare
from scatterheal.settings.methods import BASELINES
from scatterheal.settings.reading import read_config, read_scan
from scatterheal.settings.reference import ROOT
from scatterheal.settings.runs import fit_of, runs_of
from scatterheal.validation import holdout
from scatterheal.validation.certainty import certainty
from scatterheal.validation.judge import judge
from scatterheal.validation.rank import chosen, rank

REAL = ("HDPE_85_low", "buf1_00000")
# The two offsets (rows, columns) of the module grid that hides pixels of the real frames.
OFFSETS = ((-90, -150), (60, 110))
FOLDS, REFITS = 2, 3


@dataclasses.dataclass
class Case:
    """A scan, what judges a method on it, and what it may use to judge itself."""

    pattern: Pattern
    """With the judging pixels missing."""
    reasons: NDArray[np.integer]
    """(height, width): why its pixels are missing; the judging ones as if somebody had drawn them."""
    valid: NDArray[np.bool_]
    """(height, width): those too are."""
    truth: NDArray | None
    """True rate, of simulated scans."""
    hidden: Bits
    """(1, height, width): the pixels that judge."""
    folds: Bits
    """(folds, height, width): those by which a network may choose."""


def moved(gaps: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.bool_]:
    """The module grid at another place; what leaves the detector is gone."""
    out = np.zeros_like(gaps)
    height, width = gaps.shape
    to, origin = (
        (slice(max(r, 0), height + min(r, 0)), slice(max(c, 0), width + min(c, 0)))
        for r, c in ((rows, columns), (-rows, -columns))
    )
    out[to] = gaps[origin]
    return out


class Frame(NamedTuple):
    """A real frame, with pixels to hide."""

    counts: NDArray[np.float32]
    flags: NDArray[np.uint8]
    reasons: Bits
    centre: tuple[float, float]
    hidden: NDArray[np.bool_]
    """(sets, height, width): valid pixels."""


def frame(name: str, offsets: Sequence[Sequence[tuple[int, int]]]) -> Frame:
    """A real frame with the careful mask of tests/scans; of HDPE_85_low the 860 x 860 pixels round the beam.

    Each set of offsets (rows, columns) hides what the module grid covers when it is moved by them.
    """
    file = ROOT / "tests" / "scans" / {"HDPE_85_low": "HDPE_85_low_frame.yaml", "buf1_00000": "buf1_00000.yaml"}[name]
    prepared = prepare(read_scan(file))
    reasons, centre = prepared.reasons.reasons, prepared.reasons.found.beam_centre
    gaps = detector_factory("Pilatus2M" if name == "HDPE_85_low" else "Pilatus1M").mask > 0
    hidden = [np.any([moved(gaps, *offset) for offset in together], axis=0) & (reasons == 0) for together in offsets]
    whole = Frame(prepared.intensity.values, prepared.intensity.flags, reasons, centre, np.stack(hidden))
    if name != "HDPE_85_low":
        return whole
    part = np.s_[..., 262:1122, 286:1146]
    images = {field: getattr(whole, field)[part] for field in ("counts", "flags", "reasons", "hidden")}
    return whole._replace(**images, centre=(centre[0] - 286, centre[1] - 262))


def real(name: str, offsets: Sequence[tuple[int, int]] = OFFSETS, truth: NDArray[np.float32] | None = None) -> Case:
    """A real frame, judged on the module grid at other places; with a truth its counts are drawn from that."""
    found = frame(name, [offsets])
    if truth is not None:
        found = found._replace(counts=np.random.default_rng(0).poisson(truth).astype(np.float32))
    hidden = judged = found.hidden[0]
    if name == "HDPE_85_low":
        rows, columns = np.indices(hidden.shape)
        radius = np.hypot(columns - found.centre[0], rows - found.centre[1])
        box = (rows >= 388) & (rows < 450) & (columns < 439)
        # Hidden from the fit, and judged where no holder is near and the whole circle is in the crop.
        judged = hidden & (radius > 34) & (radius < 425) & ~box
    return case(found.counts, found.flags, found.reasons, hidden, judged, found.centre, truth)


def simulated(name: str, number: int = FOLDS) -> Case:
    """A simulated frame; what judges is one of the sets that the pipeline would hide."""
    scan = simulate.simulated(name)
    counts = scan.counts.astype(np.float32)
    grey = units.grey_levels(np.where(scan.reasons == 0, counts, np.nan), "counts")
    hidden = holdout.hide(scan.reasons, grey, scan.centre, number + 1)[-1] > 0
    return case(counts, np.zeros(counts.shape, np.uint8), scan.reasons, hidden, hidden, scan.centre, scan.rate)


def case(
    counts: NDArray[np.float32],
    flags: NDArray[np.uint8],
    reasons: Bits,
    hidden: NDArray[np.bool_],
    judged: NDArray[np.bool_],
    centre: tuple[float, float],
    truth: NDArray[np.float32] | None,
) -> Case:
    """Take the hidden pixels away, and hide others for the choice."""
    without = reasons | np.where(hidden, USER, 0)
    grey = units.grey_levels(np.where(without == 0, counts, np.nan), "counts")
    folds = holdout.hide(without, grey, centre, FOLDS)
    missing = without > 0
    known = units.scale_of(counts, "counts", valid=~missing)
    scan = Pattern(counts, flags, missing, centre, known)
    return Case(scan, without, reasons == 0, truth, np.where(judged, GAP, 0)[None], folds)


def networks(config: Path | None) -> dict[str, dict[str, Any]]:
    """The network's runs of a config file; without one those of the preset."""
    raw = yaml.safe_load(config.read_text()) if config else {}
    return {run: asked for run, asked in runs_of(read_config(raw)).items() if asked["method"] == "dip"}


class Healed(NamedTuple):
    """What a method says of a scan."""

    model: NDArray[np.float32]
    sd: NDArray[np.float32]
    """Its standard deviation, calibrated on the folds; NaN where that is not known."""
    how: str


def network(found: Case, runs: dict, device: torch.device) -> Healed:
    """The pipeline's network: the best run of the grid, fitted again to all that is known."""
    scan = found.pattern
    done = {run: inpaint(scan, found.folds, settled(fit_of(h), scan, device), device) for run, h in runs.items()}
    best = chosen(rank(runs, {run: fitted.metrics for run, fitted in done.items()}), "dip")
    folds, iterations = done[best], done[best].iterations
    again = with_all_pixels(scan, runs[best], iterations, refit_seeds(runs[best], FOLDS, REFITS), device)
    sure = certainty(scan, found.reasons, found.folds, folds.models, folds.spreads, *again)
    return Healed(again.model, sure.sd, f"{best}, {iterations} iterations")


def heal(found: Case, method: str, runs: dict) -> Healed:
    """A network, or what is none and knows no standard deviation."""
    if method == "dip":
        return network(found, runs, choose_device("auto"))
    scan = found.pattern
    model = baselines.heal(method, scan.image, ~scan.missing, scan.centre)
    return Healed(model, np.full(model.shape, np.nan, np.float32), "")


COLUMNS = (
    "deviance | floor | hidden over known ratio | block z (standard error) | robust "
    "| median relative error, % | 90th percentile, % | truth within sd, % | within 1.96 sd, %"
)


def row(found: Case, healed: Healed) -> str:
    """The cells that say how far a model is from the hidden counts, and from their true rate where that is known."""
    scan, judged = found.pattern, found.hidden[0] > 0
    # What judges is valid, and not among the pixels that any method went by.
    scores = judge(scan._replace(missing=scan.missing & ~judged), healed.model[None], found.hidden)
    hidden, cells = scores["hidden"], [""] * 4
    if found.truth is not None:
        error, sd = (healed.model - found.truth)[judged], healed.sd[judged]
        relative = 100 * np.abs(error / found.truth[judged])
        cells[:2] = f"{np.median(relative):.3f}", f"{np.percentile(relative, 90):.3f}"
        if (told := np.isfinite(sd)).any():
            cells[2:] = (f"{100 * np.mean(np.abs(error / sd)[told] < sds):.1f}" for sds in (1, 1.96))
    relative = "" if scores["relative"] is None else f"{scores['relative']:.4f}"
    block_z = f"{hidden['block_z']:.3f} ({hidden['block_z_error']:.3f}) | {hidden['block_z_robust']:.3f}"
    return f"{hidden['deviance']:.4f} | {hidden['floor']:.4f} | {relative} | {block_z} | {' | '.join(cells)}"


def main() -> None:
    """Heal each scan by each method, and print a row for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="*", default=[*REAL, *simulate.SCENES], metavar="SCAN")
    parser.add_argument("--methods", nargs="*", default=["dip", *BASELINES], metavar="METHOD")
    parser.add_argument("--config", type=Path, help="a config file whose grid and fit are used instead of the preset's")
    parser.add_argument(
        "--drawn", type=Path, metavar="FOLDER", help="of --write, whose network's rates are the truth of real scans"
    )
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="what each method says, as TIFF")
    asked = parser.parse_args()
    use_threads(1)
    runs = networks(asked.config)
    for name in asked.scans:
        if name in REAL:
            truth = storage.read_tiff(asked.drawn / f"{name}_dip.tif") if asked.drawn else None
            found = real(name, truth=truth)
        else:
            found = simulated(name)
        print(f"\n{name}: {(found.hidden > 0).sum()} hidden pixels judge\n", flush=True)
        print(f"| method | {COLUMNS} | s | |\n|{'---|' * 12}", flush=True)
        for method in asked.methods:
            start = time.monotonic()
            healed = heal(found, method, runs)
            seconds = time.monotonic() - start
            print(f"| {method} | {row(found, healed)} | {seconds:.0f} | {healed.how} |", flush=True)
            if asked.write:
                asked.write.mkdir(parents=True, exist_ok=True)
                storage.write_tiff(asked.write / f"{name}_{method}.tif", healed.model.astype(np.float32))


if __name__ == "__main__":
    main()
