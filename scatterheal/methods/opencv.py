"""OpenCV's two methods."""

from __future__ import annotations

import numpy as np

from scatterheal.methods.arrays import Centre, Image, Known
from scatterheal.methods.smoothest import from_log, to_log

# Radius, pixels, of the neighbourhood that they look at.
REACH = 5


def telea(filled: Image, known: Known, centre: Centre | None, is_counts: bool) -> Image:
    """From the holes' edges inwards, each pixel from those round it that are known already."""
    return _inpainted(filled, known, is_counts, "INPAINT_TELEA")


def navier_stokes(filled: Image, known: Known, centre: Centre | None, is_counts: bool) -> Image:
    """Lines of equal level go on into the holes, like a fluid's stream lines."""
    return _inpainted(filled, known, is_counts, "INPAINT_NS")


def _inpainted(filled: Image, known: Known, is_counts: bool, method: str) -> Image:
    """What OpenCV makes of 256 levels of the image, by the name of its flag."""
    import cv2

    levels = to_log(filled, is_counts)
    step = float(levels.max()) / 255 or 1.0
    levels = np.round(levels / step).astype(np.uint8)
    healed = cv2.inpaint(levels, (~known).astype(np.uint8), REACH, getattr(cv2, method))
    return np.where(known, filled, from_log(healed.astype(np.float32) * step, is_counts))
