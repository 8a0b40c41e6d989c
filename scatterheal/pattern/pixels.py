"""Why a pixel is missing, in one table, and which values are censored: the bits of reasons.tif and of flags.tif.

They are a file format: none of them ever changes its number.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint16]
"""For each pixel a sum of the bits of `REASONS`, 0 where it is valid."""


class Reason(NamedTuple):
    """One way in which a pixel comes to be missing."""

    name: str
    """In files, and of the part that draws it in a scan's YAML."""
    words: str
    """For people."""
    bit: np.uint16
    """In reasons.tif; in hidden.tif that of the holes of which a hidden pixel is a copy."""
    colour: str
    """In pictures of the mask."""
    nexus_bit: int
    """In NXdetector's pixel_mask: 0 gap, 1 dead, 8 "user defined", which is all that is wrong with one exposure and not
    with the sensor. Its bits for bad sensor pixels (under, over responding, noisy) are not ours to claim."""
    drawn: bool = False
    """Whether a scan's YAML may draw it, as a part of `mask`."""
    found: bool = False
    """Whether that part is also found by itself (auto)."""
    copied: Literal["moved", "instead", "turned", "scattered"] | None = None
    """How its holes are copied to hide valid pixels: moved, as the module grid, or instead of it where there is none;
    turned round the beam; scattered over the image. None: not at all."""


REASONS = (
    Reason("gap", "gap", np.uint16(1), "#4c9be8", nexus_bit=0, copied="moved"),
    Reason("beamstop", "beamstop", np.uint16(2), "#e8584c", nexus_bit=8, drawn=True, found=True, copied="scattered"),
    Reason("holder", "holder", np.uint16(4), "#f2a93b", nexus_bit=8, drawn=True, found=True, copied="turned"),
    Reason("hot_or_dead", "hot or dead", np.uint16(8), "#e03fd8", nexus_bit=1),
    Reason("stripe", "stripe", np.uint16(16), "#57c785", nexus_bit=0, copied="moved"),
    Reason("user", "user", np.uint16(32), "#b58df1", nexus_bit=8, drawn=True, copied="instead"),
    Reason("outside", "outside", np.uint16(64), "#9a9a9a", nexus_bit=8, drawn=True, found=True),
    Reason("unreadable", "unreadable", np.uint16(128), "#d8d840", nexus_bit=8),
    Reason("unmeasured", "unmeasured", np.uint16(256), "#c9a37a", nexus_bit=0, drawn=True, found=True),
)
GAP, BEAMSTOP, HOLDER, HOT_OR_DEAD, STRIPE, USER, OUTSIDE, UNREADABLE, UNMEASURED = (reason.bit for reason in REASONS)
# A figure's colour is that of its bar's low or high end, so that the value may lie beyond it: flags.tif.
CLIPPED_LOW, CLIPPED_HIGH = np.uint8(1), np.uint8(2)
