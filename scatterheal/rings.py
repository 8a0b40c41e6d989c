"""What the rings of a pattern tell before any training: its radial profile, and its symmetric counterparts.

Everything here is made of known pixels alone, spread from the scan over a polar canvas by the transpose of S.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from scatterheal.canvas import Canvas

# Rates below this many counts a pixel are as good as none.
LEAST_RATE = 0.02
# The radial profile is smoothed with these kernels, rows, as far as they agree within so many standard deviations.
SCALES = (0.5, 1.0, 1.5, 2.2, 3.2, 4.6, 6.6, 9.5, 14.0, 20.0)
AGREEMENT = 2.0
# The pattern behind the beamstop goes by what lies outside of it up to this share of its radius.
GUINIER = 0.5
# Counterparts: widths of the narrowest kernel across the rings, rows, and along them, columns; each further one is
# twice as long, and fills what the narrower ones leave (less than this share of a pixel known).
ACROSS, ALONG, WIDENINGS = 0.7, 3.0, 6
FEWEST = 0.3


def radial_start(canvas: Canvas, reads: sparse.csr_array, counts: NDArray[np.floating]) -> NDArray[np.float32]:
    """The logarithm of the mean counts at each radius: what an isotropic pattern would be.

    Each radius takes the widest of several Gaussian kernels that agrees with all narrower ones within their errors
    (intersection of confidence intervals), so that rings stay sharp and a weak background is not noisy. Behind the
    beamstop the profile goes on with the slope that it has outside, flattening towards the beam.

    Parameters
    ----------
    canvas : Canvas
        A polar one.
    reads : sparse array (pixels, cells)
        S at the known pixels.
    counts : float array (pixels,)
        Their counts.

    Returns
    -------
    start : float32 array (rows, columns)
        The same in every column.

    References
    ----------
    Goldenshluger and Nemirovski, Math. Methods Statist. 6 (1997) 135-170; Katkovnik, IEEE Trans. Signal Process. 47
    (1999) 2567-2571. Guinier and Fournet, Small-Angle Scattering of X-rays, Wiley (1955).

    Examples
    --------
    >>> from scatterheal.canvas import polar, sampling
    >>> canvas = polar((65, 65), (32, 32), radius_step=1, angles=32)
    >>> reads = sampling(canvas, np.ones((65, 65), bool))
    >>> start = radial_start(canvas, reads, np.full(65 * 65, 7.0))
    >>> float(np.exp(start[10, 0]).round(3)), float(np.ptp(start).round(3))
    (7.0, 0.0)
    """
    total, pixels = (spread.sum(axis=1) for spread in _spread(canvas, reads, counts))
    low, high = np.full(canvas.rows, -np.inf), np.full(canvas.rows, np.inf)
    chosen, agreed = np.full(canvas.rows, np.nan), np.ones(canvas.rows, bool)
    for scale in SCALES:
        near_total, near_pixels = (ndimage.gaussian_filter1d(part, scale, mode="nearest") for part in (total, pixels))
        known = near_pixels > 1e-3
        rate = near_total / np.maximum(near_pixels, 1e-3)
        # A kernel of this width adds up 2 sqrt(pi) scale rows; one more count for radii that hold none.
        error = np.sqrt(
            np.maximum(rate, 1 / np.maximum(near_pixels, 1e-3)) / np.maximum(near_pixels * 3.54 * scale, 1e-3)
        )
        low, high = np.maximum(low, rate - AGREEMENT * error), np.minimum(high, rate + AGREEMENT * error)
        agreed &= (low <= high) | np.isnan(chosen)
        chosen = np.where(agreed & known, rate, chosen)
    row, seen = np.arange(canvas.rows), np.isfinite(chosen) & (pixels > 0)
    profile = np.interp(row, row[seen], np.log(np.maximum(chosen[seen], LEAST_RATE)))
    first = int(row[seen][0])
    if canvas.origin[0] == 0 and first > 0:
        # Behind the beamstop: Guinier's law, a parabola in the logarithm, with the slope that lies outside of it.
        near = slice(first, first + max(round(GUINIER * first), 3))
        slope = np.polyfit(row[near].astype(float) ** 2, profile[near], 1)[0]
        profile[:first] += min(slope, 0.0) * (row[:first].astype(float) ** 2 - first**2)
    return np.repeat(profile[:, None], canvas.columns, axis=1).astype(np.float32)


def counterparts(canvas: Canvas, reads: sparse.csr_array, counts: NDArray[np.floating]) -> NDArray[np.float32]:
    """What a network may know of the other side of the pattern: two maps, of mean 0 and standard deviation 1.

    The first is the smoothed pattern turned by half a circle (Friedel's law), the second the mean of its two mirror
    images, at the axis of its own second harmonic and square to it (fibre symmetry); both relative to the radial mean.
    But near its two axes, where a place is its own mirror image, neither holds the counts of the place where it is
    shown, and the network learns from the known pixels what they are worth.

    Parameters
    ----------
    canvas : Canvas
        A polar one that wraps.
    reads, counts
        As for `radial_start`.

    Returns
    -------
    maps : float32 array (2, rows, columns)

    Examples
    --------
    >>> from scatterheal.canvas import polar, sampling
    >>> canvas = polar((65, 65), (32, 32), radius_step=1, angles=32)
    >>> x = np.tile(np.arange(65.0), 65)
    >>> maps = counterparts(canvas, sampling(canvas, np.ones((65, 65), bool)), 20 + 5 * np.sign(x - 32))
    >>> bool(maps[0, 20, 0] > 0 > maps[0, 20, 16])  # bright on the right (azimuth 0, column 16): shown on the left
    True
    """
    total, pixels = _spread(canvas, reads, counts)
    expected = pixels * (total.sum(axis=1) / np.maximum(pixels.sum(axis=1), 1e-9))[:, None]
    half = canvas.columns // 2
    azimuth = canvas.origin[1] + canvas.step[1] * np.arange(canvas.columns)
    brightness = total.sum(axis=0) / np.maximum(expected.sum(axis=0), 1e-9)
    axis = np.angle((brightness * np.exp(2j * azimuth)).sum()) / 2
    around = round(2 * (axis - canvas.origin[1]) / canvas.step[1]) + 1

    def mirrored(values: NDArray) -> NDArray:
        image = np.roll(values[:, ::-1], around, axis=1)
        return image + np.roll(image, half, axis=1)

    parts = (total, expected, pixels)
    maps = np.stack([_filled(*(np.roll(part, half, axis=1) for part in parts)), _filled(*map(mirrored, parts))])
    maps -= maps.mean(axis=(1, 2), keepdims=True)
    return (maps / np.maximum(maps.std(axis=(1, 2), keepdims=True), 1e-9)).astype(np.float32)


def _spread(
    canvas: Canvas, reads: sparse.csr_array, counts: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts, and pixels, that fall to each cell of the canvas."""
    # Negative weights of a cubic interpolation would make pixels of less than nothing.
    back = abs(reads).T
    return tuple((back @ part).reshape(canvas.rows, canvas.columns) for part in (counts, np.ones(len(counts))))


def _filled(
    total: NDArray[np.float64], expected: NDArray[np.float64], pixels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Logarithm of counts over what is expected, smoothed, each place with the narrowest kernel that sees enough."""
    ratio, certain = np.zeros_like(total), np.zeros_like(total)
    enough = FEWEST * pixels.mean()
    for wider in range(WIDENINGS):
        widths = (ACROSS * 2 ** max(wider - 2, 0), ALONG * 2**wider)
        counted, due, seen = (
            ndimage.gaussian_filter(part, widths, mode=("nearest", "wrap")) for part in (total, expected, pixels)
        )
        # A count more on both sides, so that nothing is infinite and few counts say little.
        cells = 4 * np.pi * widths[0] * widths[1]
        here = np.log((counted * cells + 1) / (due * cells + 1))
        share = np.clip(seen / enough, 0, 1)
        ratio, certain = ratio + (1 - certain) * share * here, certain + (1 - certain) * share
    return ratio
