"""Intensity over radius and over azimuth, with its standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal.pattern.geometry import Geometry

if TYPE_CHECKING:
    import pandas as pd

Where = NDArray[np.bool_]
Curve = NDArray[np.float64]

# A radius tells about the pattern when something is valid in at least this share of all directions, by sectors, ...
COVERED, SECTORS = 0.5, 36


class Measured(NamedTuple):
    """An image, which of its pixels count, and how sure they are; all arrays (height, width)."""

    image: NDArray[np.floating]
    """Counts, or rates where nothing was counted."""
    where: Where
    """The pixels that count."""
    variance: NDArray[np.floating]
    """Variance that no other pixel shares: a pixel's count where it was counted, 0 elsewhere; NaN: not known."""
    sd: NDArray[np.floating]
    """Standard deviation that neighbours share: of painted rates; 0 where a pixel was counted; NaN: not known."""


def q_of(radius: Curve, geometry: Geometry) -> Curve:
    """The modulus of the scattering vector, q = 4 pi / lambda sin(theta), on a detector upright to the beam.

    Parameters
    ----------
    radius : float64 array
        Distance from the beam in units of a pixel's shorter side.
    geometry : Geometry
        Its wavelength, distance and pixel size count.

    Returns
    -------
    q : float64 array
        1/nm; NaN where one of the three is not known.

    Examples
    --------
    >>> known = Geometry(wavelength=1e-10, distance=2.0, pixel_size=(1e-4, 1e-4))
    >>> q_of(np.array([0.0, 100.0]), known).round(4).tolist(), q_of(np.array([1.0]), Geometry(distance=2.0)).tolist()
    ([0.0, 0.3142], [nan])
    """
    wavelength, distance, pixel_size = geometry.wavelength, geometry.distance, geometry.pixel_size
    if not (wavelength and distance and pixel_size):
        return np.full(np.shape(radius), np.nan)
    theta = np.arctan(np.asarray(radius) * min(pixel_size) / distance) / 2
    return 4 * np.pi / (wavelength * 1e9) * np.sin(theta)


class Means(NamedTuple):
    """What the pixels of each bin say together."""

    pixels: Curve
    intensity: Curve
    error: Curve


def means_of(measured: Measured, bins: NDArray[np.intp], count: int, inside: Where) -> Means:
    """Mean and its standard deviation in each bin; NaN where it has no pixel, or where a pixel's own is not known."""
    chosen = measured.where & inside
    bins = bins[chosen]

    def sums(values: NDArray) -> Curve:
        return np.bincount(bins, values[chosen].astype(float), minlength=count).astype(float, copy=False)

    pixels = np.bincount(bins, minlength=count).astype(float)
    variance = sums(measured.variance) + sums(measured.sd) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return Means(pixels, sums(measured.image) / pixels, np.where(pixels > 0, np.sqrt(variance) / pixels, np.nan))


def radial_profile(measured: Measured, radius: Curve) -> pd.DataFrame:
    """I(r): the mean over all directions, in rings one pixel wide.

    Parameters
    ----------
    measured : Measured
    radius : float64 array (height, width)
        From `radius_and_chi`.

    Returns
    -------
    profile : DataFrame
        One row a ring, of radius 0, 1, ... up to the farthest pixel of the image: pixels, intensity (counts per pixel)
        and its error. The last two are NaN where no pixel counts, the error also where that of a pixel is not known.

    Examples
    --------
    >>> image = np.array([[9.0, 4.0, 2.0]])
    >>> profile = radial_profile(Measured(image, image > 3, image, 0 * image), np.array([[0.0, 1.2, 0.9]]))
    >>> profile.intensity.tolist(), profile.error.tolist()
    ([9.0, 4.0], [3.0, 2.0])
    """
    import pandas as pd

    bins = np.rint(radius).astype(np.intp)
    return pd.DataFrame(means_of(measured, bins, bins.max() + 1, measured.where)._asdict())


def r_factor(intensity: Curve, reference: Curve, pixels: Curve) -> float | None:
    """How far two profiles are apart: the rms of their difference over their mean, weighted with pixels.

    Parameters
    ----------
    intensity, reference : float64 arrays of the same length
        NaN: not measured.
    pixels : float64 array of the same length
        How many pixels each point stands for: the few of an image's corners are mostly noise.

    Returns
    -------
    r_factor : float or None
        None where they have no point in common.

    References
    ----------
    pyFAI.utils.mathutil.rwp adds the same squares up, without weights.

    Examples
    --------
    >>> round(r_factor(np.array([1.1, 5, np.nan]), np.array([0.9, 5, 7]), np.array([30, 10, 10])), 4)
    0.1732
    """
    both = np.isfinite(intensity) & np.isfinite(reference) & (intensity + reference > 0)
    if not both.any():
        return None
    apart = 2 * (intensity - reference)[both] / (intensity + reference)[both]
    return float(np.sqrt(np.average(apart**2, weights=pixels[both])))
