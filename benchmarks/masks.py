"""Overlap of automatic masks with masks drawn by hand, on the real scans: careful ones, and the report's.

python benchmarks/masks.py [FOLDER]

Needs the real scans beside the repository (tests/scans names them, and holds the careful masks). The automatic masks
are told nothing but image, kind, plot area and colour range: detector, beam centre, gaps, stripes, beamstop, holder and
shadows are found. With FOLDER the overlay pictures are written there.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from scatterheal.pattern import pixels
from scatterheal.pictures.look import look_of, render
from scatterheal.pictures.mask_overlay import mask_overlay
from scatterheal.pipeline.prepare import Prepared, prepare
from scatterheal.reading import frames
from scatterheal.settings.models import Mask, Scan
from scatterheal.settings.reading import read_scans, scan_files

Missing = NDArray[np.bool_]


def without_a_person(scan: Scan) -> Prepared:
    """The scan as if its YAML said nothing of detector, beam centre and mask."""
    return prepare(scan.model_copy(update={"detector": "auto", "centre": "auto", "mask": Mask()}))


def overlap(a: Missing, b: Missing) -> float:
    """Intersection over union; 1 where both are empty."""
    return (a & b).sum() / (a | b).sum() if (a | b).any() else 1.0


def shrink_missing(missing: Missing, shape: tuple[int, int]) -> Missing:
    """A smaller mask; a pixel is missing where any that falls into it was."""
    grey = Image.fromarray(missing.astype(np.float32)).resize(shape[::-1], Image.Resampling.BOX)
    return np.asarray(grey) > 0


def largest_region(wrong: Missing) -> float:
    """Share of the image that the largest connected region takes."""
    _, count = ndimage.label(wrong)
    return np.bincount(ndimage.label(wrong)[0].ravel())[1:].max() / wrong.size if count else 0.0


def careful_table(prepared: dict[str, tuple[Prepared, Prepared]]) -> None:
    """Print the overlap with the careful masks.

    A person draws shapes, and does not judge single colours: where only an unreadable colour hides a
    pixel that the careful mask keeps (grid lines, JPEG noise), that pixel is left out, and its share told.
    """
    print(
        "| scan | IoU of all | missing, by hand | IoU of beamstop, holder and shadows alone | missing, by hand ", end=""
    )
    print("| pixels of gaps and stripes that differ | largest wrong region | unreadable colours besides ", end="")
    print("| centre: found, by hand (sd), pixels |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, (automatic, careful) in prepared.items():
        ours, theirs = automatic.reasons.reasons, careful.reasons.reasons & ~pixels.UNREADABLE
        aside = (ours == pixels.UNREADABLE) & (theirs == 0)
        missing, drawn = (ours > 0) & ~aside, theirs > 0
        parts = pixels.BEAMSTOP | pixels.HOLDER | pixels.OUTSIDE | pixels.USER
        lines = [reasons & (pixels.GAP | pixels.STRIPE) > 0 for reasons in (ours, theirs)]
        # What is missing as part of a gap belongs to no other part.
        shadows = [(reasons & parts > 0) & ~lines[0] & ~lines[1] & ~aside for reasons in (ours, theirs)]
        centre, by_hand = automatic.reasons.found.centre, careful.reasons.found.beam_centre
        where = f"{centre.x:.1f}, {centre.y:.1f}" if centre else "not found"
        sd = float("nan") if centre is None or centre.sd is None else centre.sd
        print(
            f"| {name} | **{overlap(missing, drawn):.3f}** | {drawn.mean():.2%} "
            f"| {overlap(*shadows):.3f} | {shadows[1].mean():.2%} | {(lines[0] != lines[1]).sum()} "
            f"| {largest_region(missing != drawn):.2%} | {aside.mean():.2%} "
            f"| {where}; {by_hand[0]:.1f}, {by_hand[1]:.1f} ({sd:.1f}) |"
        )


def report_table(prepared: dict[str, tuple[Prepared, Prepared]], scans: dict[str, Scan]) -> None:
    """Print the overlap with the report's masks, drawn at 226 x 282 pixels or less."""
    print("| scan | missing: automatic, careful, report's | IoU with the report's: automatic, careful ", end="")
    print("| report's pixels that the automatic mask covers, within 1 px |")
    print("|---|---|---|---|")
    for name, (automatic, careful) in prepared.items():
        paper = scans[name].image.parents[1] / "paper_inputs" / f"{name}_mask.png"
        if scans[name].kind == "frame" or not paper.is_file():
            continue
        theirs = frames.read_mask(paper, "zero_is_missing")
        ours, drawn = (shrink_missing(each.reasons.reasons > 0, theirs.shape) for each in (automatic, careful))
        near = ndimage.binary_dilation(ours, np.ones((3, 3)))
        print(
            f"| {name} | {ours.mean():.1%}, {drawn.mean():.1%}, {theirs.mean():.1%} "
            f"| {overlap(ours, theirs):.3f}, {overlap(drawn, theirs):.3f} "
            f"| {(near & theirs).sum() / theirs.sum():.1%} |"
        )


def main() -> None:
    """Print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    asked = parser.parse_args()
    scans, _ = read_scans(scan_files(str(Path(__file__).parents[1] / "tests" / "scans")))
    if not scans:
        sys.exit("the real scans that tests/scans describes are not beside the repository; nothing to compare")
    prepared = {name: (without_a_person(scan), prepare(scan)) for name, scan in scans.items()}
    careful_table(prepared)
    print()
    report_table(prepared, scans)
    for name, (automatic, _) in prepared.items() if asked.folder else ():
        look = look_of(automatic.intensity.values, automatic.intensity.meaning)
        picture = render(automatic.cropped.image, look)
        reasons = automatic.reasons.reasons
        mask_overlay(asked.folder / f"{name}.png", picture, reasons, None, automatic.reasons.found.beam_centre, name)


if __name__ == "__main__":
    main()
