"""Shapes that somebody drew, as pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from scatterheal.errors import ScanError
from scatterheal.settings.models import Shape

Missing = NDArray[np.bool_]


def draw_all(outlines: Sequence[Shape | Literal["auto"]], grey: NDArray[np.float32], part: str) -> Missing:
    """All shapes of one part together."""
    together = np.zeros(grey.shape, bool)
    for outline in outlines:
        if outline == "auto":
            continue
        hidden = draw(outline, grey)
        if not hidden.any():
            raise ScanError(f"mask.{part}: a shape hides no pixel; move it, or raise its threshold")
        together |= hidden
    return together


def draw(outline: Shape, grey: NDArray[np.float32]) -> Missing:
    """The pixels of one shape, those below its threshold where it has one.

    Parameters
    ----------
    outline : Shape
    grey : float32 array (height, width)
        Grey levels 0..255.

    Examples
    --------
    >>> draw(Shape(circle=(1, 1, 1)), np.zeros((3, 4), np.float32)).astype(int).tolist()
    [[0, 1, 0, 0], [1, 1, 1, 0], [0, 1, 0, 0]]
    """
    inside = np.zeros(grey.shape, bool)
    if outline.rectangle:
        left, top, right, bottom = outline.rectangle
        inside[top:bottom, left:right] = True
    elif outline.polygon:
        inside = polygon2mask(grey.shape, [(y, x) for x, y in outline.polygon])
    else:
        assert outline.circle, "exactly one of the three is given"
        x, y, radius = outline.circle
        rows, columns = np.ogrid[: grey.shape[0], : grey.shape[1]]
        inside = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    return inside if outline.threshold is None else inside & (grey < outline.threshold)
