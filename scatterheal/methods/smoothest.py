"""The smoothest surface through the pixels at the holes' edges, and OpenCV's two methods."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Image = NDArray[np.float32]
Missing = NDArray[np.bool_]
Centre = tuple[float, float]

# Standard deviation, pixels, of the smoothing before biharmonic_smooth: its holes' edges are noise otherwise.
SMOOTHING = 1.5
# Radius, pixels, of the neighbourhood that OpenCV's two methods look at.
REACH = 5


def _to_log(filled: Image, is_counts: bool) -> Image:
    """The scale on which methods without a notion of counts work: log(1 + n) of counts, else the values."""
    return np.log1p(filled) if is_counts else filled


def _from_log(healed: Image, is_counts: bool) -> Image:
    return np.expm1(healed) if is_counts else healed


def biharmonic(filled: Image, known: Missing, centre: Centre | None, is_counts: bool) -> Image:
    """The smoothest surface through the pixels at the holes' edges."""
    from skimage.restoration import inpaint_biharmonic

    healed = inpaint_biharmonic(_to_log(filled, is_counts).astype(np.float64), ~known)
    return np.where(known, filled, _from_log(healed, is_counts))


def biharmonic_smooth(filled: Image, known: Missing, centre: Centre | None, is_counts: bool) -> Image:
    """The same through a local mean of the known pixels."""
    share = ndimage.gaussian_filter(known.astype(np.float32), SMOOTHING)
    mean = ndimage.gaussian_filter(np.where(known, filled, 0), SMOOTHING) / np.maximum(share, 1e-6)
    return biharmonic(np.where(known, mean, filled), known, centre, is_counts)


def opencv(flag: str) -> Callable[[Image, Missing, Centre | None, bool], Image]:
    """One of OpenCV's two methods, by the name of its flag."""

    def inpaint(filled: Image, known: Missing, centre: Centre | None, is_counts: bool) -> Image:
        import cv2

        levels = _to_log(filled, is_counts)
        step = float(levels.max()) / 255 or 1.0
        levels = np.round(levels / step).astype(np.uint8)
        healed = cv2.inpaint(levels, (~known).astype(np.uint8), REACH, getattr(cv2, flag))
        return np.where(known, filled, _from_log(healed.astype(np.float32) * step, is_counts))

    return inpaint
