"""Hidden pixels: hole-shaped blocks of valid pixels that no training sees, to score what it paints there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scatterheal.errors import ScanError

# About this share of the valid pixels is hidden, in so many blocks (fewer where there is no room, and a
# larger share of a small scan with wide holes, where six blocks are more than that).
SHARE = 0.02
FEWEST, MOST = 6, 40
# A hidden bar is this many times longer than it is wide.
ELONGATION = 4
NARROWEST = 3


class Score(NamedTuple):
    """How well a painted image continues the scan; 0..1 is the range of the fitted image."""

    hidden_mse: float
    """Mean squared error on the hidden pixels."""
    known_mse: float
    """Mean squared error on the pixels that the training saw: never used to choose."""
    collapsed: bool
    """Whether the training painted hardly more than a constant."""


def gap_width(missing: NDArray[np.bool_]) -> int:
    """The typical width of the holes, in pixels.

    A missing pixel's hole is as wide as the shorter of the unbroken row and column of missing pixels
    through it; the typical width is the median over all missing pixels.

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
    return int(np.median(np.minimum(along_rows, along_columns)[missing]))


def _run_lengths(missing: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each missing pixel the length of the unbroken run of missing pixels in its row."""
    rows_apart = np.pad(missing, ((0, 0), (0, 1)))
    labels, _ = ndimage.label(rows_apart.ravel())
    return np.bincount(labels)[labels].reshape(rows_apart.shape)[:, :-1]


def hide_blocks(
    missing: NDArray[np.bool_], grey: NDArray[np.float32], beamstop: NDArray[np.bool_], seed: int = 0
) -> NDArray[np.bool_]:
    """Choose the valid pixels to hide: bars like the scan's gaps, lying and standing, and beamstop copies.

    They are placed at random, more often where the pattern is bright, never on or beside a missing
    pixel, never on one another.

    Parameters
    ----------
    missing : bool array (height, width)
        The holes of the scan.
    grey : float32 array (height, width)
        Grey levels 0..255.
    beamstop : bool array (height, width)
        The beamstop's pixels; none of them: only bars are hidden.
    seed : int
        Of the placing.

    Returns
    -------
    hidden : bool array (height, width)

    Raises
    ------
    ScanError
        The valid pixels leave no place for even one small block.

    Examples
    --------
    >>> missing = np.zeros((90, 120), bool); missing[40:44] = True
    >>> hidden = hide_blocks(missing, np.full((90, 120), 50, np.float32), missing & False)
    >>> int(hidden.sum()), bool((hidden & missing).any())
    (384, False)
    """
    random = np.random.default_rng(seed)
    largest = max(min(missing.shape) // 6, NARROWEST)
    width = int(np.clip(gap_width(missing), NARROWEST, largest))
    side = int(np.clip(np.sqrt(beamstop.sum() * 4 / np.pi), 0, largest))
    while width >= NARROWEST:
        bar = ELONGATION * width
        kinds = [(width, bar), (bar, width)] + [(side, side)] * (side >= NARROWEST)
        area = sum(rows * columns for rows, columns in kinds) / len(kinds)
        blocks = int(np.clip(SHARE * (~missing).sum() / area, FEWEST, MOST))
        hidden = np.zeros_like(missing)
        for block in range(blocks):
            hidden |= _place(missing | hidden, grey, kinds[block % len(kinds)], random)
        if hidden.any():
            return hidden
        width //= 2
    raise ScanError(
        "mask: it leaves no place to hide a block of valid pixels, so no run could be judged; make it smaller"
    )


def _place(
    taken: NDArray[np.bool_], grey: NDArray[np.float32], size: tuple[int, int], random: np.random.Generator
) -> NDArray[np.bool_]:
    """One block of this size where nothing is taken, or nothing where there is no room."""
    rows, columns = size
    block = np.zeros_like(taken)
    # A ring of one pixel round the block stays free too; outside the image counts as taken.
    free = ndimage.maximum_filter(taken, (rows + 2, columns + 2), mode="constant", cval=True) == 0
    places = np.flatnonzero(free)
    if places.size:
        bright = ndimage.uniform_filter(grey, size, mode="nearest").ravel()[places] + 1.0
        row, column = np.unravel_index(random.choice(places, p=bright / bright.sum()), taken.shape)
        top, left = row - rows // 2, column - columns // 2
        block[top : top + rows, left : left + columns] = True
    return block


def score(
    painted: NDArray[np.float32],
    image: NDArray[np.float32],
    known: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
) -> Score:
    """Score what a network painted.

    Parameters
    ----------
    painted, image : float32 arrays (height, width) or (height, width, channels)
        What was painted and what was measured, 0..1.
    known, hidden : bool arrays (height, width)
        The pixels that the training saw, and the valid ones that it did not.

    Returns
    -------
    Score

    Examples
    --------
    >>> image = np.float32([[0.0, 1.0, 0.5]]); known = np.array([[True, True, False]])
    >>> score(image + 0.1, image, known, ~known).hidden_mse.__round__(4)
    0.01
    """
    squares = (painted.astype(np.float64) - image) ** 2
    known_mse = float(squares[known].mean())
    # A constant at each channel's mean is what an output without any structure reaches; on a scan of few
    # counts even the truth is only a few per cent nearer, since the rest is shot noise.
    constant = float(image[known].astype(np.float64).var(axis=0).mean())
    collapsed = not np.isfinite(known_mse) or known_mse > 0.99 * constant
    return Score(float(squares[hidden].mean()), known_mse, bool(collapsed))
