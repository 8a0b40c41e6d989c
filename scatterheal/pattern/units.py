"""From counts, values or colours to the range in which a mask is thresholded and a network paints, and back."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2gray

Unit = Literal["counts", "values", "colours"]

# What a full range of values that are no counts weighs where statistics of counts are asked for.
PSEUDO_COUNTS = 1000.0


class Scale(NamedTuple):
    """Which numbers become 0 and 1."""

    unit: Unit
    """counts: by log(1 + n); values, colours: in proportion."""
    low: float
    """What becomes 0; of counts always 0."""
    high: float
    """What becomes 1."""


def scale_of(
    image: NDArray,
    unit: Unit,
    limits: tuple[float, float] | None = None,
    valid: NDArray[np.bool_] | None = None,
) -> Scale:
    """The range of a scan.

    Parameters
    ----------
    image : uint8 array (height, width, 3) or float32 array (height, width)
        Colours, counts, or values.
    unit : {"counts", "values", "colours"}
        What the numbers are.
    limits : (low, high), optional
        The range of values: the ends of a figure's colour bar.
    valid : bool array (height, width), optional
        With it counts reach up to the largest valid one, for fitting; without it to the 99.9th
        percentile, for pictures.

    Examples
    --------
    >>> scale_of(np.float32([[1, 7, 1048575]]), "counts", valid=np.array([[True, True, False]])).high
    7.0
    >>> scale_of(np.float32([[0.2, 0.7]]), "values", (0, 1))
    Scale(unit='values', low=0, high=1)
    """
    if unit == "colours":
        return Scale(unit, 0.0, 255.0)
    if unit == "values":
        assert limits, "values have a range"
        return Scale(unit, *limits)
    counts = image[np.isfinite(image)] if valid is None else image[valid]
    top = np.percentile(counts, 99.9 if valid is None else 100) if counts.size else 1.0
    return Scale(unit, 0.0, max(float(top), 1.0))


def to_unit(image: NDArray, scale: Scale) -> NDArray[np.float32]:
    """Map an image to 0..1.

    Parameters
    ----------
    image : uint8 array (height, width, 3) or float32 array (height, width)
        Colours, counts or values; negative counts (codes of missing pixels) become 0.
    scale : Scale
        What is outside of its range is clipped.

    Returns
    -------
    unit : float32 array of the same shape

    Examples
    --------
    >>> to_unit(np.float32([[0, 9, 99, 500]]), Scale("counts", 0, 99)).round(2).tolist()
    [[0.0, 0.5, 1.0, 1.0]]
    """
    if scale.unit == "counts":
        return np.clip(np.log1p(np.maximum(image, 0)) / np.log1p(scale.high), 0, 1).astype(np.float32)
    return np.clip((image.astype(np.float32) - scale.low) / (scale.high - scale.low), 0, 1).astype(np.float32)


def from_unit(unit: NDArray[np.float32], scale: Scale) -> NDArray[np.float32]:
    """The inverse of `to_unit`: counts, values, or colours 0..255.

    Examples
    --------
    >>> from_unit(np.float32([[0, 0.5, 1]]), Scale("counts", 0, 99)).round(3).tolist()
    [[0.0, 9.0, 99.0]]
    """
    if scale.unit == "counts":
        return np.expm1(unit * np.log1p(scale.high)).astype(np.float32)
    return (scale.low + unit * (scale.high - scale.low)).astype(np.float32)


def luminance(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luminance of colours, 0..255, with the weights of ITU-R BT.709.

    It is not monotone in intensity for colour maps like jet, whose red end is darker than its middle.

    Examples
    --------
    >>> luminance(np.uint8([[[255, 255, 255], [0, 0, 255]]])).round().tolist()
    [[255.0, 18.0]]
    """
    return (255 * rgb2gray(image)).astype(np.float32)


def grey_levels(intensity: NDArray[np.float32], unit: Unit) -> NDArray[np.float32]:
    """Grey levels, stretched to 0..255: the basis of every mask threshold, as in the report.

    Counts become log(1 + n), other values stay as they are. The stretch runs from the 0.5th
    to the 99.9th percentile, so that neither a hot pixel nor a tick mark over a gap sets the scale.

    Parameters
    ----------
    intensity : float32 array (height, width)
        Counts (negative: codes, as dark as no counts), values or luminance; NaN: unknown, as dark as the darkest.
    unit : {"counts", "values", "colours"}
        What they are.

    Returns
    -------
    grey : float32 array (height, width)

    Examples
    --------
    >>> grey_levels(np.float32([[-1, 0, 9, 99, np.nan]]), "counts").round().tolist()
    [[0.0, 0.0, 128.0, 255.0, 0.0]]
    """
    known = np.isfinite(intensity)
    if not known.any():
        return np.zeros(intensity.shape, np.float32)
    grey = np.log1p(np.maximum(intensity, 0)) if unit == "counts" else intensity
    low, high = np.percentile(grey[known], [0.5, 99.9], method="closest_observation")
    grey = np.where(known, grey, low)
    return np.clip((grey - low) * (255 / max(high - low, 1e-12)), 0, 255).astype(np.float32)


def as_counts(
    intensity: NDArray[np.float32],
    unit: Unit,
    limits: tuple[float, float] | None = None,
) -> NDArray[np.float32]:
    """Counts as they are; anything else stretched to not less than 0, so that it can be treated like counts.

    Their scatter is then unlike that of counts, which whoever uses them has to measure.

    Parameters
    ----------
    intensity : float32 array (height, width)
        Counts, values or luminance 0..255.
    unit : {"counts", "values", "colours"}
        What they are.
    limits : (low, high), optional
        Of values.

    Examples
    --------
    >>> as_counts(np.float32([[0.25, 1.0]]), "values", (0, 1)).tolist()
    [[250.0, 1000.0]]
    """
    if unit == "counts":
        return intensity
    low, high = (0.0, 255.0)
    if unit == "values":
        assert limits, "values have a range"
        low, high = limits
    return ((intensity - low) * (PSEUDO_COUNTS / (high - low))).astype(np.float32)
