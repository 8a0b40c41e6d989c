"""From a figure's colours back to values: the colour table of a bar or a named map, and its inversion."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, make_interp_spline
from scipy.spatial import cKDTree
from skimage.color import rgb2lab

from scatterheal.errors import ScanError
from scatterheal.pattern.meaning import ColourTable
from scatterheal.reading.bitmaps import Rgb

# Length of nearly every colour map: matplotlib's, and MATLAB's since R2019b.
ENTRIES = 256
# A bar this close to a named map, Lab distance (CIE76), shows that map: the distance of colours that are rounded in
# another way; and, where the bar shows no steps of its own, the distance that an eye just notices.
SAME, NOTICEABLE = 1.0, 2.3
# Bounds of the tolerance that an image's own noise sets, Lab distance.
TOLERANCES = (3.0, 10.0)
# A rim of one pixel is off altogether when more than this share of it is.
SHADED = 0.25

# Knots of a cubic spline through parula's colours, equally spaced from its low to its high end. Fitted to the pixels
# of a colour bar in a MATLAB figure that was published as JPEG; within 0.8 Lab units of the map at the
# ten places that were compared.
# fmt: off
_PARULA = (
    (60, 37, 165), (67, 50, 204), (70, 66, 230), (71, 85, 245), (66, 103, 254), (52, 121, 252), (44, 139, 243),
    (37, 155, 231), (29, 170, 224), (5, 182, 205), (18, 190, 186), (49, 198, 161), (71, 203, 134), (116, 205, 100),
    (160, 201, 66), (202, 193, 39), (235, 186, 51), (255, 194, 59), (249, 213, 44), (245, 233, 35), (251, 252, 15),
)
# fmt: on


class Inverted(NamedTuple):
    """What the colours of an image say; every array is (height, width)."""

    position: NDArray[np.float32]
    """The middle of the interval below, 0..1 along the colour bar; NaN where off."""
    lower: NDArray[np.float32]
    """The lowest position that the colour allows; NaN where off."""
    upper: NDArray[np.float32]
    """The highest position that the colour allows; NaN where off."""
    residual: NDArray[np.float32]
    """Lab distance (CIE76) to the nearest colour of the table."""
    off: NDArray[np.bool_]
    """True where the colour is not one of the table's: ticks, lines, text, JPEG noise."""
    clipped_low: NDArray[np.bool_]
    """True where the colour is that of the table's low end: the value may lie anywhere below."""
    clipped_high: NDArray[np.bool_]
    """True where the colour is that of the table's high end."""
    tolerance: float
    """The largest residual that is not off, Lab distance."""


def colour_table(bar: Rgb) -> ColourTable:
    """The colour map behind a colour bar, from the bar's own pixels.

    A bar whose colours run through a named map, from one end to the other, shows that map. Else, where it shows
    its entries as steps of equal length, these are the entries. Where it does not (fewer pixels than
    entries, antialiasing, JPEG), it is the named map that an eye does not tell from it, or else 256 entries
    interpolated between the bar's pixels.

    Parameters
    ----------
    bar : uint8 array (n, 3)
        The colours along the bar from its low to its high end, one for each pixel.

    Raises
    ------
    ScanError
        The bar has less than three colours.

    Examples
    --------
    >>> four = np.repeat(np.uint8([[0, 0, 90], [0, 0, 255], [0, 255, 0], [255, 0, 0]]), 5, axis=0)
    >>> table = colour_table(four)
    >>> table.colours[:, 1].tolist(), table.edges.tolist()
    ([0, 0, 255, 0], [0.0, 0.25, 0.5, 0.75, 1.0])
    """
    if len(np.unique(bar, axis=0)) < 3:
        raise ScanError("colour.map: the colour bar has less than three colours; name the map instead, as map: jet")
    likeliest, distance = _likeliest(bar)
    if distance < SAME:
        return likeliest
    return _stepped(bar) or (likeliest if distance < NOTICEABLE else _interpolated(bar))


def named_table(name: str) -> ColourTable:
    """A named colour map: one of matplotlib's, `matlab_jet` (which is not matplotlib's jet), `csaxs_jet`, `parula`.

    Parameters
    ----------
    name : str
        For example ``"viridis"``; with ``_r`` it runs backwards.

    Raises
    ------
    ScanError
        There is no map of this name.

    References
    ----------
    matlab_jet: three trapezia, as the MATLAB documentation of `jet` draws them. csaxs_jet: the same with its
    first eight entries darkened towards black, as the figures of the beamline cSAXS (Swiss Light
    Source) show it. parula (of R2017a and later): a smooth curve measured on a colour bar, see `_PARULA`.

    Examples
    --------
    >>> named_table("matlab_jet").colours[[0, 8, 127, 255]].tolist()
    [[0, 0, 131], [0, 0, 163], [128, 255, 128], [128, 0, 0]]
    """
    import matplotlib

    plain = name.removesuffix("_r")
    if plain in ("matlab_jet", "csaxs_jet"):
        entry = np.arange(1, ENTRIES + 1) / (ENTRIES / 4)
        red, green, blue = (np.minimum(entry - start, start + 3 - entry) for start in (1.5, 0.5, -0.5))
        rgb = np.clip(np.column_stack([red, green, blue]), 0, 1) * 255
        if plain == "csaxs_jet":
            rgb[:8, 2] = np.arange(1, 9) / 8 * 255
    elif plain == "parula":
        knots = np.linspace(0, 1, len(_PARULA))
        rgb = np.clip(CubicSpline(knots, _PARULA)((np.arange(ENTRIES) + 0.5) / ENTRIES), 0, 255)
    elif name in matplotlib.colormaps:
        plain, cmap = name, matplotlib.colormaps[name]
        rgb = cmap(np.arange(cmap.N), bytes=True)[:, :3]
    else:
        raise ScanError(
            f"colour.map: there is no map {name!r}; use colourbar, matlab_jet, csaxs_jet, parula or one of matplotlib's"
        )
    colours = np.round(rgb).astype(np.uint8)
    return ColourTable(colours if plain == name else colours[::-1], np.linspace(0, 1, len(colours) + 1))


def invert(image: Rgb, table: ColourTable, tolerance: float | None = None) -> Inverted:
    """The position of every pixel's colour along the colour bar.

    Each colour takes the entry that is nearest in Lab space. A colour that stands at several places of the
    table (plateaus, repeated colours) gets the interval from the first to the last of them, since nothing tells
    them apart. A blend of two colours (antialiasing, resampling) is off, or takes a wrong entry where it happens
    to lie near the table. Text and ticks in a colour of the table, as black on grey, cannot be told either.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
        The plot area.
    table : ColourTable
        From `colour_table` or `named_table`.
    tolerance : float, optional
        Largest Lab distance (CIE76) to the table. By default five times the image's median distance,
        within 3..10: rounding alone stays below 3, JPEG noise raises it.

    Returns
    -------
    inverted : Inverted

    Raises
    ------
    ScanError
        More than half of the image is off the table: it is not this image's colour map.

    Examples
    --------
    >>> table = named_table("gray")
    >>> inverted = invert(np.uint8([[[0, 0, 0], [128, 128, 128], [128, 128, 128], [0, 200, 0]]]), table)
    >>> (inverted.position * 256).tolist(), inverted.off.tolist(), inverted.clipped_low.tolist()
    ([[0.5, 128.5, 128.5, nan]], [[False, False, False, True]], [[True, False, False, False]])
    """
    entries, first, last = _distinct(table)
    codes = image.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    seen, back = np.unique(codes, return_inverse=True)
    back = back.reshape(codes.shape)
    rgb = np.column_stack([seen >> 16, seen >> 8 & 255, seen & 255]).astype(np.uint8)
    distance, nearest = cKDTree(_lab(entries)).query(_lab(rgb))
    residual = distance.astype(np.float32)[back]
    noise = float(np.median(residual))
    if tolerance is None:
        tolerance = float(np.clip(5 * noise, *TOLERANCES))
    off = residual > tolerance
    if off.mean() > 0.5:
        raise ScanError(
            f"colour.map: {off.mean():.0%} of the plot's colours are not on this colour map; name the right one"
        )
    # The frame line shades the plot's rim: where many of a rim's colours are off, the others are by chance not.
    for rim in (off[0], off[-1], off[:, 0], off[:, -1]):
        rim |= rim.mean() > SHADED
    edges = table.edges[first][nearest], table.edges[last + 1][nearest]
    lower, upper = (np.where(off, np.nan, edge[back]).astype(np.float32) for edge in edges)
    # Noise spreads the end's colour over as many entries as it covers.
    noise = min(5 * noise, TOLERANCES[1])
    low, high = _end(table, noise), 1 - _end(ColourTable(table.colours[::-1], 1 - table.edges[::-1]), noise)
    return Inverted((lower + upper) / np.float32(2), lower, upper, residual, off, lower < low, upper > high, tolerance)


def to_values(inverted: Inverted, limits: tuple[float, float], scale: str) -> NDArray[np.float32]:
    """What the positions along a colour bar mean.

    On a linear scale it is the value in the middle of the interval that the colour allows. On a scale that
    shows log10 of counts it is the mean of the whole counts in that interval, which is the count itself
    where there is only one; where there is none, the geometric middle. The interval of a colour at the low
    end begins at no counts at all (`clipped_low`); at the high end the value is the least that the colour
    may stand for (`clipped_high`).

    Parameters
    ----------
    inverted : Inverted
        From `invert`.
    limits : (low, high)
        What the two ends of the colour bar are labelled with.
    scale : {"linear", "log10"}
        log10: the labels are log10 of counts.

    Returns
    -------
    values : float32 array (height, width)
        NaN where off.

    Examples
    --------
    >>> table = named_table("matlab_jet")
    >>> inverted = invert(table.colours[None, [0, 38, 61, 255]], table)
    >>> to_values(inverted, (0, 2), "log10").tolist()
    [[0.5, 2.0, 3.0, 99.0]]
    """
    low, high = limits
    lower, upper = (low + (high - low) * edge.astype(np.float64) for edge in (inverted.lower, inverted.upper))
    if scale == "linear":
        return ((lower + upper) / 2).astype(np.float32)
    # Edges are shares with a rounding error of float32; a count at an edge belongs to the entry above.
    first, beyond = (np.ceil(10**edge * (1 - 1e-6)) for edge in (lower, upper))
    counts = np.where(beyond > first, (first + beyond - 1) / 2, 10 ** ((lower + upper) / 2))
    counts = np.where(inverted.clipped_low, (beyond - 1) / 2, counts)
    return np.where(inverted.clipped_high, first, counts).astype(np.float32)


def _lab(rgb: Rgb) -> NDArray[np.float64]:
    return rgb2lab(rgb[None])[0]


def _distinct(table: ColourTable) -> tuple[Rgb, NDArray[np.intp], NDArray[np.intp]]:
    """The table's distinct colours, and the first and the last entry of each."""
    colours, first, back = np.unique(table.colours, axis=0, return_index=True, return_inverse=True)
    last = np.zeros(len(colours), np.intp)
    np.maximum.at(last, back.ravel(), np.arange(len(table.colours)))
    return colours, first, last


def _end(table: ColourTable, noise: float) -> float:
    """Where the colours cease that noise makes look like the table's first one."""
    lab = _lab(table.colours)
    like_first = np.linalg.norm(lab - lab[0], axis=1) <= noise
    return float(table.edges[len(lab) if like_first.all() else int(np.argmin(like_first))])


def _stepped(bar: Rgb) -> ColourTable | None:
    """The entries of a bar that shows them as steps of equal length; equal neighbours share one step."""
    found = []
    # At either end a frame may tint a pixel, which then is no entry, and cover another.
    for tinted_low, covered_low, tinted_high, covered_high in itertools.product((0, 1), repeat=4):
        part = bar[tinted_low : len(bar) - tinted_high]
        changes = np.flatnonzero((part[1:] != part[:-1]).any(axis=1)) + 1
        if not len(changes):
            continue
        colours = part[np.concatenate([[0], changes])]
        starts, length = changes + tinted_low + covered_low, len(bar) + covered_low + covered_high
        for entries in range(len(colours), math.ceil(length / 1.1)):
            steps = starts * entries / length
            # However the pixels were sampled, all edges are late or early in the same way, by less than one of them.
            nearest = np.round(steps - np.angle(np.exp(2j * np.pi * steps).mean()) / (2 * np.pi))
            late = (steps - nearest) * length / entries
            ends = np.concatenate([[0], nearest, [entries]])
            if np.ptp(late) < 1 and np.abs(late).max() <= 1 and (np.diff(ends) > 0).all():
                found.append((entries, ColourTable(colours, ends / entries)))
                break
    return min(found, key=lambda one: one[0] != ENTRIES)[1] if found else None


def _likeliest(bar: Rgb) -> tuple[ColourTable, float]:
    """The named map that a bar shows, if it shows one, and how far from it the bar's colours are, Lab distance."""
    import matplotlib

    shown, place = _lab(bar), (np.arange(len(bar)) + 0.5) / len(bar)
    tables = [named_table(name) for name in ("matlab_jet", "csaxs_jet", "parula", "gray", *matplotlib.colormaps)]
    curves = [_lab(table.colours) for table in tables]
    apart = np.array([np.linalg.norm(c[(place * len(c)).astype(int)] - shown, axis=1).mean() for c in curves])
    # Some of matplotlib's maps differ by the rounding of a level alone: the first will do.
    likeliest = int(np.argmax(apart < apart.min() + 0.3))
    table = tables[likeliest]
    distance, nearest = cKDTree(curves[likeliest]).query(shown)
    entries = len(table.colours)
    there = np.abs((nearest + 0.5) / entries - place) < 2 / len(bar) + 2 / entries
    distance = np.where(there, distance, np.inf)
    # A map of fewer entries runs through the same colours, in longer steps.
    if len(np.unique(bar, axis=0)) < 0.8 * min(len(bar), len(np.unique(table.colours, axis=0))):
        return table, math.inf
    # Both ends count by themselves: a low end of its own matters where most of an image is dark.
    end = max(4, len(bar) // 25)
    return table, max(
        float(np.quantile(distance, 0.9, method="higher")),
        *(float(np.quantile(part, 0.5, method="higher")) for part in (distance[:end], distance[-end:])),
    )


def _interpolated(bar: Rgb) -> ColourTable:
    """A bar as 256 entries, interpolated between its pixels and half a pixel beyond the outer ones."""
    place, wanted = ((np.arange(n) + 0.5) / n for n in (len(bar), ENTRIES))
    colours = np.clip(make_interp_spline(place, bar.astype(np.float64), k=1)(wanted), 0, 255)
    return ColourTable(np.round(colours).astype(np.uint8), np.linspace(0, 1, ENTRIES + 1))
