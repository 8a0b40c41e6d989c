"""What happens to a scan before anything is fitted: crop, intensity, mask; one after the other, or all at once."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from scatterheal.mask.reasons import Reasons, check_mask_file, detector_reasons, find_reasons
from scatterheal.pattern.found import FoundDetector
from scatterheal.pattern.geometry import Geometry
from scatterheal.reading.crop import Crop, Cropped, crop_scan
from scatterheal.reading.detectors import detector_gaps
from scatterheal.reading.frames import read_mask
from scatterheal.reading.intensity import Intensity, of_figure, of_frame, table_of
from scatterheal.reading.poni import read_poni
from scatterheal.settings.models import Colour, Mask, Scan
from scatterheal.settings.reading import check_geometry


class Prepared(NamedTuple):
    """A scan, ready to be fitted."""

    cropped: Cropped
    intensity: Intensity
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
    frame = cast(int | Literal["sum"] | None, scan.frame)  # each of several frames is a scan of its own
    cropped = crop_scan(scan.image, scan.kind, scan.crop, scan.data, frame)
    check_geometry(scan.mask, cropped.image.shape[1::-1])
    if scan.truth:
        crop_scan(scan.truth, scan.kind, cropped.crop.box)
    if scan.detector not in ("auto", "none"):
        detector_gaps(scan.detector, cropped.crop.whole)
    if scan.kind == "figure" and scan.colour.map not in ("auto", "luminance"):
        table_of(cropped.crop.colour_bar, scan.colour.map)
    if scan.poni:
        read_poni(scan.poni)
    missing = _missing_in_file(scan.mask)
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
    cropped = check(scan)
    found = intensity_of(*cropped, scan.colour)
    centre = None if scan.centre == "auto" else scan.centre
    return Prepared(cropped, found, reasons_of(found, cropped.crop, scan.mask, scan.detector, centre, scan.poni))


def intensity_of(image: NDArray, crop: Crop, colour: Colour) -> Intensity:
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
        return of_frame(image)
    return of_figure(image, crop.colour_bar, crop.bar_labels, colour.map, colour.range, colour.scale)


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


def reasons_of(
    intensity: Intensity,
    crop: Crop,
    mask: Mask,
    detector: str = "auto",
    centre: tuple[float, float] | None = None,
    poni: Path | None = None,
) -> Reasons:
    """The mask of a cropped scan, with everything that its file and its YAML say.

    Parameters
    ----------
    intensity : Intensity
        From `intensity_of`.
    crop : Crop
        With a header: a frame.
    mask : Mask
        The `mask` part of the scan's YAML.
    detector : str
        Of a frame: auto, none or a pyFAI detector name.
    centre : (x, y), optional
        The beam centre, pixels; found where it is not given.
    poni : Path, optional
        A pyFAI geometry file, which tells the beam centre too.

    Raises
    ------
    ScanError
        An unknown detector, a mask or PONI file that cannot be read, or whatever `find_reasons` refuses.
    """
    geometry = geometry_of(crop, poni)
    centre = geometry.beam_centre if poni else centre
    missing = _missing_in_file(mask)
    if crop.header is None:
        known = np.zeros(intensity.values.shape, np.uint16)
        return find_reasons(intensity, mask, known, missing, centre)
    told = crop.detector if detector == "auto" else detector
    name = told.name if isinstance(told, FoundDetector) else told or "none"
    gaps = None if name == "none" else crop.box.of(detector_gaps(name, crop.whole))
    known = detector_reasons(intensity.values, gaps, geometry.count_cutoff)
    reasons, found = find_reasons(intensity, mask, known, missing, centre, geometry.beam_centre)
    return Reasons(reasons, found._replace(kind="frame", detector=told))


def _missing_in_file(mask: Mask) -> NDArray[np.bool_] | None:
    """What a scan's mask file hides, or None where it has none."""
    if mask.file is None:
        return None
    assert mask.mask_convention, "a mask file has its convention"
    return read_mask(mask.file, mask.mask_convention, mask.data)
