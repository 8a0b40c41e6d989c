"""How far a training's paintings still moved: the spread of its image."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from scatterheal.counts.ensemble import pool
from scatterheal.dip.scene import Prepared, painted
from scatterheal.pattern.pattern import Pattern

# How far a painting still moved: between the checks nearest to these shares of the iterations that it is of.
MEMBERS = (0.5, 0.625, 0.75, 0.875, 1.0)


def spread_over(paintings: Collection[int], iteration: int) -> list[int]:
    """The checks of which a painting's spread is taken; the last is the painting itself."""
    return sorted({min(paintings, key=lambda checked: abs(checked - share * iteration)) for share in MEMBERS})


def model_and_spread(
    members: Sequence[NDArray[np.float32]], prepared: Prepared, scan: Pattern
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The image of the last of some paintings, and the standard deviation of the images of all, smoothed."""
    images = [painted(cells, prepared, scan) for cells in members]
    brightness = np.stack([grey(image) for image in images])
    return images[-1], pool(brightness)[1] if len(images) > 1 else np.zeros_like(brightness[0])


def grey(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of a picture the brightness."""
    return image if image.ndim == 2 else image.mean(axis=2)
