"""From intensities to colours: one scale for all pictures of a scan."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from scatterheal.pattern.meaning import ColourTable, Meaning
from scatterheal.pattern.units import Scale, scale_of, to_unit
from scatterheal.reading.bitmaps import Rgb

# Perceptually uniform, dark where there is nothing.
COLOUR_MAP = "inferno"
# Grey of pixels of which nothing is known.
UNKNOWN = np.uint8(128)


class Look(NamedTuple):
    """How the numbers of a scan are drawn."""

    top: float = 1.0
    """Counts: what gets the brightest colour of `COLOUR_MAP`, on a scale of log(1 + n)."""
    table: ColourTable | None = None
    """A figure's own colour map, which its healing keeps."""
    limits: tuple[float, float] = (0.0, 1.0)
    """A figure: the values at the two ends of its map."""
    scale: str = "linear"
    """A figure: log10 where its limits are log10 of counts."""


def look_of(intensity: NDArray[np.float32], meaning: Meaning) -> Look:
    """The look of a scan: of a figure its own colours, of a frame a scale of counts.

    Parameters
    ----------
    intensity : float32 array (height, width)
        What the scan says; it sets the scale of counts.
    meaning : Meaning
    """
    if of_map := meaning.colour_scale:
        return Look(table=of_map.table, limits=of_map.limits, scale=of_map.scale)
    return Look(scale_of(intensity, "counts").high)


def render(image: NDArray, look: Look) -> Rgb:
    """Colours to look at.

    Parameters
    ----------
    image : uint8 or float32 array (height, width, 3) in 0..255, or float32 array (height, width)
        Colours, which stay as they are; or counts or values, NaN where nothing is known.
    look : Look
        How to draw counts and values.

    Examples
    --------
    >>> render(np.float32([[0, 50]]), Look(top=50)).tolist()
    [[[0, 0, 3], [252, 254, 164]]]
    """
    if image.ndim == 3:
        return np.clip(np.round(image), 0, 255).astype(np.uint8)
    if look.table is None:
        return colormaps[COLOUR_MAP](to_unit(np.nan_to_num(image), Scale("counts", 0, look.top)), bytes=True)[..., :3]
    low, high = look.limits
    known = np.isfinite(image)
    values = np.where(known, image, low)
    if look.scale == "log10":
        # Less than one count has no place on a logarithmic bar but its low end.
        values = np.where(known, np.log10(np.maximum(values, 10.0 ** (low - 1))), low)
    entry = np.searchsorted(look.table.edges, (values - low) / (high - low), side="right") - 1
    drawn = look.table.colours[np.clip(entry, 0, len(look.table.colours) - 1)]
    return np.where(known[..., None], drawn, UNKNOWN).astype(np.uint8)


def as_counted(picture: Rgb, healed: NDArray[np.float32], missing: NDArray[np.bool_], look: Look) -> Rgb:
    """A healed scan as it might have been counted, for the eye alone: with shot noise drawn in its holes.

    Expected counts are smooth and counts are not, so that on a picture of few counts the smooth holes stand out,
    however right they are.

    Parameters
    ----------
    picture : uint8 array (height, width, 3)
        The healed scan; its valid pixels stay as they are here.
    healed : float32 array (height, width)
        Expected counts where they were missing.
    missing : bool array (height, width)
    look : Look

    Returns
    -------
    picture : uint8 array (height, width, 3)
        Always the same for the same scan.

    Examples
    --------
    >>> healed, missing = np.float32([[4, 2.5]]), np.array([[False, True]])
    >>> look = Look(top=4)
    >>> bool((as_counted(render(healed, look), healed, missing, look) == render(np.float32([[4, 2]]), look)).all())
    True
    """
    drawn = np.random.default_rng(0).poisson(np.where(missing, np.maximum(healed, 0), 0)).astype(np.float32)
    return np.where(missing[..., None], render(drawn, look), picture)
