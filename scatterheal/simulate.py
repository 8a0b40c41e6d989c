"""Scans with known truth: the two demo scans in ``scans/`` (``python -m scatterheal.simulate``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scatterheal.bitmaps import Rgb
from scatterheal.storage import write_png, write_tiff

Expected = NDArray[np.float64]

# Where the demo scans keep their holes, in pixels; the same figures stand in their YAML files.
FIGURE_SHAPE, FIGURE_CENTRE = (160, 208), (103.0, 84.0)
FRAME_SHAPE, FRAME_CENTRE = (180, 164), (84.0, 93.0)
COLOUR_RANGE = (0.0, 3.0)


def radius_and_azimuth(shape: tuple[int, int], centre: tuple[float, float]) -> tuple[Expected, Expected]:
    """Distance from the beam centre in pixels, and azimuth chi in radians.

    Parameters
    ----------
    shape : (height, width)
    centre : (x, y)
        Pixel centres are at integers.

    Examples
    --------
    >>> radius, chi = radius_and_azimuth((1, 4), (0, 0))
    >>> radius.tolist(), chi.tolist()
    ([[0.0, 1.0, 2.0, 3.0]], [[0.0, 0.0, 0.0, 0.0]])
    """
    y, x = np.indices(shape, dtype=float)
    return np.hypot(x - centre[0], y - centre[1]), np.arctan2(y - centre[1], x - centre[0])


def ring(radius: Expected, chi: Expected, at: float, width: float, height: float, orientation: float) -> Expected:
    """A ring whose intensity is gathered in two opposite arcs.

    Parameters
    ----------
    radius, chi : float arrays
        From `radius_and_azimuth`.
    at, width : float
        Radius and Gaussian width, pixels.
    height : float
        Counts at the arcs' maxima.
    orientation : float
        Exponent of |cos chi|: 0 is an even ring, larger ones make shorter arcs on the horizontal axis.
    """
    return height * np.exp(-0.5 * ((radius - at) / width) ** 2) * np.abs(np.cos(chi)) ** orientation


def saxs_pattern() -> Expected:
    """Expected counts of a moulded polymer: a central streak, two lobes of a long period."""
    radius, chi = radius_and_azimuth(FIGURE_SHAPE, FIGURE_CENTRE)
    centre = 700 * np.exp(-radius / 5) + 120 * np.exp(-radius / 14) * np.abs(np.sin(chi)) ** 4
    lobes = ring(radius, chi, at=52, width=15, height=30, orientation=2.5)
    return 1.2 + centre + lobes + ring(radius, chi, at=52, width=15, height=6, orientation=0)


def waxs_pattern() -> Expected:
    """Expected counts of a drawn polymer: an amorphous halo and two crystal rings in arcs."""
    radius, chi = radius_and_azimuth(FRAME_SHAPE, FRAME_CENTRE)
    halo = 14 * np.exp(-0.5 * ((radius - 44) / 16) ** 2) + 60 * np.exp(-radius / 10)
    inner = ring(radius, chi + np.pi / 2, at=42, width=2.2, height=60, orientation=6)
    outer = ring(radius, chi + np.pi / 2, at=54, width=2.2, height=30, orientation=4)
    return 2.0 + halo + inner + outer


def demo_figure() -> tuple[Rgb, Rgb]:
    """A plotted figure (axes, title, colour bar) of log10 counts with stripes, beamstop and holder.

    Returns
    -------
    figure, truth : uint8 arrays (height, width, 3)
        The whole picture; and the same picture without noise and holes.
    """
    expected = saxs_pattern()
    counts = np.random.default_rng(1).poisson(expected).astype(float)
    radius, _ = radius_and_azimuth(FIGURE_SHAPE, FIGURE_CENTRE)
    counts[27:35] = counts[115:123] = 0
    counts[radius < 5] = 0
    counts[89:, 101:106] *= 0.1
    return _plotted(np.log10(np.maximum(counts, 1))), _plotted(np.log10(expected))


def demo_frame() -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Counts of four detector modules with gaps (-1), a beamstop with holder and two hot pixels.

    Returns
    -------
    counts : int32 array (180, 164)
    truth : float32 array (180, 164)
        Expected counts, without noise and holes.
    """
    expected = waxs_pattern()
    counts = np.random.default_rng(2).poisson(expected).astype(np.int32)
    radius, _ = radius_and_azimuth(FRAME_SHAPE, FRAME_CENTRE)
    counts[radius < 9] = 0
    counts[90:97, :84] = 0
    counts[40, 30] = counts[141, 120] = 1048575
    counts[62:69] = counts[118:125] = -1
    counts[:, 100:104] = -1
    return counts, expected.astype(np.float32)


def _plotted(values: Expected) -> Rgb:
    """The values as a figure whose plot area shows each of them as one pixel."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height, width = values.shape
    left, below, right, above = 52, 46, 84, 34
    whole = (width + left + right, height + below + above)
    figure = Figure(figsize=(whole[0] / 100, whole[1] / 100), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((left / whole[0], below / whole[1], width / whole[0], height / whole[1]))
    bar = figure.add_axes(((left + width + 14) / whole[0], below / whole[1], 12 / whole[0], height / whole[1]))
    low, high = COLOUR_RANGE
    shown = axes.imshow(values, cmap="jet", vmin=low, vmax=high, interpolation="nearest", aspect="auto")
    figure.colorbar(shown, cax=bar)
    axes.set_title("demo_saxs (log. scale)", fontsize=9)
    axes.set_xlabel("x [pixel]", fontsize=8)
    axes.set_ylabel("y [pixel]", fontsize=8)
    for side in (axes, bar):
        side.tick_params(labelsize=7)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def write_demos(folder: Path) -> None:
    """Write both demo scans and their truths."""
    figure, truth = demo_figure()
    write_png(folder / "demo_saxs.png", figure)
    write_png(folder / "demo_saxs_truth.png", truth)
    counts, expected = demo_frame()
    write_tiff(folder / "demo_waxs.tif", counts)
    write_tiff(folder / "demo_waxs_truth.tif", expected)


if __name__ == "__main__":
    write_demos(Path("scans"))
