"""The pattern of a scan: of its stages in memory, or read back from results/<scan>/."""

from __future__ import annotations

from pathlib import Path

from numpy.typing import NDArray

from scatterheal import storage
from scatterheal.mask.reasons import Reasons
from scatterheal.pattern.found import Found
from scatterheal.pattern.meaning import Meaning
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.units import scale_of
from scatterheal.reading.intensity import Intensity


def pattern_of(image: NDArray, intensity: Intensity, mask: Reasons) -> Pattern:
    """What is healed of a scan whose intensity and mask are known.

    Parameters
    ----------
    image : uint8 array (height, width, 3) or float32 array (height, width)
        The cropped scan.
    intensity : Intensity
    mask : Reasons
    """
    meaning, missing = intensity.meaning, mask.reasons > 0
    # A figure whose colours say nothing about intensity is healed as a picture.
    healed = image if meaning.unit == "colours" else intensity.values
    scale = scale_of(healed, meaning.unit, meaning.limits, ~missing)
    return Pattern(healed, intensity.flags, missing, mask.found.beam_centre, scale)


def read_pattern(folder: Path) -> Pattern:
    """Read what the rules before the training wrote.

    Parameters
    ----------
    folder : Path
        results/<scan>, with image.tif, intensity.tif, intensity.json, flags.tif, reasons.tif, found.json.
    """
    image, values, flags, reasons = (
        storage.read_tiff(folder / f"{name}.tif") for name in ("image", "intensity", "flags", "reasons")
    )
    meaning = Meaning.from_json(storage.read_json(folder / "intensity.json"))
    found = Found.from_json(storage.read_json(folder / "found.json"))
    return pattern_of(image, Intensity(values, flags, meaning), Reasons(reasons, found))
