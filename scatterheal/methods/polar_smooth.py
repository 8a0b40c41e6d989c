"""A smoother that follows the rings: what counts along a ring, and a little across it, say about a hole in it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage
from scipy.special import xlogy

from scatterheal.polar.grid import PolarMap, polar_map

Cells = NDArray[np.float32]
Ends = tuple[float, float]

# Kernels along the rings (degrees) and across them (pixels), standard deviations of the first one and the last one;
# what `choose_kernels` tries: for smooth patterns, sharp rings whose neighbours have other arcs, arcs that vary fast.
KERNELS: tuple[tuple[Ends, Ends], ...] = (((24, 2), (16, 1)), ((24, 3), (4, 0.5)), ((12, 3), (16, 2)))
LEVELS = 5
# Distance of the grid's radii, pixels: rings 3 pixels wide stay themselves when it is interpolated.
STEP = 0.5
# Grid points in the narrowest kernel's standard deviation along the ring.
FINENESS = 2
# The radial mean: so many corrections in a kernel this wide, pixels, sharpen it to the rings' own width.
SHARPENED, FINE = 3, 0.3
# How much rings vary is asked of rings this near together, pixels (standard deviation).
ALIKE = 3.0
# Variance of the ratio to what a broader kernel says that is always allowed for.
LEAST_VARIANCE = 1e-6
# A kernel is never shorter along the ring than this, pixels: near the beam a few degrees hold no pixel.
SHORTEST = 1.5
# Kernels try themselves on the image's holes moved by this share of its height and width: of no detector a whole
# number of modules.
MOVED = 3 / 7
# A rate is never judged as lower than this, counts a pixel.
LEAST_RATE = 0.05


def polar_smooth(
    counts: NDArray[np.float32],
    known: NDArray[np.bool_],
    centre: tuple[float, float],
    is_counts: bool = True,
    kernels: tuple[Ends, Ends] | None = None,
) -> NDArray[np.float32]:
    """Expected counts of every pixel, from the known ones along its ring and beside it.

    It begins with the radial mean, and goes through Gaussian kernels on (azimuth, radius) that become narrower: the
    rate is multiplied by how many counts the known pixels in a kernel hold over how many were expected of them. Since
    what is smoothed is that ratio, rings stay as sharp as they are, and holes on a slope are not filled with the level
    of their brighter side. The ratio is believed as far as it is more than noise: it is the mean of its posterior
    under a gamma prior about 1, whose variance is what the ratios along the ring scatter more than their counts
    explain. So rings that are the same all round keep their radial mean, and wide holes what broader kernels say.

    Parameters
    ----------
    counts : float32 array (height, width)
        Not negative where known; anything elsewhere.
    known : bool array (height, width)
        Pixels to go by.
    centre : (x, y)
        Of the beam, pixels; may lie outside of the image.
    is_counts : bool
        Not asked: other values are taken like counts.
    kernels : ((first, last) in degrees, (first, last) in pixels), optional
        Standard deviations of the kernels along and across the rings; without it `choose_kernels` finds what suits.

    Returns
    -------
    rate : float32 array (height, width)
        In known pixels too.

    References
    ----------
    .. [1] A first estimate times a kernel estimate of its ratio: Hjort and Glad, Ann. Statist. 23 (1995) 882-904.
    .. [2] Ratios of counts shrunk by their own scatter: Clayton and Kaldor, Biometrics 43 (1987) 671-681.

    Examples
    --------
    >>> y, x = np.indices((61, 61)) - 30
    >>> rings = 50 + 2000 * np.exp(-(((np.hypot(x, y) - 20) / 2) ** 2))
    >>> pattern = np.float32(rings * (4 + np.cos(np.arctan2(y, x))))
    >>> known = np.abs(x - 10) > 2
    >>> healed = polar_smooth(np.where(known, pattern, 0), known, (30, 30))
    >>> bool(np.abs(healed / pattern - 1)[~known].mean() < 0.03)
    True
    """
    kernels = kernels or choose_kernels(counts, known, centre)
    grid = polar_map(known.shape, centre, STEP, _azimuths(kernels[0][1]))
    spread, weights = _spread(grid, counts, known)
    rate = _through_levels(grid, _radial(grid, spread, weights), spread, weights, kernels)
    return (grid.weights @ rate.ravel()).reshape(known.shape)


def choose_kernels(
    counts: NDArray[np.float32], known: NDArray[np.bool_], centre: tuple[float, float]
) -> tuple[Ends, Ends]:
    """Which of the `KERNELS` of `polar_smooth` predicts best what is known, in holes like the scan's own.

    The holes are laid over known pixels elsewhere in the image, and what the rest says of these is compared with their
    counts (Poisson deviance).

    Parameters
    ----------
    counts, known, centre
        As for `polar_smooth`.

    Returns
    -------
    degrees, pixels : (first, last)
    """
    moved = tuple(round(MOVED * side) for side in known.shape)
    tried = known & ~np.roll(known, moved, (0, 1))
    if not tried.any() or not (known & ~tried).any():
        return KERNELS[0]
    grid = polar_map(known.shape, centre, STEP, _azimuths(min(degrees[1] for degrees, _ in KERNELS)))
    spread, weights = _spread(grid, counts, known & ~tried)
    radial = _radial(grid, spread, weights)
    at_tried, held = grid.weights[np.flatnonzero(tried)], counts[tried]

    def loss(kernels: tuple[Ends, Ends]) -> float:
        rate = _through_levels(grid, radial, spread, weights, kernels)
        rate = np.maximum(at_tried @ rate.ravel(), LEAST_RATE)
        return float((rate - xlogy(held, rate)).sum(dtype=np.float64))

    return min(KERNELS, key=loss)


def radial_mean(
    counts: NDArray[np.float32], known: NDArray[np.bool_], centre: tuple[float, float], is_counts: bool = True
) -> NDArray[np.float32]:
    """The mean of the known pixels at each distance from the beam centre; interpolated where none is known.

    Parameters
    ----------
    counts, known, centre, is_counts
        As for `polar_smooth`.

    Returns
    -------
    rate : float32 array (height, width)
        In known pixels too.

    Examples
    --------
    >>> counts = np.float32([[4, 2, 9, 2, 4]])
    >>> radial_mean(counts, counts != 9, (2, 0)).round(1).tolist()
    [[4.0, 2.0, 2.0, 2.0, 4.0]]
    """
    grid = polar_map(known.shape, centre, STEP, 1)
    return (grid.weights @ _radial(grid, *_spread(grid, counts, known)).ravel()).reshape(known.shape)


def _azimuths(degrees: float) -> int:
    """Grid points in a full turn for a kernel of this width; an even number."""
    return 2 * round(180 * FINENESS / degrees)


def _spread(grid: PolarMap, counts: NDArray[np.float32], known: NDArray[np.bool_]) -> tuple[Cells, NDArray[np.float32]]:
    """Counts of the known pixels, spread over the grid; and which pixels are known, 1 or 0."""
    values = np.where(known, counts, 0).ravel().astype(np.float32)
    return (grid.weights.T @ values).reshape(grid.shape), known.ravel().astype(np.float32)


def _expected(grid: PolarMap, rate: Cells, weights: NDArray[np.float32]) -> Cells:
    """Counts that a rate expects of the known pixels, spread over the grid as theirs are."""
    return (grid.weights.T @ (weights * (grid.weights @ rate.ravel()))).reshape(grid.shape)


def _radial(grid: PolarMap, spread: Cells, weights: NDArray[np.float32]) -> Cells:
    """A rate that is the same all round: what the grid's interpolation makes of it has the known pixels' mean."""
    total = spread.sum(axis=1)
    pixels = (grid.weights.T @ weights).reshape(grid.shape).sum(axis=1)
    seen = pixels > 0
    rate = np.interp(grid.radii, grid.radii[seen], total[seen] / pixels[seen]).astype(np.float32)
    for _ in range(SHARPENED):
        sums = (total, _expected(grid, _all_round(grid, rate), weights).sum(axis=1))
        counted, expected = (ndimage.gaussian_filter1d(part, FINE / STEP, mode="constant") for part in sums)
        # Beyond the kernel's reach from a known pixel there is nothing to correct.
        rate = np.where(expected > 1e-3, rate * counted / np.maximum(expected, 1e-3), rate)
    return _all_round(grid, rate)


def _all_round(grid: PolarMap, profile: NDArray[np.float32]) -> Cells:
    return np.repeat(profile[:, None], grid.shape[1], axis=1)


def _through_levels(
    grid: PolarMap, rate: Cells, spread: Cells, weights: NDArray[np.float32], kernels: tuple[Ends, Ends]
) -> Cells:
    """The radial mean, corrected in narrower and narrower kernels."""
    for degrees, pixels in zip(*(np.geomspace(*ends, LEVELS) for ends in kernels), strict=True):
        rate = _corrected(grid, rate, spread, weights, float(degrees), float(pixels))
    return rate


def _corrected(
    grid: PolarMap, rate: Cells, spread: Cells, weights: NDArray[np.float32], degrees: float, pixels: float
) -> Cells:
    """A rate times the ratio of counts to what it expects of them in a Gaussian kernel, so far as that is believed.

    Parameters
    ----------
    grid : PolarMap
    rate, spread : float32 arrays (radii, azimuths)
        The rate, and the known pixels' counts.
    weights : float32 array (pixels,)
        1 where a pixel is known.
    degrees, pixels : float
        The kernel's standard deviations.
    """
    radii, azimuths = grid.shape
    across = pixels / STEP
    along = np.maximum(np.radians(degrees), SHORTEST / np.maximum(grid.radii, 1e-3))
    # Transforms make a Gaussian of any width that goes round exactly; zeros keep the last radius from the first.
    transform = np.exp(-0.5 * np.multiply.outer(along, np.arange(azimuths // 2 + 1)) ** 2)
    padded = fft.next_fast_len(radii + math.ceil(5 * across), real=True)
    radial_transform = np.exp(-0.5 * (2 * np.pi * across * fft.rfftfreq(padded)[:, None]) ** 2)
    # The integral of a Gaussian whose height is 1, grid points; one wider than the ring is a mean over it.
    area = (np.minimum(along, np.sqrt(np.pi)) * azimuths * across)[:, None]

    def in_kernel(cells: Cells) -> NDArray[np.float64]:
        # In double precision: the beam must not be felt far out.
        turned = fft.irfft(fft.rfft(cells.astype(np.float64), axis=1) * transform, azimuths, axis=1)
        spread_out = fft.irfft(fft.rfft(turned, padded, axis=0) * radial_transform, padded, axis=0)[:radii]
        return np.maximum(spread_out, 0) * area

    counted, expected = in_kernel(spread), in_kernel(_expected(grid, rate, weights))
    # A sum of Poisson counts with Gaussian weights of height 1 has half of its mean as variance.
    excess, scale = ((counted - expected) ** 2 - expected / 2).sum(axis=1), (expected**2).sum(axis=1)
    excess, scale = (ndimage.gaussian_filter1d(part, ALIKE / STEP, mode="nearest") for part in (excess, scale))
    prior = 0.5 / np.maximum(excess / np.maximum(scale, 1e-9), LEAST_VARIANCE)[:, None]
    return rate * ((counted + prior) / (expected + prior)).astype(np.float32)
