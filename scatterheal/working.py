"""The working size: smaller images to fit, and back to the scan's own pixels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def shrink(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Average the pixels that fall into each pixel of a smaller image (box filter).

    Parameters
    ----------
    image : float32 array (height, width) or (height, width, channels)
    size : (height, width)
        Of the result, not larger than the image.

    Examples
    --------
    >>> shrink(np.float32([[1, 3, 5, 5]]), (1, 2)).tolist()
    [[2.0, 5.0]]
    """
    return _resize(image, size, Image.Resampling.BOX)


def enlarge(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Interpolate a smaller image to `size` (height, width), bilinearly."""
    return _resize(image, size, Image.Resampling.BILINEAR)


def _resize(image: NDArray[np.float32], size: tuple[int, int], how: Image.Resampling) -> NDArray[np.float32]:
    if image.shape[:2] == size:
        return image
    planes = np.moveaxis(np.atleast_3d(image), 2, 0)
    resized = [np.asarray(Image.fromarray(plane).resize(size[::-1], how)) for plane in planes.astype(np.float32)]
    return resized[0] if image.ndim == 2 else np.stack(resized, axis=2)


def shrink_missing(missing: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Shrink a mask conservatively: a pixel is missing when any pixel averaged into it was.

    Parameters
    ----------
    missing : bool array (height, width)
    size : (height, width)
        Of the result.

    Examples
    --------
    >>> shrink_missing(np.array([[False, True, False, False]]), (1, 2)).tolist()
    [[True, False]]
    """
    return shrink(missing.astype(np.float32), size) > 0


def working_size(shape: tuple[int, int], max_side: int | None) -> tuple[int, int]:
    """Height and width of the image that is fitted: its longest side is at most `max_side`.

    Examples
    --------
    >>> working_size((620, 775), 282), working_size((100, 80), 282)
    ((226, 282), (100, 80))
    """
    height, width = shape
    factor = min(1.0, (max_side or math.inf) / max(shape))
    return max(round(height * factor), 1), max(round(width * factor), 1)
