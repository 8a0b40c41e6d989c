"""Find what no pixel measured: corners outside a plate, dead modules and chips, borders, what a map leaves empty."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Missing = NDArray[np.bool_]

# Sides of the windows (pixels) without a single count that a region is made of, the smallest first: the brighter it is
# round a region, the smaller a window is needed.
SIDES = (1, 3, 5, 9, 17, 33)
# So many counts are expected in such a window, or it may be empty by chance.
EXPECTED = 20.0
# No region is smaller than this, pixels, nor than so many of its windows.
SMALLEST, WINDOWS = 64, 4
# Nothing measured lies beyond a region that meets the border, or gaps, along so much of its outline.
ENCLOSED = 0.6
# In a corner, along a side or round the whole frame it is half of it (counted along rows and columns). A quarter of a
# disc meets the border as far, and is a beamstop: it fills its bounding box neither like a rectangle nor as little as
# what lies outside of a circle. What lies along one side meets it there, by this share.
AT_BORDER, RECTANGLE, LITTLE, ONE_SIDE = 0.45, 0.95, 0.6, 0.8
# Nearer to a region the level is this share of that farther out, or a pattern fades to nothing there.
EVEN = 0.5
# A shadow's rim is partly lit; the first measured pixel beside a chip that is dead, or beside what a map leaves empty,
# has this share of the level farther out.
CRISP = 0.8
# Such a chip has no shorter side than this, pixels; such a map leaves this share of an image empty.
CHIP, OF_A_MAP = 48, 0.15
# The level beside a region is looked for so far (pixels) where gaps surround it: none between modules is wider.
BEHIND_GAPS = 48
# Holes of so many pixels are hot pixels in a dead module.
HOT = 9


class _Outline(NamedTuple):
    """Where the sides of a region's pixels face, counted."""

    border: tuple[int, int, int, int]
    """At each side of the image."""
    gaps: int
    inside: int

    def share(self, *which: int) -> float:
        """Of all sides."""
        return sum(which) / (sum(self.border) + self.gaps + self.inside)


def find_unmeasured(counts: NDArray[np.floating], missing: Missing) -> Missing:
    """Regions of zeros that counts could not have left, and that are bounded as no shadow is.

    A region is made of windows without a count; where it is bright, a window is a single pixel. What lies round it has
    to be so bright that no such window is empty by chance. Obstacles can be as black. They differ in their outline: a
    region that was not measured is bounded by the border or by gaps, or it ends from one pixel to the next where a
    shadow has a rim.

    Parameters
    ----------
    counts : float array (height, width)
        Photon counts.
    missing : bool array (height, width)
        Gaps, codes, and all else that is known to tell nothing.

    Returns
    -------
    unmeasured : bool array (height, width)
        None of it is missing already.

    Examples
    --------
    A round plate in a square frame, whose corners are zeros:

    >>> y, x = np.indices((120, 120)); plate = np.hypot(x - 59.5, y - 59.5) < 59.5
    >>> counts = np.where(plate, np.random.default_rng(0).poisson(30, (120, 120)), 0)
    >>> found = find_unmeasured(counts, np.zeros((120, 120), bool))
    >>> bool((found == ~plate).all())
    True
    """
    unmeasured = np.zeros(counts.shape, bool)
    # What is found bounds what lies beside it.
    for _ in range(2):
        known = ~missing & ~unmeasured
        zero = (counts == 0) & known
        if zero.sum() < SMALLEST:
            break
        new = np.zeros_like(unmeasured)
        for side in SIDES:
            new |= _bounded(counts, zero & ~new, known & ~new, side)
        if not new.any():
            break
        unmeasured |= new
    return unmeasured


def _bounded(counts: NDArray[np.floating], zero: Missing, known: Missing, side: int) -> Missing:
    """Regions of empty windows of a side, pixels, that are bright round about and bounded as no shadow is."""
    found = np.zeros(zero.shape, bool)
    lit = (known & ~zero).astype(np.uint8)
    windows = ndimage.maximum_filter(lit, side, mode="constant") == 0
    regions, _ = ndimage.label(ndimage.maximum_filter(windows, side, mode="constant") & zero)
    pixels = np.bincount(regions.ravel())
    pixels[0] = 0
    objects = ndimage.find_objects(regions)
    for label in np.flatnonzero(pixels >= max(SMALLEST, WINDOWS * side**2)):
        (top, bottom), (left, right) = ((part.start, part.stop) for part in objects[label - 1])
        for reach in (side // 2 + 4, BEHIND_GAPS):
            near = np.s_[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach]
            region = regions[near] == label
            distance = ndimage.distance_transform_cdt(~region, "chessboard")
            beside = known[near] & (distance > 1) & (distance <= reach)
            if beside.any():
                break
        level = _level(counts[near][beside])
        nearer, farther = (
            _level(counts[near][beside & part]) for part in (distance <= reach / 2, distance > reach / 2)
        )
        if level * side**2 < EXPECTED or nearer < EVEN * farther:
            continue
        first = _level(counts[near][known[near] & (distance == 1)])
        whole = np.zeros(zero.shape, bool)
        whole[near] = region
        if _no_shadow(region, _outline(whole, known), zero.size, crisp=first >= CRISP * level):
            found[near] |= region | _specks(region, known[near])
    return found


def _level(values: NDArray[np.floating]) -> float:
    """The usual number of counts; of few counts told from how many pixels have none, whatever spots there are."""
    if not values.size:
        return 0.0
    median = float(np.median(values))
    return median if median >= 3 else float(-np.log(((values == 0).sum() + 1) / (values.size + 1)))


def _outline(region: Missing, known: Missing) -> _Outline:
    """Count the sides of a region's pixels by what lies there."""
    gaps = inside = 0
    border = (region[0].sum(), region[-1].sum(), region[:, 0].sum(), region[:, -1].sum())
    for axis in (0, 1):
        for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            own, beside = (np.s_[part, :] if axis == 0 else np.s_[:, part] for part in (here, there))
            out = region[own] & ~region[beside]
            gaps += int((out & ~known[beside]).sum())
            inside += int((out & known[beside]).sum())
    return _Outline((int(border[0]), int(border[1]), int(border[2]), int(border[3])), gaps, inside)


def _no_shadow(region: Missing, outline: _Outline, size: int, crisp: bool) -> bool:
    """Whether a region's outline is none of a shadow."""
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    height, width = (int(np.ptp(part)) + 1 for part in (rows, columns))
    filled = region.sum() / (height * width)
    at_border = sum(outline.border)
    if outline.share(at_border, outline.gaps) >= ENCLOSED:
        return True
    along_one = max(outline.border) >= ONE_SIDE * at_border
    if outline.share(at_border) >= AT_BORDER and (along_one or not LITTLE < filled < RECTANGLE):
        return True
    chip = not at_border and filled > RECTANGLE and min(height, width) >= CHIP
    of_a_map = at_border and region.sum() >= OF_A_MAP * size
    return crisp and bool(chip or of_a_map)


def _specks(region: Missing, known: Missing) -> Missing:
    """Few measured pixels in the midst of a region."""
    holes, _ = ndimage.label(ndimage.binary_fill_holes(region) & ~region)
    few = np.bincount(holes.ravel()) <= HOT
    few[0] = False
    return few[holes] & known
