"""Two independent parts of the same counts: one to fit, the other to judge the fit by, without hiding a pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scatterheal.errors import ScanError


def thin(counts: NDArray[np.floating], share: float, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Split counts so that each photon falls into the first part with the same chance.

    If the counts are Poisson with a rate, both parts are Poisson with `share` and `1 - share` of it, and independent
    of each other; what a fit to one part has learnt of its noise does not help it with the other. Holes stay holes:
    whether these are bridged well it does not tell.

    Parameters
    ----------
    counts : float array (height, width)
        Whole counts; NaN and negative numbers (codes of missing pixels) are in both parts as they are.
    share : float
        The first part's share of the photons, between 0 and 1.
    seed : int
        Of the split.

    Returns
    -------
    part, rest : float32 arrays (height, width)
        They add up to the counts.

    Raises
    ------
    ScanError
        Counts that are not whole: a figure's, whose colours stand for several counts, or a frame from which something
        was subtracted.

    References
    ----------
    A. Neufeld, A. Dharamshi, L. L. Gao, D. Witten, "Data thinning for convolution-closed distributions" (2023),
    https://arxiv.org/abs/2301.07276

    Examples
    --------
    >>> part, rest = thin(np.float32([[4, 0, 1000, -1]]), 0.5)
    >>> (part + rest).tolist(), (part[0, 3], rest[0, 3]) == (-1, -1)
    ([[4.0, 0.0, 1000.0, -2.0]], True)
    """
    measured = counts >= 0
    photons = counts[measured]
    if not np.array_equal(photons, np.round(photons)):
        raise ScanError("thinning: the counts are not whole numbers, so they cannot be split; judge by hidden pixels")
    part = counts.astype(np.float32)
    rest = part.copy()
    part[measured] = np.random.default_rng(seed).binomial(photons.astype(np.int64), share)
    rest[measured] = photons - part[measured]
    return part, rest
