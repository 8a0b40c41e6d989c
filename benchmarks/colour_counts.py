"""What colours alone are worth: a figure healed from its colours, beside the heal from the counts that it shows.

python benchmarks/colour_counts.py [--methods METHOD ...] [--config FILE]

HDPE_85_low.eps shows every second row and column of the frame HDPE_85_low.fig, at 582 x 662 of its 737 x 839 pixels; no
pixel of the frame comes twice, so that every hidden pixel is a count of its own. The same pixels are hidden from every
method: the module grid at the two other places of benchmarks/healing.py, as the figure shows it. The network chooses
its run and its iteration on folds of the remaining pixels, the same for all three kinds of data, and everything is
judged by the true counts of the hidden pixels. Both scans lie beside the repository and are never committed.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from colour_inversion import shown_in_figure
from healing import OFFSETS, Case, case, heal, moved, networks
from numpy.typing import NDArray
from pyFAI.detectors import detector_factory

from scatterheal.compute.devices import use_threads
from scatterheal.counts.deviance import Censoring, censoring
from scatterheal.pattern.pixels import CLIPPED_HIGH, CLIPPED_LOW, GAP
from scatterheal.pipeline.prepare import prepare
from scatterheal.settings.reading import read_scan
from scatterheal.settings.reference import ROOT
from scatterheal.validation.judge import judge

METHODS = ("dip", "polar_smooth", "pyfai", "biharmonic_smooth")


@dataclasses.dataclass
class Figure:
    """The hidden pixels, and what a method may be given of the others."""

    cases: dict[str, Case]
    """One a kind of data, in the figure's pixels."""
    truth: NDArray[np.float32]
    """(height, width): the counts that the figure shows."""
    judged: dict[str, NDArray[np.bool_]]
    """(height, width): the hidden pixels that judge, by where they lie."""


def censored(counts: NDArray[np.float32], limits: Censoring) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Counts as a colour bar would give them that ends at these limits, and their flags."""
    low, high = counts <= limits.low, counts >= limits.high
    values = np.select([low, high], [limits.low / 2, limits.high], counts).astype(np.float32)
    return values, (low * CLIPPED_LOW | high * CLIPPED_HIGH).astype(np.uint8)


def figure_and_frame() -> Figure:
    """Both scans with their careful masks, and how far the colours agree with the counts."""
    scans = ROOT / "tests" / "scans"
    figure, frame = (prepare(read_scan(scans / f"HDPE_85_low{kind}.yaml")) for kind in ("", "_frame"))
    values, flags = figure.intensity.values, figure.intensity.flags
    truth, of_frame = (shown_in_figure(a, values.shape) for a in (frame.intensity.values, frame.reasons.reasons))
    # Missing is what either mask takes away (the frame's knows the detector's hot pixels), the same for all.
    reasons = figure.reasons.reasons | of_frame
    valid = reasons == 0
    limits = censoring(values[valid], flags[valid])
    by_hand, flags_by_hand = censored(truth, limits)
    low, high = (flags[valid] & bit > 0 for bit in (CLIPPED_LOW, CLIPPED_HIGH))
    apart = (values != truth)[valid] & ~low & ~high
    print(
        f"{valid.sum()} valid pixels; from their colours {low.mean():.2%} are {limits.low:g} or less, {high.sum()} are "
        f"{limits.high:g} or more, {apart.sum()} of the others are not exactly the count, by at most "
        f"{np.abs(values - truth)[valid][apart].max(initial=0):g}; "
        f"{(flags != flags_by_hand)[valid].sum()} are clipped where the count is not, or the other way round"
    )
    centre, (x, y) = figure.reasons.found.beam_centre, frame.reasons.found.beam_centre
    gaps = detector_factory("Pilatus2M").mask > 0
    moved_gaps = moved(gaps, *OFFSETS[0]) | moved(gaps, *OFFSETS[1])
    # As benchmarks/healing.py has it: in the frame's pixels, away from beamstop and holder.
    rows, columns = np.indices(gaps.shape)
    radius, holder = np.hypot(columns - x, rows - y), (rows >= 650) & (rows < 712) & (columns < 725)
    hidden, whole, inner = (
        shown_in_figure(region, values.shape) & valid
        for region in (moved_gaps, moved_gaps & (radius > 34) & ~holder, moved_gaps & (radius < 425))
    )
    kinds = {
        "the colours": (values, flags),
        "the counts": (truth, np.zeros_like(flags)),
        "the counts, censored by hand": (by_hand, flags_by_hand),
    }
    cases = {kind: case(*data, reasons, hidden, whole, centre, None) for kind, data in kinds.items()}
    # What chooses is the same for all, so that they differ by their data alone.
    folds = cases["the colours"].folds
    cases = {kind: dataclasses.replace(found, folds=folds) for kind, found in cases.items()}
    return Figure(cases, truth, {"all": whole, "as in benchmarks/healing.py (r < 425 frame pixels)": whole & inner})


def row(found: Case, truth: NDArray[np.float32], model: NDArray, judged: NDArray[np.bool_]) -> str:
    """The cells that say how far a model is from the true counts of the hidden pixels."""
    missing = found.pattern.missing & ~judged
    seen = found.pattern._replace(image=truth, flags=np.zeros_like(found.pattern.flags), missing=missing)
    scores = judge(seen, model[None], np.where(judged, GAP, 0)[None])
    hidden, known = scores["hidden"], scores["known"]
    relative = "" if scores["relative"] is None else f"{scores['relative']:.4f}"
    return (
        f"{hidden['deviance']:.4f} | {hidden['floor']:.4f} | {hidden['ratio']:.4f} | {known['ratio']:.4f} | {relative} "
        f"| {hidden['block_z']:.3f} | {hidden['block_z_robust']:.3f} | {hidden['blocks']}"
    )


def main() -> None:
    """Heal by every method from every kind of data, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="*", default=METHODS, metavar="METHOD")
    parser.add_argument("--config", type=Path, help="a config file whose grid and fit are used instead of the preset's")
    asked = parser.parse_args()
    use_threads(1)
    runs = networks(asked.config)
    figure = figure_and_frame()
    models = {}
    for method in asked.methods:
        # The counts censored by hand check the network's censoring, of which the others know nothing.
        for kind, found in list(figure.cases.items())[: None if method == "dip" else 2]:
            models[method, kind] = heal(found, method, runs)
    for where, judged in figure.judged.items():
        print(f"\nHidden pixels, {where}: {judged.sum()}\n")
        print(
            "| method | healed from | deviance | floor | hidden ratio | known ratio | hidden over known ratio ", end=""
        )
        print("| block z | robust | blocks | |\n|---|---|---|---|---|---|---|---|---|---|---|")
        for (method, kind), (model, _, how) in models.items():
            print(f"| {method} | {kind} | {row(figure.cases[kind], figure.truth, model, judged)} | {how} |", flush=True)


if __name__ == "__main__":
    main()
