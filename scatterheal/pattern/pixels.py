"""The bits of reasons.tif and flags.tif: a file format, so that none of them ever changes its number."""

from __future__ import annotations

import numpy as np

# Why a pixel is missing: reasons.tif, and of what its hidden pixels are copies: hidden.tif.
REASONS = {
    name: np.uint8(2**bit)
    for bit, name in enumerate(("gap", "beamstop", "holder", "hot_or_dead", "stripe", "user", "outside", "unreadable"))
}
GAP, BEAMSTOP, HOLDER, HOT_OR_DEAD, STRIPE, USER, OUTSIDE, UNREADABLE = REASONS.values()
# A figure's colour is that of its bar's low or high end, so that the value may lie beyond it: flags.tif.
CLIPPED_LOW, CLIPPED_HIGH = np.uint8(1), np.uint8(2)
