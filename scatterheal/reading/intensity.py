"""From a cropped scan to numbers that rise with the intensity: counts where that is possible."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal.errors import ScanError
from scatterheal.pattern.meaning import ColourScale, ColourTable, Meaning
from scatterheal.pattern.pixels import CLIPPED_HIGH, CLIPPED_LOW
from scatterheal.pattern.units import Unit, luminance
from scatterheal.reading.bitmaps import Rgb
from scatterheal.reading.colour_maps import Inverted, colour_table, invert, named_table, to_values
from scatterheal.reading.plot_area import BarLabels


class Intensity(NamedTuple):
    """A scan as numbers, and what they mean."""

    values: NDArray[np.float32]
    """(height, width); NaN where a figure's colour is not on its colour map."""
    flags: NDArray[np.uint8]
    """(height, width); bits CLIPPED_LOW and CLIPPED_HIGH."""
    meaning: Meaning
    inverted: Inverted | None = None
    """How well a figure's colours fit its colour map."""


def of_frame(counts: NDArray[np.float32]) -> Intensity:
    """A detector frame: its counts as they are.

    Parameters
    ----------
    counts : float32 array (height, width)
        Negative: the detector's code for no measurement; NaN: masked in the file.

    Returns
    -------
    Intensity
        In counts, also where they are not whole: `how` and `not_whole_share` of its meaning tell.

    Examples
    --------
    >>> of_frame(np.float32([[0, 7, -1]])).meaning.how
    'counts of the file'
    >>> of_frame(np.float32([[0.5, 7, 3, 2, -1]])).meaning.how.split(":")[0]
    'values of the file, 25 % of them not whole, taken as counts'
    """
    measured = counts[np.isfinite(counts) & (counts >= 0)]
    share = float((measured != np.round(measured)).mean())
    how = "counts of the file"
    if share > 0:
        how = (
            f"values of the file, {100 * share:.3g} % of them not whole, taken as counts: "
            "floors, block z and sd hold only as far as their noise is Poisson's"
        )
    return Intensity(counts, np.zeros(counts.shape, np.uint8), Meaning("counts", how, not_whole_share=share))


def of_figure(
    image: Rgb,
    bar: Rgb | None,
    labels: BarLabels,
    map_name: str = "auto",
    limits: tuple[float, float] | None = None,
    scale: Literal["linear", "log10"] | None = None,
) -> Intensity:
    """A figure: each colour becomes the value that its colour bar, or a named map, gives it.

    Parameters
    ----------
    image : uint8 array (height, width, 3)
        The plot area.
    bar : uint8 array (n, 3) or None
        The colour bar's colours, low end first.
    labels : BarLabels
        What the file's text says about the bar.
    map_name : str
        "auto", "colourbar", "luminance", or a map that `named_table` knows.
    limits : (low, high), optional
        The values at the ends of the bar; by default what the file's text says, else 0 and 1.
    scale : {"linear", "log10"}, optional
        By default what the file's text says, else linear.

    Returns
    -------
    Intensity
        In counts where the scale is log10 and a range is known, else in values.

    Raises
    ------
    ScanError
        There is no colour bar but one is asked for, no map of that name, or most colours are not on it.

    Examples
    --------
    >>> from scatterheal.reading.colour_maps import named_table
    >>> bar = named_table("viridis").colours
    >>> found = of_figure(bar[None, [0, 128, 255]], bar, BarLabels(), limits=(0, 2), scale="log10")
    >>> found.values.tolist(), found.flags.tolist(), found.meaning.unit
    ([[0.5, 10.0, 99.0]], [[1, 0, 2]], 'counts')
    """
    if map_name == "luminance" or (map_name == "auto" and bar is None):
        how = "luminance of the colours, which does not rise with intensity on maps such as jet"
        return Intensity(luminance(image), np.zeros(image.shape[:2], np.uint8), Meaning("colours", how))
    table, how = table_of(bar, map_name)
    inverted = invert(image, table)
    limits, scale = limits or labels.limits, scale or labels.scale or "linear"
    if limits is None:
        how += "; its range is not known: 0..1 along the map"
    unit: Unit = "counts" if scale == "log10" and limits else "values"
    limits, scale = (limits, scale) if limits else ((0.0, 1.0), "linear")
    flags = inverted.clipped_low * CLIPPED_LOW | inverted.clipped_high * CLIPPED_HIGH
    colour_scale = ColourScale(
        limits,
        scale,
        table,
        off_share=float(inverted.off.mean()),
        clipped_low_share=float(inverted.clipped_low.mean()),
        clipped_high_share=float(inverted.clipped_high.mean()),
        residual_median=float(np.median(inverted.residual)),
        tolerance=inverted.tolerance,
    )
    meaning = Meaning(unit, how, colour_scale=colour_scale)
    return Intensity(to_values(inverted, limits, scale), flags.astype(np.uint8), meaning, inverted)


def table_of(bar: Rgb | None, map_name: str) -> tuple[ColourTable, str]:
    """The colour table of a figure that is no luminance, and where it comes from, in words.

    Parameters
    ----------
    bar, map_name
        As for `of_figure`.

    Raises
    ------
    ScanError
        There is no colour bar but one is asked for, or no map of that name.
    """
    if map_name not in ("auto", "colourbar"):
        return named_table(map_name), f"colours inverted through the map {map_name}"
    if bar is None:
        raise ScanError("colour.map: no colour bar found beside the plot; name the map, or write luminance")
    return colour_table(bar), "colours inverted through the figure's colour bar"
