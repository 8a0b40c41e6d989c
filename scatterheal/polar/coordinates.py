"""Radius and azimuth of pixels round the beam."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def radius_and_chi(
    shape: tuple[int, int], centre: tuple[float, float], pixel_size: tuple[float, float] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance from the beam and azimuth of each pixel.

    Parameters
    ----------
    shape : (height, width)
    centre : (x, y)
        The beam centre, pixels; pixel centres are at integers.
    pixel_size : (height, width), optional
        Of a pixel; only their ratio matters. Without it pixels are square.

    Returns
    -------
    radius : float64 array (height, width)
        In units of a pixel's shorter side.
    chi : float64 array (height, width)
        Degrees from x (columns) towards y (rows), -180..180.

    Examples
    --------
    >>> radius, chi = radius_and_chi((1, 3), (0, 0), (1, 2))
    >>> radius.tolist(), chi.tolist()
    ([[0.0, 2.0, 4.0]], [[0.0, 0.0, 0.0]])
    """
    high, wide = np.divide(pixel_size or (1, 1), min(pixel_size or (1, 1)))
    y, x = np.indices(shape, dtype=float)
    down, right = (y - centre[1]) * high, (x - centre[0]) * wide
    return np.hypot(down, right), np.degrees(np.arctan2(down, right))
