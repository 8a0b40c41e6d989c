"""A pattern after it was healed, with all that tells how far to trust it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal.pattern.pixels import Bits
from scatterheal.pattern.units import luminance


class Healed(NamedTuple):
    """A healed scan; every array is (height, width), colours (height, width, 3)."""

    image: NDArray
    """float32: measured where a pixel is valid, estimated elsewhere; or uint8: colours."""
    model: NDArray[np.float32]
    """What the method that healed says of all pixels."""
    sd: NDArray[np.float32]
    """Standard deviations of the image; NaN where nothing tells."""
    beyond: NDArray[np.bool_]
    """Where nothing tells how well a pixel is healed."""
    reasons: Bits
    """Why each pixel is missing, bits of `scatterheal.pattern.pixels`; 0 where it is valid."""
    flags: NDArray[np.uint8]
    """Which values are censored; 0 where a value is what was measured."""


def in_grey(healed: Healed) -> Healed:
    """Of colours their luminance, 0..255: formats of detector frames hold one number a pixel.

    Parameters
    ----------
    healed : Healed
        Of counts and values it stays as it is.
    """
    if healed.image.ndim == 2:
        return healed
    model = luminance(healed.model.clip(0, 255).astype(np.uint8))
    return healed._replace(image=luminance(healed.image), model=model)
