"""Read a pattern back from results/<scan>/."""

from __future__ import annotations

from pathlib import Path

from scatterheal import storage
from scatterheal.pattern.found import Found
from scatterheal.pattern.meaning import Meaning
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.units import scale_of


def read_pattern(folder: Path) -> Pattern:
    """Read what the rules before the training wrote.

    Parameters
    ----------
    folder : Path
        results/<scan>, with image.tif, intensity.tif, intensity.json, flags.tif, reasons.tif, found.json.
    """
    meaning = Meaning.from_json(storage.read_json(folder / "intensity.json"))
    # A figure whose colours say nothing about intensity is healed as a picture.
    image = storage.read_tiff(folder / ("image.tif" if meaning.unit == "colours" else "intensity.tif"))
    missing = storage.read_tiff(folder / "reasons.tif") > 0
    return Pattern(
        image,
        storage.read_tiff(folder / "flags.tif"),
        missing,
        Found.from_json(storage.read_json(folder / "found.json")).beam_centre,
        scale_of(image, meaning.unit, meaning.limits, ~missing),
    )
