"""A scan as it is healed: its numbers, what is missing, where the beam is; read from results/<scan>/."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal import storage
from scatterheal.scale import Scale, scale_of


class Exposure(NamedTuple):
    """A scan as it is healed."""

    image: NDArray
    """float32 (height, width): counts or values; or uint8 (height, width, 3): colours. Anything in missing pixels."""
    flags: NDArray[np.uint8]
    """(height, width): which counts are censored, bits of `scatterheal.deviance`."""
    missing: NDArray[np.bool_]
    """(height, width): the holes."""
    centre: tuple[float, float] | None
    """x, y of the beam, pixels."""
    scale: Scale
    """What the numbers are, and which of them become 0 and 1."""


def read(folder: Path) -> Exposure:
    """Read what the rules before the training wrote.

    Parameters
    ----------
    folder : Path
        results/<scan>, with image.tif, intensity.tif, intensity.json, flags.tif, reasons.tif, found.json.
    """
    meaning = storage.read_json(folder / "intensity.json")
    # A figure whose colours say nothing about intensity is healed as a picture.
    image = storage.read_tiff(folder / ("image.tif" if meaning["unit"] == "colours" else "intensity.tif"))
    missing = storage.read_tiff(folder / "reasons.tif") > 0
    return Exposure(
        image,
        storage.read_tiff(folder / "flags.tif"),
        missing,
        centre_of(storage.read_json(folder / "found.json")),
        scale_of(image, meaning["unit"], meaning.get("limits"), ~missing),
    )


def centre_of(found: Mapping[str, Any]) -> tuple[float, float] | None:
    """The beam centre in found.json, x and y in pixels, or None where there is none; also one that is not sure.

    Examples
    --------
    >>> centre_of({"centre": {"x": 3.0, "y": 4.0, "sd": 50.0}}), centre_of({"centre": {"problem": "no pattern"}})
    ((3.0, 4.0), None)
    """
    x, y = (found["centre"].get(axis) for axis in "xy")
    return None if x is None else (x, y)
