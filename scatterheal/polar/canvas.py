"""The canvas that a network paints on, and how the scan's own pixels see it.

The data are never resampled: the network paints in polar coordinates (a row a radius, a column an azimuth chi) or
on a coarser Cartesian grid, and every pixel of the scan reads its value there by interpolation, as one row of a
sparse matrix S. The size of the network so does not depend on that of the detector.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]

# S is made of bands of about so many pixels: what is needed on the way takes several times the memory of the result.
BAND = 2**18


class Canvas(NamedTuple):
    """A grid to paint on."""

    rows: int
    columns: int
    centre: tuple[float, float] | None
    """Beam centre (x, y) in pixels of the scan; None: a Cartesian canvas."""
    origin: tuple[float, float]
    """What the first row and column stand for: radius in pixels and chi in radians, or y and x in pixels."""
    step: tuple[float, float]
    """From a row to the next and from a column to the next, in the same units."""
    wraps: bool
    """Whether the first column follows on the last one."""


class View(NamedTuple):
    """How all pixels of a scan see a canvas: the same whatever is known of them, so that many trainings share it."""

    canvas: Canvas
    reads: sparse.csr_array
    """S: (pixels, cells), from `sampling`."""
    spreads: sparse.csr_array
    """Its transpose, with sorted rows."""


def cartesian(shape: tuple[int, int], max_side: int | None) -> Canvas:
    """A canvas like the scan, but with at most `max_side` rows and columns.

    Parameters
    ----------
    shape : (height, width)
        Of the scan.
    max_side : int or None
        None: a row and a column for every one of the scan's.

    Examples
    --------
    >>> cartesian((620, 775), 282)[:2], cartesian((100, 80), 282)[:2]
    ((226, 282), (100, 80))
    """
    height, width = shape
    factor = min(1.0, (max_side or max(shape)) / max(shape))
    rows, columns = max(round(height * factor), 1), max(round(width * factor), 1)
    step = height / rows, width / columns
    # The outer edges of both grids coincide.
    return Canvas(rows, columns, None, ((step[0] - 1) / 2, (step[1] - 1) / 2), step, False)


def polar(shape: tuple[int, int], centre: tuple[float, float], radius_step: float, angles: int) -> Canvas:
    """A canvas of radius and azimuth that covers the scan.

    Parameters
    ----------
    shape : (height, width)
        Of the scan.
    centre : (x, y)
        Of the beam, in pixels of the scan; it may lie outside of it.
    radius_step : float
        Pixels from one row to the next.
    angles : int
        Columns: round the whole circle, or across the part of it that the scan covers where the centre lies outside.

    Examples
    --------
    >>> canvas = polar((101, 101), (50, 50), radius_step=0.5, angles=360)
    >>> canvas.rows, canvas.columns, canvas.wraps
    (143, 360, True)
    >>> outside = polar((101, 101), (-200, 50), radius_step=1, angles=360)
    >>> outside.origin[0], outside.wraps, round(outside.step[1] * 359, 2)
    (200.0, False, 0.49)
    """
    height, width = shape
    x, y = centre
    corners_x, corners_y = np.array([0, 0, width - 1, width - 1]) - x, np.array([0, height - 1, 0, height - 1]) - y
    nearest = np.hypot(x - np.clip(x, 0, width - 1), y - np.clip(y, 0, height - 1))
    farthest = np.hypot(corners_x, corners_y).max()
    rows = int(np.ceil((farthest - nearest) / radius_step)) + 1
    if nearest == 0:
        return Canvas(rows, angles, centre, (0.0, -np.pi), (radius_step, 2 * np.pi / angles), True)
    towards = np.arctan2((height - 1) / 2 - y, (width - 1) / 2 - x)
    # A convex scan that does not hold the centre spans less than half a circle, between two of its corners.
    spread = (np.arctan2(corners_y, corners_x) - towards + np.pi) % (2 * np.pi) - np.pi
    first, last = float(towards + spread.min()), float(towards + spread.max())
    return Canvas(
        rows, angles, centre, (float(nearest), float(first)), (radius_step, (last - first) / (angles - 1)), False
    )


def polar_features(canvas: Canvas, centre: tuple[float, float]) -> NDArray[np.float32]:
    """Where the cells of a Cartesian canvas lie round the beam: radius, and cosine and sine of the azimuth, in 0..1.

    Parameters
    ----------
    canvas : Canvas
        A Cartesian one.
    centre : (x, y)
        Of the beam, in pixels of the scan.

    Returns
    -------
    maps : float32 array (3, rows, columns)

    Examples
    --------
    >>> polar_features(cartesian((1, 3), None), (0.0, 0.0))[:, 0, 2].tolist()
    [1.0, 1.0, 0.5]
    """
    y, x = (
        (first + step * np.arange(count) - of_centre)
        for first, step, count, of_centre in zip(
            canvas.origin, canvas.step, (canvas.rows, canvas.columns), centre[::-1], strict=True
        )
    )
    radius, azimuth = np.hypot(y[:, None], x), np.arctan2(y[:, None], x)
    maps = radius / max(radius.max(), 1), (1 + np.cos(azimuth)) / 2, (1 + np.sin(azimuth)) / 2
    return np.stack(maps).astype(np.float32)


def view(canvas: Canvas, shape: tuple[int, int]) -> View:
    """How a scan sees a canvas.

    Parameters
    ----------
    canvas : Canvas
    shape : (height, width)
        Of the scan.

    Examples
    --------
    >>> seen = view(cartesian((2, 4), max_side=2), (2, 4))
    >>> seen.reads.shape, seen.spreads.shape, seen.spreads.sum(axis=1).tolist()
    ((8, 2), (2, 8), [4.0, 4.0])
    """
    reads = sampling(canvas, np.ones(shape, bool))
    return View(canvas, reads, sparse.csr_array(reads.T))


def sampling(canvas: Canvas, pixels: NDArray[np.bool_]) -> sparse.csr_array:
    """The matrix S: what each pixel of a scan reads from the canvas.

    Parameters
    ----------
    canvas : Canvas
    pixels : bool array (height, width)
        Which pixels of the scan read.

    Returns
    -------
    weights : sparse float32 array (pixels, rows * columns)
        With 32-bit indices. Each row sums to 1: linear interpolation between columns, and between rows where the canvas
        is Cartesian; cubic between the rows of a polar one, since rings may be hardly wider than the distance of two
        rows.

    References
    ----------
    Keys, Cubic convolution interpolation for digital image processing, IEEE Trans. ASSP 29 (1981) 1153-1160.

    Examples
    --------
    >>> canvas = cartesian((2, 4), max_side=2)
    >>> sampling(canvas, np.ones((2, 4), bool)).todense()[:4].tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
    """
    rows = max(BAND // pixels.shape[1], 1)
    bands = (np.nonzero(pixels[first : first + rows]) for first in range(0, len(pixels), rows))
    return sparse.vstack([_weights(canvas, y + rows * k, x) for k, (y, x) in enumerate(bands)], format="csr")


def _weights(canvas: Canvas, y: NDArray[np.int64], x: NDArray[np.int64]) -> sparse.csr_array:
    """What the pixels at these rows and columns of a scan read."""
    down: Floats = y.astype(np.float64)
    right: Floats = x.astype(np.float64)
    if canvas.centre is not None:
        right, down = right - canvas.centre[0], down - canvas.centre[1]
        # Outwards, and in angle.
        down, right = np.hypot(right, down), np.arctan2(down, right)
    row, column = (down - canvas.origin[0]) / canvas.step[0], right - canvas.origin[1]
    if canvas.centre is None:
        rows, across = _linear(row, canvas.rows, wraps=False)
    else:
        rows, across = _cubic(row, canvas.rows)
        # At most half a turn from the middle: rounding sends no pixel from the first column to the last.
        middle = canvas.step[1] * (canvas.columns - 1) / 2
        column = (column - middle + np.pi) % (2 * np.pi) - np.pi + middle
    column /= canvas.step[1]
    columns, along = _linear(column, canvas.columns, canvas.wraps)
    places = rows[:, :, None] * canvas.columns + columns[:, None, :]
    weights = across[:, :, None] * along[:, None, :]
    each = places.shape[1] * places.shape[2]
    starts = np.arange(0, each * len(y) + 1, each, dtype=np.int32)
    reads = sparse.csr_array(
        (weights.astype(np.float32).ravel(), places.astype(np.int32).ravel(), starts),
        shape=(len(y), canvas.rows * canvas.columns),
    )
    reads.sum_duplicates()
    reads.eliminate_zeros()
    return reads


def _linear(at: Floats, count: int, wraps: bool) -> tuple[NDArray[np.int64], Floats]:
    """The two grid lines round each position, and their weights."""
    at = at % count if wraps else np.clip(at, 0, count - 1)
    first = np.minimum(np.floor(at).astype(np.int64), count - 1 if wraps else max(count - 2, 0))
    second = (first + 1) % count if wraps else np.minimum(first + 1, count - 1)
    share = at - first
    return np.stack([first, second], axis=1), np.stack([1 - share, share], axis=1)


def _cubic(at: Floats, count: int) -> tuple[NDArray[np.int64], Floats]:
    """The four grid lines round each position, and their weights; beyond the rim the outermost repeats."""
    at = np.clip(at, 0, count - 1)
    first = np.floor(at).astype(np.int64)
    t = at - first
    weights = [
        t * (-1 + t * (2 - t)) / 2,
        1 + t * t * (1.5 * t - 2.5),
        t * (1 + t * (4 - 3 * t)) / 2,
        t * t * (t - 1) / 2,
    ]
    lines = np.clip(first[:, None] + np.arange(-1, 3), 0, count - 1)
    return lines, np.stack(weights, axis=1)
