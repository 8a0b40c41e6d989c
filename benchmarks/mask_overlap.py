"""Overlap of our masks with the report's hand-made ones, on its own scans.

python benchmarks/mask_overlap.py

Needs the real scans beside the repository (tests/scans names them). The report's masks were drawn at
226 x 282 pixels or less; ours are shrunk to that size (a pixel is missing when any part of it is), and
compared as they are and with one pixel of tolerance.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scatterheal import figures, frames, grayscale, masks
from scatterheal.config import Scan, read_scans, scan_files
from scatterheal.working import shrink_missing


def reasons_of(scan: Scan) -> NDArray[np.uint8]:
    """The reason-coded mask of a scan."""
    image = figures.crop_scan(scan.image, scan.kind, None if scan.crop == "auto" else scan.crop).image
    return masks.find_reasons(image, grayscale.grey_levels(image), scan.mask.model_dump(mode="json"))


def union(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return (a & b).sum() / (a | b).sum()


def main() -> None:
    """Print one Markdown table."""
    folder = Path(__file__).parents[1] / "tests" / "scans"
    print("| scan | ours missing | report's missing | IoU | report's pixels that ours covers, within 1 px |")
    print("|---|---|---|---|---|")
    for name, scan in read_scans(scan_files(str(folder))).items():
        paper = scan.image.parents[1] / "paper_inputs" / f"{name}_mask.png"
        if not paper.is_file() or scan.kind == "frame":
            continue
        theirs = frames.read_mask(paper, "zero_is_missing")
        ours = shrink_missing(reasons_of(scan) > 0, theirs.shape)
        near = ndimage.binary_dilation(ours, np.ones((3, 3)))
        print(
            f"| {name} | {ours.mean():.1%} | {theirs.mean():.1%} | {union(ours, theirs):.3f} "
            f"| {(near & theirs).sum() / theirs.sum():.1%} |"
        )


if __name__ == "__main__":
    main()
