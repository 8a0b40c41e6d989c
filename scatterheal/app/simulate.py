"""Scans with known truth: two small demos, and six detector frames to measure methods by.

``python -m scatterheal.app.simulate`` writes the demos of ``scans/``; ``python -m scatterheal.app.simulate FOLDER``
writes the six frames, their truths and their YAML files into a folder.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scatterheal.mask.shapes import draw
from scatterheal.pattern import pixels
from scatterheal.reading.bitmaps import Rgb
from scatterheal.reading.detectors import detector_gaps
from scatterheal.reading.plot_area import Box
from scatterheal.settings.models import Shape
from scatterheal.storage import replacing, write_png, write_tiff

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


class Simulated(NamedTuple):
    """A detector frame of which everything is known."""

    counts: NDArray[np.int32]
    """(height, width): Poisson counts; -1 in the gaps between modules."""
    rate: NDArray[np.float32]
    """(height, width): counts that are expected in each pixel without anything in the way."""
    reasons: pixels.Bits
    """(height, width): what a careful person masks, in the bits of `scatterheal.pattern.pixels.REASONS`."""
    centre: tuple[float, float]
    """x, y of the beam, pixels."""


class Scene(NamedTuple):
    """What is simulated: a sample, and what stands between it and the detector."""

    title: str
    pattern: Callable[[Expected, Expected], Expected]
    """Relative intensity at radius (pixels, on a detector square to the beam) and azimuth chi (radians)."""
    mean: float
    """Expected counts of a valid pixel, on average."""
    box: Box
    """The part of a Pilatus 1M that is read out."""
    centre: tuple[float, float]
    """x, y of the beam in that part, pixels."""
    distance: float
    """From the sample to the detector, pixels of 0.172 mm."""
    tilt: tuple[float, float]
    """By how much the detector is not square to the beam, and towards which azimuth chi it leans away, degrees."""
    beamstop: tuple[float, float, float]
    """x, y and radius of the circle that a careful person draws, pixels; opaque."""
    holder: list[tuple[float, float]]
    """The polygon that a careful person draws, (x, y) in pixels."""
    transmission: float
    """Share of the photons that the holder lets through."""
    seed: int


# Share by which the sample's own absorption makes one side brighter, and the opposite one darker, far from the beam.
ABSORPTION = 0.05
# Height and width of the whole detector.
WHOLE = (1043, 981)
HOT, DEAD = 5, 4
# Hot pixels hold the detector's largest number, or so many times the brightest pixel near.
STUCK, FIRING = 1048575, 20
# A dead pixel can be told from an unlucky one only where at least so many counts are expected.
DEAD_AT = 30


def isotropic_rings(radius: Expected, chi: Expected) -> Expected:
    """A semicrystalline polymer without orientation: two strong rings and two weak ones on a halo."""
    halo = 1.3 * np.exp(-0.5 * ((radius - 150) / 38) ** 2) + 0.35 + 12 * np.exp(-radius / 22)
    rings = [(168, 4.5, 3.2), (187, 5, 1.3), (224, 5, 0.2), (279, 6, 0.35)]
    return halo + sum(ring(radius, chi, at, width, height, orientation=0) for at, width, height in rings)


def oriented_rings(radius: Expected, chi: Expected, fibre: float) -> Expected:
    """A drawn fibre: arcs on the equator, in four quadrants and on the meridian, on a halo.

    Parameters
    ----------
    radius, chi : float arrays
        From `radius_and_azimuth`.
    fibre : float
        Azimuth of the fibre's axis, radians.
    """
    equator = chi - fibre - np.pi / 2
    halo = 1.1 * np.exp(-0.5 * ((radius - 156) / 34) ** 2) * (1 + 0.3 * np.cos(equator) ** 2)
    arcs = [
        (165, 3.4, 16, 30, 0),
        (165, 3.6, 5, 6, 0),
        (184, 3.8, 7, 26, 0),
        (184, 4.0, 2, 6, 0),
        (236, 5.0, 1.2, 40, 0.86),
        (236, 5.0, 1.2, 40, -0.86),
        (318, 7.0, 0.9, 20, np.pi / 2),
    ]
    sharp = sum(ring(radius, equator - turned, at, width, height, even) for at, width, height, even, turned in arcs)
    return _absorbed(radius, chi, 0.3) * (0.25 + 14 * np.exp(-radius / 17) + halo + sharp)


def four_lobes(radius: Expected, chi: Expected) -> Expected:
    """Small-angle scattering of tilted lamellae: four lobes of a long period round a central, elongated spot."""
    along = chi - 1.13
    steep = 110 / (1 + (radius / 11) ** 2 * (1 + 1.2 * np.cos(along) ** 2)) ** 1.6
    lobes = ring(radius, along - 0.56, at=142, width=30, height=3.2, orientation=14)
    lobes += ring(radius, along + 0.56, at=142, width=30, height=2.6, orientation=14)
    diffuse = 0.4 / (1 + (radius / 130) ** 2) ** 2 + ring(radius, along, at=150, width=48, height=0.45, orientation=0)
    return 0.04 + steep + lobes + diffuse


def streak_with_halo(radius: Expected, chi: Expected) -> Expected:
    """Small-angle scattering of a drawn polymer: a streak of fibrils across its axis and a halo of a long period."""
    along, across = radius * np.cos(chi - 0.38), radius * np.sin(chi - 0.38)
    width = 2.2 + 0.045 * np.abs(along)
    streak = 170 / (1 + (along / 22) ** 2) ** 0.9 * np.exp(-0.5 * (across / width) ** 2) * 2.2 / width
    halo = ring(radius, chi, at=146, width=38, height=1.0, orientation=0)
    halo += ring(radius, chi - 0.38 - np.pi / 2, at=146, width=32, height=1.2, orientation=2)
    diffuse = 90 / (1 + (radius / 9) ** 2) ** 1.6 + 0.6 / (1 + (radius / 140) ** 2) ** 2
    return _absorbed(radius, chi, 2.2) * (0.04 + diffuse + streak + halo)


def powder_rings(radius: Expected, chi: Expected) -> Expected:
    """A cubic powder with a little texture, in glass: rings with a full width of 3 pixels at half maximum."""
    # The sums h^2 + k^2 + l^2, each with a strength of its own.
    squares = np.arange(9) ** 2
    sums = np.unique(squares[:, None, None] + squares[:, None] + squares)[1:56]
    heights = 12 * np.random.default_rng(1).gamma(1.5, 0.6, sums.size) * np.exp(-sums / 35)
    # Far fewer radii than pixels: the profile once, and read off it.
    fine = np.arange(0, radius.max() + 1, 0.02)
    width = 3 / np.sqrt(8 * np.log(2))
    even = np.zeros_like(fine)
    rings = sum(ring(fine, even, 105 * np.sqrt(n), width, height, 0) for n, height in zip(sums, heights, strict=True))
    glass = 0.7 + 0.9 * np.exp(-0.5 * ((radius - 245) / 80) ** 2) + 30 * np.exp(-radius / 28)
    powder = np.interp(radius, fine, rings) * (1 + 0.15 * np.cos(2 * chi - 1.1))
    return _absorbed(radius, chi, -1.9) * (glass + powder)


def _absorbed(radius: Expected, chi: Expected, brighter: float) -> Expected:
    """A plate of sample that stands askew absorbs more on one side of the beam."""
    return 1 + ABSORPTION * np.cos(chi - brighter) * radius / (radius + 40)


def on_detector(scene: Scene, radius: Expected, chi: Expected) -> Expected:
    """Relative intensity where a tilted detector sees it, from a horizontally polarised beam.

    Parameters
    ----------
    scene : Scene
    radius, chi : float arrays
        On the detector itself, from `radius_and_azimuth`.

    References
    ----------
    .. [1] R. Kahn et al., "Macromolecular crystallography with synchrotron radiation: photographic data collection and
       polarization correction", J. Appl. Cryst. 15, 330-337 (1982), for the polarisation factor.
    """
    tilt, towards = np.radians(scene.tilt)
    along, across = radius * np.cos(chi - towards), radius * np.sin(chi - towards)
    tangent = np.hypot(along * np.cos(tilt), across) / (scene.distance + along * np.sin(tilt))
    sine = np.sin(np.arctan(tangent))
    return scene.pattern(scene.distance * tangent, chi) * (1 - (sine * np.cos(chi)) ** 2)


SCENES = {
    "isotropic_rings": Scene(
        title="isotropic rings of a semicrystalline polymer",
        pattern=isotropic_rings,
        mean=20,
        box=Box(200, 150, 760, 750),
        centre=(268.4, 318.7),
        distance=900,
        tilt=(0.3, 40),
        beamstop=(269, 318, 19),
        holder=[(-0.5, 352), (130, 336), (269, 323), (269, 313), (130, 325), (-0.5, 340)],
        transmission=0,
        seed=11,
    ),
    "oriented_rings": Scene(
        title="oriented rings of a drawn fibre",
        pattern=partial(oriented_rings, fibre=-1.18),
        mean=6,
        box=Box(120, 230, 680, 830),
        centre=(302.6, 268.3),
        distance=900,
        tilt=(0.4, -150),
        beamstop=(302, 269.5, 23),
        holder=[(-0.5, 285), (140, 281), (302, 275), (302, 262), (140, 252), (-0.5, 244)],
        transmission=0.3,
        seed=12,
    ),
    "four_lobes": Scene(
        title="four lobes of tilted lamellae",
        pattern=four_lobes,
        mean=12,
        box=Box(250, 60, 810, 660),
        centre=(291.2, 262.8),
        distance=12000,
        tilt=(0.3, 100),
        beamstop=(290.5, 263, 12),
        holder=[(286, 263), (279, 430), (274, 599.5), (287, 599.5), (291, 430), (295, 263)],
        transmission=0,
        seed=13,
    ),
    "streak_with_halo": Scene(
        title="a streak of fibrils with a halo",
        pattern=streak_with_halo,
        mean=30,
        box=Box(90, 300, 650, 900),
        centre=(264.7, 236.4),
        distance=12000,
        tilt=(0.3, 10),
        beamstop=(265.5, 237, 14),
        holder=[(260, 237), (262, 130), (267, -0.5), (276, -0.5), (273, 130), (271, 237)],
        transmission=0.1,
        seed=14,
    ),
    "weak_counts": Scene(
        title="oriented rings in a short exposure",
        pattern=partial(oriented_rings, fibre=0.44),
        mean=0.3,
        box=Box(180, 180, 740, 780),
        centre=(250.3, 341.9),
        distance=900,
        tilt=(0.4, 75),
        beamstop=(251, 341, 21),
        holder=[(251, 330), (400, 321), (559.5, 315), (559.5, 340), (400, 344), (251, 350)],
        transmission=0.5,
        seed=15,
    ),
    "strong_counts": Scene(
        title="sharp powder rings in a long exposure",
        pattern=powder_rings,
        mean=1900,
        box=Box(0, 0, 981, 1043),
        centre=(447.6, 553.2),
        distance=1150,
        tilt=(0.3, -60),
        beamstop=(447, 554, 27),
        holder=[(436, 548), (220, 830), (56, 1042.5), (76, 1042.5), (234, 838), (458, 559)],
        transmission=0,
        seed=16,
    ),
}


def simulated(name: str) -> Simulated:
    """One of the six frames: Poisson counts behind a beamstop and its holder, with gaps, hot and dead pixels.

    The expected counts are integrated over each pixel (three Gauss-Legendre points a side), so that rings of
    a few pixels are right. Shadows have soft edges, one and a half pixels inside what is masked. Hot pixels
    hold the detector's largest number or many times what is near; dead ones hold nothing and lie where that
    can be told.

    Parameters
    ----------
    name : str
        A key of `SCENES`.

    Returns
    -------
    Simulated
        The same on every call.

    Examples
    --------
    >>> weak = simulated("weak_counts")
    >>> weak.counts.shape, weak.centre
    ((600, 560), (250.3, 341.9))
    >>> round(float(weak.rate[weak.reasons == 0].mean()), 4)
    0.3
    """
    scene = SCENES[name]
    random = np.random.default_rng(scene.seed)
    shape = (scene.box.height, scene.box.width)
    gaps = scene.box.of(detector_gaps("Pilatus1M", WHOLE))
    flat = np.zeros(shape, np.float32)
    beamstop = draw(Shape(circle=scene.beamstop), flat)
    holder = draw(Shape(polygon=scene.holder), flat)
    reasons = pixels.GAP * gaps | pixels.BEAMSTOP * beamstop | pixels.HOLDER * holder
    expected = integrated(partial(on_detector, scene), shape, scene.centre)
    expected *= scene.mean / expected[reasons == 0].mean()
    counts = random.poisson(expected * _shadow(beamstop, 0) * _shadow(holder, scene.transmission)).astype(np.int32)
    hot = random.choice(np.flatnonzero(reasons == 0), HOT, replace=False)
    near = ndimage.maximum_filter(counts, 7).flat[hot]
    counts.flat[hot] = np.where(np.arange(HOT) < HOT // 2, STUCK, FIRING * (1 + near))
    bright = np.flatnonzero((reasons == 0) & (expected > DEAD_AT))
    dead = random.choice(bright, min(DEAD, bright.size), replace=False)
    counts.flat[dead] = 0
    reasons.flat[[*hot, *dead]] |= pixels.HOT_OR_DEAD
    counts[gaps] = -1
    return Simulated(counts, expected.astype(np.float32), reasons, scene.centre)


def integrated(
    pattern: Callable[[Expected, Expected], Expected], shape: tuple[int, int], centre: tuple[float, float]
) -> Expected:
    """A pattern's mean over each pixel's square, by three Gauss-Legendre points a side.

    Parameters
    ----------
    pattern : callable
        Intensity at radius (pixels) and azimuth chi (radians).
    shape : (height, width)
    centre : (x, y)
        The beam, pixels.

    Examples
    --------
    >>> integrated(lambda radius, chi: radius**2, (1, 2), (0, 0)).round(4).tolist()
    [[0.1667, 1.1667]]
    """
    points, weights = np.polynomial.legendre.leggauss(3)
    total = np.zeros(shape)
    for dy, along_y in zip(points / 2, weights / 2, strict=True):
        for dx, along_x in zip(points / 2, weights / 2, strict=True):
            total += along_x * along_y * pattern(*radius_and_azimuth(shape, (centre[0] - dx, centre[1] - dy)))
    return total


def _shadow(drawn: NDArray[np.bool_], transmission: float) -> Expected:
    """Share of the photons that pass: less than one only inside of what is drawn, with an edge of three pixels."""
    opaque = ndimage.binary_erosion(drawn, np.ones((3, 3)), border_value=1).astype(np.uint8)
    return 1 - (1 - transmission) * ndimage.correlate(opaque, np.ones((3, 3)), mode="nearest") / 9


def write_scans(folder: Path) -> None:
    """Write the six frames, their truths, and YAML files with careful masks, ready for the pipeline.

    Parameters
    ----------
    folder : Path
        Made where it is missing; ``snakemake --config scans=FOLDER`` then heals them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, scene in SCENES.items():
        scan = simulated(name)
        write_tiff(folder / f"{name}.tif", scan.counts)
        write_tiff(folder / f"{name}_truth.tif", scan.rate)
        with replacing(folder / f"{name}.yaml") as part:
            part.write_text(
                f"# Simulated: {scene.title}; {scene.mean:g} counts a pixel.\n"
                f"image: {name}.tif\n"
                "kind: frame\n"
                f"centre: {list(scene.centre)}\n"
                f"truth: {name}_truth.tif\n"
                "mask:\n"
                f"  beamstop: {{circle: {list(scene.beamstop)}}}\n"
                f"  holder: {{polygon: {list(map(list, scene.holder))}}}\n"
                "  outside: none\n"
                "  stripes: {horizontal: none, vertical: none}\n",
                encoding="utf-8",
            )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write_scans(Path(sys.argv[1]))
    else:
        write_demos(Path("scans"))
