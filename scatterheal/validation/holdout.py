"""Hidden pixels: copies of the scan's own holes where its pixels are valid, to score what is painted there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scatterheal.errors import ScanError
from scatterheal.pattern.pixels import GAP, HOT_OR_DEAD, REASONS, UNREADABLE, Bits

# Between a hidden pixel and a missing one lie so many valid ones: a copy must not make its original wider.
MARGIN = 2
# A fold hides at most this share of the valid pixels, so that it is fitted to nearly all that the last fit sees.
MOST = 0.15
# A module grid that covers less than this share of the image is moved twice in each fold.
SPARSE = 0.05
# A line of the grid is unbroken over so many pixels; what is shorter is a bad pixel.
SHORTEST_LINE = 9
# So many places are tried for each copy.
TRIES = 32
# A turned holder would only make its original wider within this angle, radians.
NEAREST_TURN = np.pi / 6
# A copy of the beamstop, and a bar, lies with at least this share of its pixels on valid ones.
WHOLE = 0.9
# Copies of the beamstop in a fold: about this share of the valid pixels, but not fewer or more than so many.
BEAMSTOP_SHARE, FEWEST_BEAMSTOPS, MOST_BEAMSTOPS = 0.01, 2, 6
# The same for bars, where the moved grid hides less than SCARCE; a bar is ELONGATION times longer than it is wide.
SCARCE = 0.01
BAR_SHARE, FEWEST_BARS, MOST_BARS = 0.05, 6, 40
ELONGATION = 4
NARROWEST = 3

Mask = NDArray[np.bool_]
# A copy of a hole: the window of the image that it lies in, and its bits there, 0 beside it.
Copy = tuple[tuple[slice, slice], Bits]


def hide(
    reasons: Bits, grey: NDArray[np.float32], centre: tuple[float, float] | None, folds: int, seed: int = 0
) -> Bits:
    """Choose the valid pixels that each fold hides: those that the scan's own holes would hide elsewhere.

    The module grid (gaps and stripes) is moved, the holder is turned round the beam centre, and the beamstop is
    copied to other places, more often to bright ones. Of several random places each copy takes the best: where most of
    it falls on valid pixels that no fold has hidden yet, away from large holes; and where the grid cuts the brightest
    hundredth of the image (arcs, the beamstop's surroundings) as often as the rest of it.

    Without gaps and stripes the part of the mask that a file or the user gives is moved; where that hides next to
    nothing too there are bars as wide as the scan's holes.

    Parameters
    ----------
    reasons : uint16 array (height, width)
        Why pixels are missing, 0 where they are valid.
    grey : float32 array (height, width)
        Grey levels 0..255.
    centre : (x, y) or None
        The beam centre, pixels; without it the holder is moved, not turned.
    folds : int
        How many sets of hidden pixels; the first of them are the same however many follow.
    seed : int
        Of the placing.

    Returns
    -------
    hidden : uint16 array (folds, height, width)
        0 where nothing is hidden, else the bits of the holes of which these are copies; bars count as gaps.

    Raises
    ------
    ScanError
        The valid pixels leave no place for even one small bar.

    Examples
    --------
    >>> reasons = np.zeros((90, 120), np.uint16); reasons[40:44] = 1; reasons[60:70, 50:60] = 2
    >>> hidden = hide(reasons, np.full((90, 120), 50, np.float32), None, folds=2)
    >>> hidden.shape, np.unique(hidden).tolist(), hidden[:, reasons > 0].any().item()
    ((2, 90, 120), [0, 1, 2], False)
    """
    missing = reasons > 0
    valid = np.count_nonzero(~missing)
    large = reasons & ~(HOT_OR_DEAD | UNREADABLE) > 0
    free = ~ndimage.maximum_filter(missing, 2 * MARGIN + 1)
    width = int(np.clip(gap_width(large), NARROWEST, max(min(missing.shape) // 6, NARROWEST)))
    # Beside a large hole, or the border, there is nothing on one side to heal from.
    apart = ~ndimage.maximum_filter(large, 2 * width + 1, mode="constant", cval=1)
    holder, beamstop = reasons & _copied("turned"), _cut_out(reasons & _copied("scattered"))
    grid = _grid(reasons)
    bright = _brightest(grey, free)
    random = np.random.default_rng(seed)
    used = np.zeros_like(missing)
    hidden = np.zeros((folds, *missing.shape), np.uint16)
    for fold in hidden:
        # What each pixel is worth to a copy; 0 where none may lie.
        worth = free * np.where(apart & ~used, np.uint8(4), np.uint8(1))
        most = int(MOST * valid)
        for _ in range(0 if not grid.any() else 2 if (grid > 0).mean() < SPARSE else 1):
            _add(fold, _shifted(grid, random), worth, most, bright=bright)
            # A second one should keep away from the first.
            np.minimum(worth, 1, out=worth, where=ndimage.maximum_filter(fold > 0, 2 * width + 1))
        scarce = bool(np.count_nonzero(fold) < SCARCE * valid)
        if centre is None:
            _add(fold, _moved(_cut_out(holder), 1.0 * free, random), worth, most)
        else:
            _add(fold, _turned(holder, centre, random), worth, most)
        # From here on copies keep apart from each other.
        worth[ndimage.maximum_filter(fold > 0, 2 * MARGIN + 1)] = 0
        if beamstop.size:
            wanted = BEAMSTOP_SHARE * valid / np.count_nonzero(beamstop)
            number = int(np.clip(wanted, FEWEST_BEAMSTOPS, MOST_BEAMSTOPS))
            _scatter(fold, [beamstop] * number, worth, most, grey, random)
        bar_width = width
        while scarce and bar_width >= NARROWEST:
            bar = np.full((bar_width, ELONGATION * bar_width), GAP)
            number = int(np.clip(BAR_SHARE * valid / bar.size, FEWEST_BARS, MOST_BARS))
            scarce = not _scatter(fold, [bar, bar.T] * (number // 2), worth, most, grey, random)
            bar_width //= 2
        if not fold.any():
            raise ScanError(
                "mask: it leaves no place to hide a block of valid pixels, so no run could be judged; make it smaller"
            )
        used |= fold > 0
    return hidden


def _add(
    fold: Bits,
    copies: Iterator[Copy],
    worth: NDArray[np.uint8],
    most: int,
    whole: float = 0.0,
    bright: Mask | None = None,
) -> tuple[slice, slice] | None:
    """Hide the best of some copies, and say where it lies; nothing where none is good.

    The best is worth most, less where it covers a smaller share of the bright pixels than of all, or more than twice
    as large a one. None is good that
    would hide more than `most` pixels of the fold in all, or less than the share `whole` of its own.
    """
    room = most - np.count_nonzero(fold)
    best, highest = None, 0.0
    for window, bits in copies:
        hides = (bits > 0) & (worth[window] > 0)
        pixels = np.count_nonzero(hides)
        if 0 < pixels <= room and pixels >= whole * np.count_nonzero(bits):
            value = float(worth[window][hides].sum())
            if bright is not None:
                cut = np.count_nonzero(hides & bright[window]) / max(int(np.count_nonzero(bright)), 1)
                ratio = float(cut / (pixels / np.count_nonzero(worth)))
                # Where nothing bright can be cut, any place is better than none.
                value *= 0.1 + min(ratio, 1.0, 2 / max(ratio, 1.0))
            if value > highest:
                best, highest = (window, np.where(hides, bits, 0)), value
    if best is None:
        return None
    window, bits = best
    fold[window] |= bits
    return window


def _scatter(
    fold: Bits,
    shapes: list[Bits],
    worth: NDArray[np.uint8],
    most: int,
    grey: NDArray[np.float32],
    random: np.random.Generator,
) -> bool:
    """Hide whole copies of these shapes, apart from each other and more of them where it is bright; say if any fits."""
    fits = False
    for shape in shapes:
        window = _add(fold, _moved(shape, (1 + grey) ** 2 * (worth > 0), random), worth, most, whole=WHOLE)
        if window is not None:
            fits = True
            beside = tuple(slice(max(side.start - MARGIN, 0), side.stop + MARGIN) for side in window)
            worth[beside][ndimage.maximum_filter(fold[beside] > 0, 2 * MARGIN + 1)] = 0
    return fits


def _copied(how: str) -> np.uint16:
    """The bits of the holes that are copied in this way."""
    return np.bitwise_or.reduce([reason.bit for reason in REASONS if reason.copied == how])


def _grid(reasons: Bits) -> Bits:
    """The lines of the module grid, or else of the mask that a file or the user gives."""
    grid = reasons & _copied("moved")
    if not grid.any():
        grid = reasons & _copied("instead")
    line = np.zeros_like(grid)
    for length in ((1, SHORTEST_LINE), (SHORTEST_LINE, 1)):
        line = np.maximum(line, ndimage.grey_opening(grid, length))
    return np.where(line > 0, grid, 0)


def _cut_out(bits: Bits) -> Bits:
    """The smallest window that holds all of these bits."""
    rows, columns = np.flatnonzero(bits.any(axis=1)), np.flatnonzero(bits.any(axis=0))
    return bits[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] if rows.size else bits[:0]


def _brightest(grey: NDArray[np.float32], free: Mask) -> Mask:
    """The brightest hundredth of the pixels that may be hidden, by the mean grey level round each."""
    around = ndimage.uniform_filter(free.astype(np.float32), 5)
    level = ndimage.uniform_filter(np.where(free, grey, 0), 5) / np.maximum(around, 0.01)
    return free & (level > np.percentile(level[free], 99)) if free.any() else free


def _shifted(grid: Bits, random: np.random.Generator) -> Iterator[Copy]:
    """The grid, moved anywhere; what leaves the image comes in at the other side."""
    everywhere = (slice(0, grid.shape[0]), slice(0, grid.shape[1]))
    for _ in range(TRIES):
        yield everywhere, np.roll(grid, random.integers(grid.shape), (0, 1))


def _turned(holder: Bits, centre: tuple[float, float], random: np.random.Generator) -> Iterator[Copy]:
    """The holder, turned round the beam centre."""
    y, x = np.nonzero(holder)
    of_points = np.repeat(holder[y, x], 4)
    # Four points of each pixel, half a pixel apart: turned, they reach every pixel that the turned holder covers.
    down = (y[:, None] + [-0.25, -0.25, 0.25, 0.25]).ravel() - centre[1]
    right = (x[:, None] + [-0.25, 0.25, -0.25, 0.25]).ravel() - centre[0]
    for angle in random.uniform(NEAREST_TURN, 2 * np.pi - NEAREST_TURN, TRIES):
        rows = np.rint(centre[1] + right * np.sin(angle) + down * np.cos(angle)).astype(int)
        columns = np.rint(centre[0] + right * np.cos(angle) - down * np.sin(angle)).astype(int)
        inside = (rows >= 0) & (rows < holder.shape[0]) & (columns >= 0) & (columns < holder.shape[1])
        if inside.any():
            rows, columns = rows[inside], columns[inside]
            top, left = rows.min(), columns.min()
            bits = np.zeros((rows.max() + 1 - top, columns.max() + 1 - left), holder.dtype)
            bits[rows - top, columns - left] = of_points[inside]
            yield (slice(top, top + bits.shape[0]), slice(left, left + bits.shape[1])), bits


def _moved(shape: Bits, likely: NDArray[np.floating], random: np.random.Generator) -> Iterator[Copy]:
    """A shape, moved to where `likely` is large."""
    per_row = likely.sum(axis=1, dtype=np.float64)
    if not shape.size or not per_row.any():
        return
    for row in random.choice(len(per_row), TRIES, p=per_row / per_row.sum()):
        across = likely[row].astype(np.float64)
        column = random.choice(len(across), p=across / across.sum())
        top, left = (
            int(np.clip(middle - length // 2, 0, whole - length))
            for middle, length, whole in zip((row, column), shape.shape, likely.shape, strict=True)
        )
        yield (slice(top, top + shape.shape[0]), slice(left, left + shape.shape[1])), shape


def gap_width(missing: Mask) -> int:
    """The typical width of the holes, in pixels.

    A missing pixel's hole is as wide as the shorter of the unbroken row and column of missing pixels
    through it; the typical width is the median over all missing pixels, 0 where nothing is missing.

    Parameters
    ----------
    missing : bool array (height, width)

    Examples
    --------
    >>> missing = np.zeros((20, 30), bool); missing[4:9] = True
    >>> gap_width(missing)
    5
    """
    along_rows, along_columns = _run_lengths(missing), _run_lengths(missing.T).T
    return int(np.median(np.minimum(along_rows, along_columns)[missing])) if missing.any() else 0


def _run_lengths(missing: Mask) -> NDArray[np.int64]:
    """For each missing pixel the length of the unbroken run of missing pixels in its row."""
    rows_apart = np.pad(missing, ((0, 0), (0, 1)))
    labels, _ = ndimage.label(rows_apart.ravel())
    return np.bincount(labels)[labels].reshape(rows_apart.shape)[:, :-1]
