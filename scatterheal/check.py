"""Look at a scan as the jobs will, so that what is wrong with it is known before any of them starts."""

from __future__ import annotations

from scatterheal import detectors, masks
from scatterheal.config import Scan, check_geometry
from scatterheal.figures import crop_scan
from scatterheal.frames import read_mask
from scatterheal.grayscale import grey_levels


def check_scan(scan: Scan) -> None:
    """Read, crop and mask a scan, and keep nothing of it.

    Parameters
    ----------
    scan : Scan
        The validated YAML, its paths relative to the working folder.

    Raises
    ------
    ScanError
        Whatever the rules crop, truth and mask would refuse.
    """
    cropped = crop_scan(scan.image, scan.kind, None if scan.crop == "auto" else scan.crop)
    check_geometry(scan.mask, cropped.image.shape[1::-1])
    if scan.truth:
        crop_scan(scan.truth, scan.kind, cropped.box)
    gaps = cropped.box.of(detectors.detector_gaps(scan.detector, cropped.whole)) if scan.detector else None
    missing_in_file = read_mask(scan.mask.file, scan.mask.mask_convention) if scan.mask.file else None
    mask = scan.mask.model_dump(mode="json")
    reasons = masks.find_reasons(cropped.image, grey_levels(cropped.image), mask, gaps, missing_in_file)
    masks.check_share(reasons, scan.mask.allow_large_mask)
