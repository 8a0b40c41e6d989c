"""A pattern as it is healed: its numbers, what is missing, where the beam is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal.pattern.units import Scale


def overlay(image: NDArray, missing: NDArray[np.bool_], model: NDArray[np.float32]) -> NDArray:
    """The known pixels of the scan, bit by bit, and only the missing ones from the network.

    Parameters
    ----------
    image : uint8 array (height, width, 3) or float32 array (height, width)
    missing : bool array (height, width)
    model : float32 array like image

    Examples
    --------
    >>> model = np.float32([[[1, 1, 1], [2.6, 3, 300]]])
    >>> overlay(np.uint8([[[7, 8, 9], [0, 0, 0]]]), np.array([[False, True]]), model).tolist()
    [[[7, 8, 9], [3, 3, 255]]]
    """
    healed = image.copy()
    values = model[missing]
    if image.dtype == np.uint8:
        values = np.clip(np.round(values), 0, 255)
    healed[missing] = values.astype(image.dtype)
    return healed


class Pattern(NamedTuple):
    """A scan as it is healed."""

    image: NDArray
    """float32 (height, width): counts or values; or uint8 (height, width, 3): colours. Anything in missing pixels."""
    flags: NDArray[np.uint8]
    """(height, width): which counts are censored, bits of `scatterheal.counts.deviance`."""
    missing: NDArray[np.bool_]
    """(height, width): the holes."""
    centre: tuple[float, float] | None
    """x, y of the beam, pixels."""
    scale: Scale
    """What the numbers are, and which of them become 0 and 1."""
