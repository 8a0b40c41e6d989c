"""A grid of radius and azimuth about the beam centre, and how an image's pixels lie on it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


class PolarMap(NamedTuple):
    """How an image's pixels lie on a grid of radius and azimuth."""

    weights: sparse.csr_array
    """(pixels, cells): bilinear weights of the four grid points round each pixel; `weights @ cells` samples a map
    at the pixels, `weights.T @ pixels` spreads pixels over the map."""
    shape: tuple[int, int]
    """Radii and azimuths of the grid."""
    radii: NDArray[np.floating]
    """(radii,): pixels."""


def polar_map(shape: tuple[int, int], centre: tuple[float, float], step: float, azimuths: int) -> PolarMap:
    """Lay a polar grid over an image.

    Parameters
    ----------
    shape : (height, width)
        Of the image.
    centre : (x, y)
        Of the beam, pixels; may lie outside of the image.
    step : float
        Distance of the grid's radii, pixels.
    azimuths : int
        Grid points in a full turn; the last is followed by the first.

    Returns
    -------
    PolarMap

    Examples
    --------
    >>> grid = polar_map((3, 3), (1, 1), 1.0, 4)
    >>> grid.shape, grid.radii.tolist()
    ((3, 4), [0.0, 1.0, 2.0])
    >>> radius = np.repeat(grid.radii, 4)
    >>> (grid.weights @ radius).reshape(3, 3).round(2).tolist()
    [[1.41, 1.0, 1.41], [1.0, 0.0, 1.0], [1.41, 1.0, 1.41]]
    """
    dx = np.arange(shape[1], dtype=np.float32) - np.float32(centre[0])
    dy = (np.arange(shape[0], dtype=np.float32) - np.float32(centre[1]))[:, None]
    radius = np.hypot(dx, dy).ravel() / np.float32(step)
    turn = (np.arctan2(dy, dx).ravel() * np.float32(azimuths / (2 * np.pi))) % np.float32(azimuths)
    first = int(radius.min())
    radii = int(radius.max()) - first + 2
    inner, before = radius.astype(np.int32), turn.astype(np.int32)
    outwards, onwards = radius - inner, turn - before
    inner -= first
    # The remainder of a tiny negative angle is a full turn.
    before %= azimuths
    after = (before + 1) % azimuths
    cells, weights = np.empty((radius.size, 4), np.int32), np.empty((radius.size, 4), np.float32)
    for column, (ring, azimuth, weight) in enumerate(
        (
            (inner, before, (1 - outwards) * (1 - onwards)),
            (inner, after, (1 - outwards) * onwards),
            (inner + 1, before, outwards * (1 - onwards)),
            (inner + 1, after, outwards * onwards),
        )
    ):
        cells[:, column] = ring * azimuths + azimuth
        weights[:, column] = weight
    rows = np.arange(0, 4 * radius.size + 1, 4, dtype=np.int32)
    matrix = sparse.csr_array((weights.ravel(), cells.ravel(), rows), shape=(radius.size, radii * azimuths))
    return PolarMap(matrix, (radii, azimuths), (np.arange(radii) + first) * step)
