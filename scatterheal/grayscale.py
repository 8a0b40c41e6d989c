"""From counts or colours to the range in which a mask is thresholded and a network paints."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2gray


def top_count(image: NDArray, valid: NDArray[np.bool_] | None = None) -> float:
    """The count at the upper end of a frame's range; 255 for colours.

    Parameters
    ----------
    image : uint8 array (height, width, 3) or float32 array (height, width)
        Colours or counts.
    valid : bool array (height, width), optional
        With it the largest valid count, for fitting; without it the 99.9th percentile, for pictures.

    Examples
    --------
    >>> top_count(np.float32([[1, 7, 1048575]]), np.array([[True, True, False]]))
    7.0
    """
    if image.ndim == 3:
        return 255.0
    counts = image[np.isfinite(image)] if valid is None else image[valid]
    top = np.percentile(counts, 99.9 if valid is None else 100) if counts.size else 1.0
    return max(float(top), 1.0)


def to_unit(image: NDArray, top: float) -> NDArray[np.float32]:
    """Map an image to 0..1: colours by 1/255, counts by log(1 + n) / log(1 + top).

    Parameters
    ----------
    image : uint8 array (height, width, 3) or float32 array (height, width)
        Colours, or counts; negative counts (codes of missing pixels) become 0.
    top : float
        The count that becomes 1; larger ones are clipped. Not used for colours.

    Returns
    -------
    unit : float32 array of the same shape

    Examples
    --------
    >>> to_unit(np.float32([[0, 9, 99, 500]]), top=99).round(2).tolist()
    [[0.0, 0.5, 1.0, 1.0]]
    """
    if image.ndim == 3:
        return image.astype(np.float32) / 255
    return np.clip(np.log1p(np.maximum(image, 0)) / np.log1p(top), 0, 1).astype(np.float32)


def from_unit(unit: NDArray[np.float32], top: float) -> NDArray[np.float32]:
    """The inverse of `to_unit`: 0..255 for colours (three channels), counts otherwise.

    Examples
    --------
    >>> from_unit(np.float32([[0, 0.5, 1]]), top=99).round(3).tolist()
    [[0.0, 9.0, 99.0]]
    """
    if unit.ndim == 3:
        return (unit * 255).astype(np.float32)
    return np.expm1(unit * np.log1p(top)).astype(np.float32)


def grey_levels(image: NDArray) -> NDArray[np.float32]:
    """Grey levels, stretched to 0..255: the paper's basis of every mask threshold.

    Colours become luminance (weights of ITU-R BT.709). That is not monotone in intensity for colour
    maps like jet, whose red end is darker than its middle; both ends are still far from the darkest
    colour, which is what a mask looks for. Counts become log(1 + n). The stretch runs from the 0.5th
    to the 99.9th percentile, so that neither a hot pixel nor a tick mark over a gap sets the scale.

    Parameters
    ----------
    image : uint8 array (height, width, 3) or float32 array (height, width)
        Colours or counts; a frame's negative codes are as dark as no counts.

    Returns
    -------
    grey : float32 array (height, width)

    Examples
    --------
    >>> grey_levels(np.float32([[-1, 0, 9, 99]])).round().tolist()
    [[0.0, 0.0, 128.0, 255.0]]
    """
    grey = rgb2gray(image) if image.ndim == 3 else np.log1p(np.maximum(np.where(np.isfinite(image), image, 0), 0))
    low, high = np.percentile(grey, [0.5, 99.9], method="closest_observation")
    return np.clip((grey - low) * (255 / max(high - low, 1e-12)), 0, 255).astype(np.float32)
