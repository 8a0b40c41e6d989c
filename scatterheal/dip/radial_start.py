"""What the rings of a pattern tell before any training: its radial profile.

It is made of known pixels alone, spread from the scan over a polar canvas by the transpose of S.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from scatterheal.polar.canvas import Canvas

Floats = NDArray[np.float64]

# Rates below this many counts a pixel are as good as none.
LEAST_RATE = 0.02
# The radial profile is smoothed with these kernels, rows, as far as they agree within so many standard deviations.
SCALES = (0.5, 1.0, 1.5, 2.2, 3.2, 4.6, 6.6, 9.5, 14.0, 20.0)
AGREEMENT = 2.0
# How bright each sector is may change within this share of the radius, and so many rows.
WIDTH, ROWS = 0.08, 4.0
# The pattern behind the beamstop goes by what lies outside of it up to this share of its radius.
GUINIER = 0.5


def radial_start(canvas: Canvas, reads: sparse.csr_array, counts: NDArray[np.floating]) -> NDArray[np.float32]:
    """The logarithm of the mean counts at each radius: what an isotropic pattern would be.

    A hole that hides the brighter part of a ring does not darken the mean: how bright each sector is, as a ratio that
    changes slowly with the radius, is estimated first. Each radius takes the widest of several Gaussian kernels that
    agrees with all narrower ones within their errors (intersection of confidence intervals), so that rings stay sharp
    and a weak background is not noisy. Behind the beamstop the profile goes on with the slope that it has outside,
    flattening towards the beam.

    Parameters
    ----------
    canvas : Canvas
        A polar one; its columns are the sectors.
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
    >>> from scatterheal.polar.canvas import polar, sampling
    >>> canvas = polar((65, 65), (32, 32), radius_step=1, angles=32)
    >>> reads = sampling(canvas, np.ones((65, 65), bool))
    >>> start = radial_start(canvas, reads, np.full(65 * 65, 7.0))
    >>> float(np.exp(start[10, 0]).round(3)), float(np.ptp(start).round(3))
    (7.0, 0.0)
    """
    # Negative weights of a cubic interpolation would make pixels of less than nothing.
    back = abs(reads).T
    total, pixels = ((back @ part).reshape(canvas.rows, -1) for part in (counts, np.ones(len(counts))))
    seen = pixels.sum(axis=1) > 0
    mean = _profile(total.sum(axis=1), pixels.sum(axis=1))
    # The ratios go by the mean and the mean by the ratios: the second time hardly anything changes.
    for _ in range(2):
        mean = _profile(total.sum(axis=1), (pixels * _brightness(canvas, total, mean[:, None] * pixels)).sum(axis=1))
    profile, row = np.log(mean), np.arange(canvas.rows, dtype=float)
    first = int(np.flatnonzero(seen)[0])
    if canvas.origin[0] == 0 and first > 0:
        # Behind the beamstop: Guinier's law, a parabola in the logarithm, with the slope that lies outside of it.
        near = slice(first, first + max(round(GUINIER * first), 3))
        slope = np.polyfit(row[near] ** 2, profile[near], 1)[0]
        profile[:first] = profile[first] + min(slope, 0.0) * (row[:first] ** 2 - first**2)
    return np.repeat(profile[:, None], canvas.columns, axis=1).astype(np.float32)


def _profile(total: Floats, pixels: Floats) -> Floats:
    """Counts over pixels of each row, smoothed as far as its noise asks for; rows without pixels between their next."""
    low, high = np.full(len(total), -np.inf), np.full(len(total), np.inf)
    chosen, agreed = np.full(len(total), np.nan), np.ones(len(total), bool)
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
    row, seen = np.arange(len(total)), np.isfinite(chosen) & (pixels > 0)
    return np.exp(np.interp(row, row[seen], np.log(np.maximum(chosen[seen], LEAST_RATE))))


def _brightness(canvas: Canvas, counts: Floats, expected: Floats) -> Floats:
    """How bright each sector is beside the mean of its ring, (rows, columns): a ratio that changes slowly.

    Radii where a sector is not seen take it from the nearest where it is, since the kernel has long tails. One count as
    expected is added, so that few counts say little.
    """
    row = np.arange(canvas.rows)
    knots = [0.0]
    while knots[-1] < canvas.rows - 1:
        knots.append(knots[-1] + max(ROWS, WIDTH * knots[-1]) / 2)
    places = np.array(knots)[:, None]
    kernels = (1 + ((row - places) / np.maximum(ROWS, WIDTH * places)) ** 2) ** -2.0
    ratio = (kernels @ counts + 1) / (kernels @ expected + 1)
    ratio /= ratio.mean(axis=1, keepdims=True)
    return np.stack([np.interp(row, knots, of_sector) for of_sector in ratio.T], axis=1)
