"""What happens to a scan before anything is fitted: crop, intensity, mask; one after the other, or all at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal.mask.reasons import UNSURE, Reasons, check_mask_file, detector_reasons, find_reasons
from scatterheal.pattern import pixels
from scatterheal.pattern.geometry import Geometry
from scatterheal.pattern.meaning import Meaning
from scatterheal.reading import intensity
from scatterheal.reading.crop import Crop, Cropped, crop_scan
from scatterheal.reading.detectors import detector_gaps
from scatterheal.reading.frames import read_mask
from scatterheal.reading.poni import read_poni
from scatterheal.settings.models import Colour, Scan
from scatterheal.settings.reading import check_geometry


class Prepared(NamedTuple):
    """A scan, ready to be fitted."""

    cropped: Cropped
    intensity: intensity.Intensity
    reasons: Reasons


def check(scan: Scan) -> Cropped:
    """Read and crop a scan, and look whether its YAML fits it: what is quick to know before any job starts.

    Parameters
    ----------
    scan : Scan
        The validated YAML, its paths relative to the working folder.

    Raises
    ------
    ScanError
        Whatever the rules crop and truth would refuse; geometry outside of the image; a mask file of another
        shape; an unknown detector or colour map; a PONI file that cannot be read.
    """
    cropped = crop_scan(scan.image, scan.kind, scan.crop, scan.data, scan.frame)
    check_geometry(scan.mask, cropped.image.shape[1::-1])
    if scan.truth:
        crop_scan(scan.truth, scan.kind, cropped.crop.box)
    if scan.detector not in ("auto", "none"):
        detector_gaps(scan.detector, cropped.crop.whole)
    if scan.kind == "figure" and scan.colour.map not in ("auto", "luminance"):
        intensity.table_of(cropped.crop.colour_bar, scan.colour.map)
    if scan.poni:
        read_poni(scan.poni)
    missing = _missing_in_file(scan.mask.model_dump())
    if missing is not None:
        check_mask_file(missing, cropped.image.shape[:2])
    return cropped


def prepare(scan: Scan) -> Prepared:
    """Read, crop, invert and mask a scan in one go.

    Parameters
    ----------
    scan : Scan
        The validated YAML, its paths relative to the working folder.

    Returns
    -------
    Prepared

    Raises
    ------
    ScanError
        Whatever the rules crop, truth, intensity and mask would refuse, but for the share that is missing: a person
        who draws the mask wants to see one that hides nothing, or too much.
    """
    plain = scan.model_dump(mode="json")
    cropped = check(scan)
    found = intensity_of(*cropped, scan.colour)
    reasons = reasons_of(found.values, found.flags, found.meaning, cropped.crop, plain)
    return Prepared(cropped, found, reasons)


def intensity_of(image: NDArray, crop: Crop, colour: Colour) -> intensity.Intensity:
    """The intensity of a cropped scan.

    Parameters
    ----------
    image : uint8 array (height, width, 3) or float32 array (height, width)
        Colours of a figure, or counts of a frame.
    crop : Crop
        What a figure's file says of its colour bar.
    colour : Colour
        The `colour` part of the scan's YAML.

    Raises
    ------
    ScanError
        See `scatterheal.reading.intensity.of_figure`.
    """
    if image.ndim == 2:
        return intensity.of_frame(image)
    return intensity.of_figure(image, crop.colour_bar, crop.bar_labels, colour.map, colour.range, colour.scale)


def geometry_of(crop: Crop, poni: Path | None) -> Geometry:
    """What is known of the experiment's geometry: the file's header, and a PONI file that knows it better.

    Parameters
    ----------
    crop : Crop
    poni : path or None
        A pyFAI geometry file.

    Returns
    -------
    Geometry
        With the beam centre in pixels of the cropped image.

    Raises
    ------
    ScanError
        The PONI file cannot be read.
    """
    geometry = crop.header or Geometry()
    if poni:
        geometry = geometry.updated(read_poni(poni))
    return geometry.seen_from(crop.box.left, crop.box.top)


def with_found_centre(geometry: Geometry, centre: Mapping[str, Any]) -> Geometry:
    """The geometry with the beam centre that the mask went by; without any where that is too unsure to be passed on.

    Parameters
    ----------
    geometry : Geometry
    centre : mapping
        The part `centre` of found.json.

    Examples
    --------
    >>> with_found_centre(Geometry(), {"x": 3.0, "y": 4.0, "sd": 0.5}).beam_centre
    (3.0, 4.0)
    >>> with_found_centre(Geometry(), {"x": 3.0, "y": 4.0, "sd": 50.0}).beam_centre is None
    True
    """
    known = centre.get("x") is not None and centre.get("sd", 0) <= UNSURE
    return geometry._replace(beam_centre=(centre["x"], centre["y"]) if known else None)


def reasons_of(
    values: NDArray[np.float32],
    flags: NDArray[np.uint8],
    meaning: Meaning,
    crop: Crop,
    scan: Mapping[str, Any],
) -> Reasons:
    """The mask of a cropped scan, with everything that its file and its YAML say.

    Parameters
    ----------
    values : float32 array (height, width)
        Its intensity.
    flags : uint8 array (height, width)
        Where it is clipped, from `intensity_of`.
    meaning : Meaning
        What the intensity is, from `intensity_of`.
    crop : Crop
    scan : mapping
        The scan's validated YAML as plain values.

    Raises
    ------
    ScanError
        An unknown detector, a mask or PONI file that cannot be read, or whatever `find_reasons` refuses.
    """
    mask = scan["mask"]
    geometry = geometry_of(crop, scan["poni"] and Path(scan["poni"]))
    centre = None if scan["centre"] == "auto" else tuple(scan["centre"])
    known = np.zeros(values.shape, np.uint8)
    if scan["kind"] == "frame":
        name = scan["detector"]
        if name == "auto":
            name = crop.detector.name if crop.detector else "none"
        gaps = None if name == "none" else crop.box.of(detector_gaps(name, crop.whole))
        known = detector_reasons(values, gaps, geometry.count_cutoff)
        if scan["poni"]:
            centre = geometry.beam_centre
    missing = _missing_in_file(mask)
    clipped_low = flags & pixels.CLIPPED_LOW > 0
    found = find_reasons(
        values,
        meaning.unit,
        mask,
        known,
        missing,
        clipped_low,
        meaning.limits,
        centre,
        geometry.beam_centre,
    )
    if scan["kind"] == "frame":
        found.found["detector"] = (
            scan["detector"] if scan["detector"] != "auto" else crop.detector and crop.detector._asdict()
        )
    return found


def _missing_in_file(mask: Mapping[str, Any]) -> NDArray[np.bool_] | None:
    """What a scan's mask file hides, or None where it has none."""
    return read_mask(Path(mask["file"]), mask["mask_convention"], mask["data"]) if mask["file"] else None
