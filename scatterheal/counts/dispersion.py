"""What neighbouring pixels say about each other when counts scatter by chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Sums over blocks of this many pixels a side are compared with their neighbours.
BLOCK = 8
# Four neighbouring blocks tell about their scatter when they hold this many counts together.
FEWEST_COUNTS = 8
# Median of a chi-squared variable with one degree of freedom.
MEDIAN_CHI_SQUARED = 0.455


def dispersion(counts: NDArray[np.floating], missing: NDArray[np.bool_]) -> float:
    """How many times the variance of counts in a few pixels exceeds their mean; 1 for Poisson counts.

    Enlarged figures repeat their pixels, censored ones have lost their single counts, JPEG blurs: all of
    that is more (or less) scatter than counting gives, and every significance has to be divided by it.
    For four neighbouring blocks with sums a, b over c, d the ratio (a - b - c + d)^2 / (a + b + c + d) is
    chi-squared with one degree of freedom when counts are Poisson. A pattern that rises evenly cancels in it,
    and its median does not see the pattern's edges.

    Parameters
    ----------
    counts : float array (height, width)
    missing : bool array (height, width)

    Returns
    -------
    dispersion : float
        Not below 1.

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(5, (400, 400))
    >>> dispersion(counts, counts < 0).__round__(1)
    1.0
    >>> dispersion(np.kron(counts, np.ones((2, 2))), np.zeros((800, 800), bool)).__round__(1)
    4.0
    """
    total, spoilt = block_sums(counts, missing, BLOCK)
    a, b, c, d = (total[down : down - 1 or None, right : right - 1 or None] for down in (0, 1) for right in (0, 1))
    ok = ~ndimage.maximum_filter(spoilt, 2, origin=-1)[:-1, :-1] & (a + b + c + d >= FEWEST_COUNTS)
    ratios = ((a - b - c + d) ** 2)[ok] / (a + b + c + d)[ok]
    return max(1.0, float(np.median(ratios)) / MEDIAN_CHI_SQUARED) if ratios.size else 1.0


def block_sums(
    counts: NDArray[np.floating], missing: NDArray[np.bool_], side: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Sums over blocks of pixels, and which blocks have a missing pixel; what is over at the rim is left out.

    Parameters
    ----------
    counts : float array (height, width)
    missing : bool array (height, width)
        Their counts are not added.
    side : int
        Pixels along a block's side.

    Returns
    -------
    sums : float64 array (height // side, width // side)
    spoilt : bool array of the same shape

    Examples
    --------
    >>> block_sums(np.arange(8.0).reshape(2, 4), np.arange(8).reshape(2, 4) == 3, 2)[0].tolist()
    [[10.0, 15.0]]
    """
    rows, columns = (length // side for length in counts.shape)
    blocks = (rows, side, columns, side)
    known = np.where(missing, 0, counts)[: rows * side, : columns * side]
    spoilt = np.logical_or.reduce(missing[: rows * side, : columns * side].reshape(blocks), axis=(1, 3))
    return known.reshape(blocks).sum(axis=(1, 3), dtype=np.float64), spoilt


def local_level(
    counts: NDArray[np.floating], missing: NDArray[np.bool_], sigma: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean of the known pixels round each pixel, with Gaussian weights.

    Parameters
    ----------
    counts : float array (height, width)
    missing : bool array (height, width)
    sigma : float
        Width of the weights, pixels.

    Returns
    -------
    level : float32 array (height, width)
        NaN where hardly anything is known nearby.
    pixels : float32 array (height, width)
        How many pixels the mean stands for.

    Examples
    --------
    >>> level, pixels = local_level(np.full((9, 9), 3.0), np.eye(9, dtype=bool), 1.0)
    >>> level[4, 4].round(3).item(), round(float(pixels[4, 4]))
    (3.0, 9)
    """
    weight = ndimage.gaussian_filter((~missing).astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(missing, 0, counts).astype(np.float32), sigma)
    level = np.where(weight > 0.2, total / np.maximum(weight, 1e-6), np.nan)
    return level.astype(np.float32), weight * np.float32(4 * np.pi * sigma**2)
