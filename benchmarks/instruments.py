"""Masks and centres that nobody told, on frames of other instruments, against outlines that careful eyes drew.

python benchmarks/instruments.py [NAME ...]

Prints a Markdown table, a row for each of tests/references/*.yaml (or those that are named) whose image is on this
machine (../shared/scans/real; never committed). The pipeline is told what the file cannot tell (which dataset, which
frame, which part of a picture, what its colours mean) and nothing else. The outlines were drawn from the pictures
alone, before any detector of ours had seen them.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy import ndimage

from scatterheal.errors import ScanError
from scatterheal.pattern.pixels import BEAMSTOP, HOLDER, OUTSIDE, UNMEASURED, USER, Bits
from scatterheal.pipeline.prepare import prepare
from scatterheal.settings.models import Scan

REFERENCES = Path(__file__).parents[1] / "tests" / "references"
OBSTACLE = BEAMSTOP | HOLDER | OUTSIDE | USER
# What a file cannot tell.
TOLD = ("image", "kind", "data", "frame", "crop", "colour")
# The core of a beamstop is what lies deeper inside of its outline than half of the deepest point.
CORE = 0.5


def scan_of(keys: dict[str, Any]) -> Scan:
    """The scan of a reference, its image's path counted from the reference's folder."""
    return Scan.model_validate({**keys, "image": (REFERENCES / keys["image"]).resolve()})


def obstacles(reasons: Bits) -> NDArray[np.bool_]:
    """Pixels behind something, which somebody measured."""
    return (reasons & OBSTACLE > 0) & (reasons & UNMEASURED == 0)


def row(name: str) -> str:
    """The table's row of a reference."""
    drawn = yaml.safe_load((REFERENCES / f"{name}.yaml").read_text())
    told = {key: drawn[key] for key in TOLD if key in drawn}
    known = {key: drawn[key] for key in ("centre", "mask") if key in drawn and drawn[key] != "unknown"}
    try:
        found, right = (prepare(scan_of(keys)).reasons for keys in (told, {**told, **known}))
    except ScanError as error:
        return f"| {name} | refused: {str(error).rpartition('/')[2]} | | | | | |"
    beam, centre = found.found.centre, known.get("centre")
    if beam is None:
        where = "none"
    else:
        off = "" if centre is None else f", off {np.hypot(beam.x - centre[0], beam.y - centre[1]):.1f}"
        sd = "" if beam.sd is None else f" (sd {beam.sd:.1f})"
        where = f"{beam.x:.1f}, {beam.y:.1f}{sd}{off}, by {beam.how.partition(',')[0]}"
    ours, theirs = obstacles(found.reasons), obstacles(right.reasons)
    stop = right.reasons & BEAMSTOP > 0
    depth = ndimage.distance_transform_edt(stop)
    core = depth > CORE * depth.max() if stop.any() else stop
    behind = f"{(found.reasons > 0)[core].mean():.0%}" if core.any() else ""
    both = (ours | theirs).sum()
    overlap = f"{(ours & theirs).sum() / both:.2f}" if both else "nothing, rightly"
    wrong = (ours & (right.reasons == 0)).mean()
    unmeasured = [reasons & UNMEASURED > 0 for reasons in (found.reasons, right.reasons)]
    differ = f"{unmeasured[1].mean():.1%}, {(unmeasured[0] != unmeasured[1]).sum()} pixels differ"
    return f"| {name} | {where} | {behind} | {overlap} | {theirs.mean():.2%} | {wrong:.2%} | {differ} |"


def main() -> None:
    """Print the table."""
    print("| frame | centre found | core covered | IoU of obstacles | drawn | wrong | unmeasured |")
    print("|---|---|---|---|---|---|---|")
    for name in sys.argv[1:] or sorted(path.stem for path in REFERENCES.glob("*.yaml")):
        print(row(name), flush=True)


if __name__ == "__main__":
    main()
