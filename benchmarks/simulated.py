"""Six simulated frames with known truth: what they are, and how well the automatic mask finds what was put into them.

python benchmarks/simulated.py FOLDER

Writes the frames, their truths and YAML files with careful masks into FOLDER, ready for
snakemake --config scans=FOLDER, and prints two Markdown tables. In the second the automatic mask is told nothing but
the file: gaps, hot and dead pixels, beam centre, beamstop and holder are found.
"""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scatterheal.app.simulate import SCENES, Simulated, simulated, write_scans
from scatterheal.pattern import pixels
from scatterheal.pipeline.prepare import prepare
from scatterheal.settings.models import Mask
from scatterheal.settings.reading import read_scans, scan_files


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union; 1 where both are empty."""
    return (a & b).sum() / (a | b).sum() if (a | b).any() else 1.0


def scenes_table(scans: dict[str, Simulated]) -> None:
    """Print size, counts and holes of each frame."""
    print("| scan | what it shows | pixels | mean counts | median rate | largest rate | missing | gaps ", end="")
    print("| beamstop | holder (lets through) | hot and dead pixels |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name, scan in scans.items():
        valid = scan.reasons == 0
        shares = [(scan.reasons & part > 0).mean() for part in (pixels.GAP, pixels.BEAMSTOP, pixels.HOLDER)]
        height, width = scan.counts.shape
        rate = scan.rate[valid]
        print(
            f"| {name} | {SCENES[name].title} | {width} x {height} | {scan.counts[valid].mean():.3g} "
            f"| {np.median(rate):.3g} | {rate.max():.4g} | {(~valid).mean():.1%} | {shares[0]:.1%} | {shares[1]:.2%} "
            f"| {shares[2]:.2%} ({SCENES[name].transmission:.0%}) | {(scan.reasons & pixels.HOT_OR_DEAD > 0).sum()} |"
        )


def masks_table(scans: dict[str, Simulated], folder: Path) -> None:
    """Print what the automatic mask finds of it."""
    described, _ = read_scans(scan_files(str(folder)))
    print(
        "| scan | IoU of all | beamstop | holder | hot and dead pixels: found, false | gap pixels that differ ", end=""
    )
    print("| valid pixels masked | hidden pixels kept | beam centre: off by (sd), pixels | detector |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, scan in scans.items():
        found = prepare(described[name].model_copy(update={"centre": "auto", "mask": Mask()})).reasons
        ours, truth = found.reasons, scan.reasons
        gap = truth & pixels.GAP > 0
        # What is missing as part of a gap belongs to no other part.
        parts = [overlap((ours & bit > 0) & ~gap, (truth & bit > 0) & ~gap) for bit in (pixels.BEAMSTOP, pixels.HOLDER)]
        wrong, ours_wrong = truth & pixels.HOT_OR_DEAD > 0, ours & pixels.HOT_OR_DEAD > 0
        centre, detector = found.found.centre, found.found.detector
        off = np.hypot(centre.x - scan.centre[0], centre.y - scan.centre[1]) if centre else np.nan
        sd = np.nan if centre is None or centre.sd is None else centre.sd
        print(
            f"| {name} | **{overlap(ours > 0, truth > 0):.3f}** | {parts[0]:.2f} | {parts[1]:.2f} "
            f"| {(wrong & ours_wrong).sum()} of {wrong.sum()}, {(ours_wrong & ~wrong).sum()} "
            f"| {((ours & pixels.GAP > 0) != gap).sum()} | {((ours > 0) & (truth == 0)).mean():.2%} "
            f"| {((ours == 0) & (truth > 0)).mean():.2%} | {off:.2f} ({sd:.2f}) "
            f"| {detector.name if detector else 'unknown'} |"
        )


def main() -> None:
    """Write the frames and print both tables."""
    if len(sys.argv) != 2:
        sys.exit("python benchmarks/simulated.py FOLDER: name the folder to write the frames into")
    folder = Path(sys.argv[1])
    write_scans(folder)
    scans = {name: simulated(name) for name in SCENES}
    scenes_table(scans)
    print()
    masks_table(scans, folder)


if __name__ == "__main__":
    main()
