"""Single pixels that tell nothing: hot ones, dead ones, and those that are saturated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

Missing = NDArray[np.bool_]

# Chance that noise alone makes one dead pixel in a whole frame.
FALSE_ALARM = 0.01
# A dead pixel holds less than this share of what surrounds it.
DEAD_SHARE = 0.1


def hot_pixels(counts: NDArray[np.float32], missing: Missing) -> Missing:
    """Pixels, single or in clusters of up to six, far above all that surrounds them.

    A candidate lies 15 Poisson standard deviations above the sixth largest of its 24 neighbours in a
    5 x 5 window, so that five hot neighbours do not hide it. It is hot when its cluster has at most six
    pixels and it exceeds the brightest pixel beside the cluster tenfold: the flank of a sharp
    ring, a Bragg spot or the beam's tail falls off more slowly than that.

    Parameters
    ----------
    counts : float32 array (height, width)
        Photon counts.
    missing : bool array (height, width)
        Pixels that count as zero.

    Returns
    -------
    hot : bool array (height, width)

    Examples
    --------
    >>> counts = np.ones((7, 7), np.float32); counts[3, 3] = 1048575
    >>> np.argwhere(hot_pixels(counts, counts < 0)).tolist()
    [[3, 3]]
    >>> line = np.ones((15, 15), np.float32); line[7] = 200
    >>> int(hot_pixels(line, line < 0).sum())
    0
    """
    known = np.where(missing, 0, counts)
    neighbours = np.ones((5, 5), bool)
    neighbours[2, 2] = False
    reference = ndimage.rank_filter(known, rank=-6, footprint=neighbours, mode="mirror")
    candidates = ~missing & (known > reference + 15 * np.sqrt(reference + 1))
    touching = np.ones((3, 3), bool)
    clusters, count = ndimage.label(candidates, touching)
    small = np.bincount(clusters.ravel(), minlength=count + 1)[clusters] <= 6
    beside = ndimage.maximum_filter(np.where(candidates, 0, known), 3, mode="mirror")
    brightest_beside = ndimage.maximum(beside, clusters, range(count + 1))[clusters]
    return candidates & small & (known > 10 * (brightest_beside + 1))


def saturated(counts: NDArray[np.float32], count_cutoff: float) -> Missing:
    """Pixels that hold as many counts as the detector can tell.

    Parameters
    ----------
    counts : float32 array (height, width)
        One frame, not a sum.
    count_cutoff : float
        Counts from which on a pixel is saturated, from the file's header.

    Examples
    --------
    >>> saturated(np.float32([[1, 1048574, 1048575]]), 1048574).tolist()
    [[False, True, True]]
    """
    return counts >= count_cutoff


def dead_pixels(counts: NDArray[np.float32], missing: Missing) -> Missing:
    """Pixels, single or in clusters of up to six, that hold far too few counts for where they are.

    A candidate holds less than a tenth of the median of its 24 neighbours in a 5 x 5 window (12 of which must
    be known), and so few counts that a Poisson variable of that mean would do so once in a hundred whole
    frames. It is dead when its cluster has at most six pixels, when the same holds against the darkest known
    pixel beside the cluster, and when that one has half of the median: the edge of a shadow, a thin
    wire, the valley between two rings and the zeros of an oversampled speckle pattern go on or fade beside it.
    Where fewer than about 25 counts are usual none can be told; a few zeros of speckles smaller than
    four pixels look dead.

    Parameters
    ----------
    counts : float32 array (height, width)
        Photon counts.
    missing : bool array (height, width)
        Pixels that say nothing, such as gaps and codes.

    Returns
    -------
    dead : bool array (height, width)

    Examples
    --------
    >>> counts = np.full((9, 9), 100, np.float32); counts[4, 4] = 2
    >>> np.argwhere(dead_pixels(counts, counts < 0)).tolist()
    [[4, 4]]
    >>> wire = np.full((20, 20), 100, np.float32); wire[4, 4:] = 2
    >>> int(dead_pixels(wire, wire < 0).sum())
    0
    """
    known = ~missing & (counts >= 0) & np.isfinite(counts)
    # Unknown pixels rank behind all others.
    bright = np.where(known, counts, np.inf)
    neighbours = np.ones((5, 5), bool)
    neighbours[2, 2] = False
    median = ndimage.rank_filter(bright, rank=11, footprint=neighbours, mode="mirror")
    chance = FALSE_ALARM / counts.size
    # With fewer than 12 known neighbours the median is infinite, and no count too few for it.
    candidates = known & _too_few(counts, median, chance)
    clusters, count = ndimage.label(candidates, np.ones((3, 3), bool))
    small = np.bincount(clusters.ravel(), minlength=count + 1)[clusters] <= 6
    beside = ndimage.minimum_filter(np.where(candidates, np.inf, bright), 3, mode="mirror")
    darkest_beside = ndimage.minimum(beside, clusters, range(count + 1))[clusters]
    return candidates & small & _too_few(counts, darkest_beside, chance) & (darkest_beside > median / 2)


def _too_few(counts: NDArray[np.float32], usual: NDArray[np.float32], chance: float) -> Missing:
    """Whether counts lie below a tenth of what is usual, and below it by more than Poisson noise explains."""
    low = np.isfinite(usual) & (counts < DEAD_SHARE * usual)
    low[low] = special.pdtr(np.maximum(counts[low], 0), usual[low]) < chance
    return low
