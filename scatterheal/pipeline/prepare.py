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
from scatterheal.reading.crop import Cropped, crop_scan
from scatterheal.reading.detectors import detector_gaps
from scatterheal.reading.frames import read_mask
from scatterheal.reading.plot_area import BarLabels, Box
from scatterheal.reading.poni import read_poni
from scatterheal.settings.models import Scan
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
        crop_scan(scan.truth, scan.kind, cropped.box)
    if scan.detector not in ("auto", "none"):
        detector_gaps(scan.detector, cropped.whole)
    if scan.kind == "figure" and scan.colour.map not in ("auto", "luminance"):
        intensity.table_of(cropped.colours, scan.colour.map)
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
    record = as_record(cropped)
    found = intensity_of(cropped.image, record, plain["colour"])
    reasons = reasons_of(found.values, found.flags, found.meaning, record, plain)
    return Prepared(cropped, found, reasons)


def as_record(cropped: Cropped) -> dict[str, Any]:
    """All of a cropped scan but its image, as plain values: the content of crop.json."""
    return {
        "whole": list(cropped.whole),
        "box": cropped.box._asdict(),
        "colour_bar": None if cropped.colours is None else cropped.colours.tolist(),
        "bar_labels": cropped.bar._asdict(),
        "header": cropped.header and cropped.header.to_json(),
        "detector": cropped.detector and cropped.detector._asdict(),
    }


def intensity_of(image: NDArray, cropped: Mapping[str, Any], colour: Mapping[str, Any]) -> intensity.Intensity:
    """The intensity of a cropped scan.

    Parameters
    ----------
    image : uint8 array (height, width, 3) or float32 array (height, width)
        Colours of a figure, or counts of a frame.
    cropped : mapping
        From `as_record`.
    colour : mapping
        The `colour` part of the scan's YAML.

    Raises
    ------
    ScanError
        See `scatterheal.reading.intensity.of_figure`.
    """
    if image.ndim == 2:
        return intensity.of_frame(image)
    bar = cropped["colour_bar"]
    labels = BarLabels(**cropped["bar_labels"])
    limits = colour["range"] and tuple(colour["range"])
    return intensity.of_figure(image, bar and np.uint8(bar), labels, colour["map"], limits, colour["scale"])


def geometry_of(cropped: Mapping[str, Any], poni: Path | None) -> Geometry:
    """What is known of the experiment's geometry: the file's header, and a PONI file that knows it better.

    Parameters
    ----------
    cropped : mapping
        From `as_record`.
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
    geometry = Geometry.from_json(cropped["header"] or {})
    if poni:
        geometry = geometry.updated(read_poni(poni))
    return geometry.seen_from(cropped["box"]["left"], cropped["box"]["top"])


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
    cropped: Mapping[str, Any],
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
    cropped : mapping
        From `as_record`.
    scan : mapping
        The scan's validated YAML as plain values.

    Raises
    ------
    ScanError
        An unknown detector, a mask or PONI file that cannot be read, or whatever `find_reasons` refuses.
    """
    mask = scan["mask"]
    geometry = geometry_of(cropped, scan["poni"] and Path(scan["poni"]))
    centre = None if scan["centre"] == "auto" else tuple(scan["centre"])
    known = np.zeros(values.shape, np.uint8)
    if scan["kind"] == "frame":
        name = scan["detector"]
        if name == "auto":
            name = cropped["detector"]["name"] if cropped["detector"] else "none"
        gaps = None if name == "none" else Box(**cropped["box"]).of(detector_gaps(name, tuple(cropped["whole"])))
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
        found.found["detector"] = cropped["detector"] if scan["detector"] == "auto" else scan["detector"]
    return found


def _missing_in_file(mask: Mapping[str, Any]) -> NDArray[np.bool_] | None:
    """What a scan's mask file hides, or None where it has none."""
    return read_mask(Path(mask["file"]), mask["mask_convention"], mask["data"]) if mask["file"] else None
