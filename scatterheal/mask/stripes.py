"""Dark rows and columns across the whole image: a detector's gaps as a figure shows them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import poisson

from scatterheal.pattern.pixels import STRIPE, Bits
from scatterheal.settings.models import Stripes

# A row that holds less than this share of its neighbourhood's median may belong to a stripe.
DARK_SHARE = 0.02
# A row of which less than this share is known is never called a stripe.
FEWEST_KNOWN = 0.1
# A stripe's edges are judged on this many rows inside and outside of it.
EDGE_ROWS = 10
# Chance that noise alone makes one stripe somewhere in an image.
FALSE_ALARM = 0.01
# Chance that one edge of a stripe may have of being noise.
ONE_EDGE = 1e-3


def add_stripes(reasons: Bits, grey: NDArray[np.float32], stripes: Stripes) -> None:
    """Mark dark rows and columns, those given or those found."""
    known = np.where(reasons > 0, np.nan, grey)
    for lines, known_rows, reason_rows in (
        (stripes.horizontal, known, reasons),
        (stripes.vertical, known.T, reasons.T),
    ):
        if lines == "auto":
            lines = find_stripes(known_rows, stripes.threshold)
        for first, last in [] if lines == "none" else lines:
            # Gaps that the detector or its codes tell are no news.
            if not reason_rows[first:last].all():
                reason_rows[first:last] |= STRIPE


def find_stripes(grey: NDArray[np.float32], threshold: float = 10) -> list[tuple[int, int]]:
    """Runs of rows that hold next to nothing where their neighbours say they should.

    A dark row alone proves nothing: in the empty margin of a zoomed-out scan most rows hold a few
    counts and some none at all. A run of dark rows is a stripe when its edges are sharp: the rows just
    outside make it improbable, by Poisson statistics of their lit pixels, that the rows just inside are
    that dark by chance (1 % over the whole image for the two edges' mean, 0.1 % for each one), and it
    is no wider than half of the neighbourhood that it is judged by. A margin fades out: no sharp edge.

    Parameters
    ----------
    grey : float array (rows, columns)
        Grey levels 0..255, NaN where a pixel is known to be missing; transpose it to look for columns.
    threshold : float
        A pixel is lit when its grey level is above this, and above a quarter of the usual level of the
        rows round it (so that JPEG noise and antialiased edges stay dark beside a bright pattern).

    Returns
    -------
    stripes : list of (first, last + 1)

    Examples
    --------
    >>> grey = 50.0 + np.add.outer(np.arange(60), np.arange(40)); grey[20:25] = 0
    >>> find_stripes(grey)
    [(20, 25)]
    >>> find_stripes(100.0 * np.tri(100, 40))  # a bright side that fades out into a margin
    []
    """
    missing = np.isnan(grey)
    grey = np.where(missing, 0, grey)
    window = max(31, len(grey) // 8) | 1
    level = ndimage.median_filter(np.median(grey, axis=1), window, mode="reflect")
    lit = grey > np.maximum(threshold, level / 4)[:, None]
    # A row is judged by its known pixels, and not at all where few are known.
    share_known = 1 - missing.mean(axis=1)
    per_row = lit.sum(axis=1) / np.maximum(share_known, FEWEST_KNOWN) / (_repeats(grey) * _repeats(grey.T))
    usual = ndimage.median_filter(per_row, window, mode="reflect")
    # Without any light nearby a row is neither dark nor lit: it tells nothing.
    dark = (per_row <= DARK_SHARE * usual) & (usual > 0) & (share_known > FEWEST_KNOWN)
    labels, count = ndimage.label(dark)
    chance = math.log(FALSE_ALARM / len(lit))
    stripes = []
    for (run,) in ndimage.find_objects(labels, max_label=count):
        first, last = run.start, run.stop
        edges = [
            (per_row[max(first - EDGE_ROWS, 0) : first], per_row[first : min(first + EDGE_ROWS, last)]),
            (per_row[last : last + EDGE_ROWS], per_row[max(last - EDGE_ROWS, first) : last]),
        ]
        # A stripe that the image's border cuts has one edge only.
        logs = [_log_chance(outside, inside) for outside, inside in edges if outside.size]
        sharp = max(logs) < math.log(ONE_EDGE) and np.mean(logs) < chance
        if sharp and last - first <= window // 2:
            stripes.append((first, last))
    return stripes


def _log_chance(outside: NDArray[np.floating], inside: NDArray[np.floating]) -> float:
    """Log of the chance that rows as lit as those outside an edge are as dark as those inside."""
    return float(poisson.logcdf(inside.sum(), outside.mean() * inside.size))


def _repeats(grey: NDArray[np.float32]) -> float:
    """How often each row of the detector stands in the image: more than once in an enlarged figure.

    Repeated rows are no independent evidence, so that their counts must not be added up.
    """
    rows = grey[grey.any(axis=1)]
    repeated = (rows[1:] == rows[:-1]).all(axis=1).sum()
    # An image without any noise has equal rows too, but no figure is enlarged this much.
    return min(max(len(rows), 1) / max(len(rows) - repeated, 1), 10.0)
