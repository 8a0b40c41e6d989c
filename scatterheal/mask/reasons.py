"""Why each pixel of an image is missing: what the file says, what is drawn, what is found."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal.errors import ScanError
from scatterheal.mask.bad_pixels import dead_pixels, hot_pixels, saturated
from scatterheal.mask.parts import find_parts
from scatterheal.mask.shapes import draw_all
from scatterheal.mask.stripes import add_stripes
from scatterheal.pattern.pixels import GAP, HOT_OR_DEAD, REASONS, UNREADABLE, USER
from scatterheal.pattern.units import as_counts, grey_levels
from scatterheal.polar.centre import find_centre

Missing = NDArray[np.bool_]


class Reasons(NamedTuple):
    """What is missing, and how that is known."""

    reasons: NDArray[np.uint8]
    """(height, width): 0 where the pixel is valid, else a sum of the bits below."""
    centre: tuple[float, float] | None
    """The beam centre (x, y), pixels, or None where it could not be found."""
    found: dict[str, Any]
    """centre: where it is and how that is known; parts: what was found, where, and how sure."""


# The parts that somebody may draw, and those of them that are also found.
DRAWN = ("beamstop", "holder", "outside", "user")
FOUND = ("beamstop", "holder", "outside")
# A beam centre with a larger standard deviation, pixels, is a hint for where to look and no measurement.
UNSURE = 3.0


def detector_reasons(
    counts: NDArray[np.float32], gaps: Missing | None = None, count_cutoff: float | None = None
) -> NDArray[np.uint8]:
    """What a frame itself says is missing: gaps, codes, saturated, hot and dead pixels.

    Parameters
    ----------
    counts : float32 array (height, width)
        Negative: the detector's code for no measurement; NaN: masked in the file.
    gaps : bool array (height, width), optional
        The detector's module gaps, from `scatterheal.reading.detectors.detector_gaps`, cut like the image.
    count_cutoff : float, optional
        Pixels with this many counts or more are saturated.

    Returns
    -------
    reasons : uint8 array (height, width)

    Examples
    --------
    >>> detector_reasons(np.float32([[5, -1, np.nan, 900]]), count_cutoff=900).tolist()
    [[0, 1, 8, 128]]
    """
    reasons = np.zeros(counts.shape, np.uint8)
    if gaps is not None:
        reasons[gaps] |= GAP
    # Without a detector's geometry its codes still tell which pixels were not measured.
    reasons[(counts < 0) & (reasons == 0)] |= GAP if gaps is None else HOT_OR_DEAD
    reasons[~np.isfinite(counts) & (reasons == 0)] |= HOT_OR_DEAD
    if count_cutoff:
        reasons[saturated(counts, count_cutoff) & (reasons == 0)] |= UNREADABLE
    reasons[dead_pixels(counts, reasons > 0)] |= HOT_OR_DEAD
    return reasons


def find_reasons(
    intensity: NDArray[np.float32],
    unit: Literal["counts", "values", "colours"],
    mask: dict[str, Any],
    known: NDArray[np.uint8],
    missing_in_file: Missing | None = None,
    clipped_low: Missing | None = None,
    limits: tuple[float, float] | None = None,
    centre: tuple[float, float] | None = None,
    header_centre: tuple[float, float] | None = None,
) -> Reasons:
    """Why each pixel is missing.

    Hot pixels and stripes are found first, then the beam centre (unless it is given), then beamstop, holder
    and shadowed parts, unless the scan's YAML draws them or says that there are none.

    Parameters
    ----------
    intensity : float32 array (height, width)
        Counts, or what a figure's colours say; NaN where that is nothing.
    unit : {"counts", "values", "colours"}
        What the numbers are.
    mask : dict
        The `mask` part of a scan's YAML, validated: parts beamstop, holder, outside, user, keep (lists of
        shapes, with "auto" among the first three) and stripes.
    known : uint8 array (height, width)
        Reasons that are known already, from `detector_reasons`; nothing of a figure's.
    missing_in_file : bool array (height, width), optional
        From a mask file, True where missing.
    clipped_low : bool array (height, width), optional
        Where a figure's colour may stand for no counts at all: taken as none to find things by.
    limits : (low, high), optional
        The range of values.
    centre : (x, y), optional
        The beam centre, pixels; found where it is not given.
    header_centre : (x, y), optional
        What the file's header says of it; believed only where the pattern does not tell.

    Returns
    -------
    Reasons

    Raises
    ------
    ScanError
        A mask file of another shape than the image, or a shape that hides no pixel.

    Examples
    --------
    >>> stripes = {"horizontal": "none", "vertical": [[0, 1]], "threshold": 10}
    >>> mask = {"beamstop": [{"rectangle": [2, 2, 4, 4]}], "stripes": stripes}
    >>> find_reasons(np.ones((4, 4), np.float32), "counts", mask, np.zeros((4, 4), np.uint8)).reasons.tolist()
    [[16, 0, 0, 0], [16, 0, 0, 0], [16, 0, 2, 2], [16, 0, 2, 2]]
    """
    shape = intensity.shape
    reasons = known.copy()
    reasons[~np.isfinite(intensity) & (reasons == 0)] |= UNREADABLE
    counts = as_counts(intensity, unit, limits)
    if clipped_low is not None:
        counts = np.where(clipped_low, 0, counts)
    if unit == "counts":
        reasons[hot_pixels(counts, reasons > 0)] |= HOT_OR_DEAD
    if missing_in_file is not None:
        check_mask_file(missing_in_file, shape)
        reasons[missing_in_file] |= USER
    grey = grey_levels(intensity, unit)
    drawn = {part: draw_all(mask.get(part, []), grey, part) for part in (*DRAWN, "keep")}
    automatic = [part for part in FOUND if "auto" in mask.get(part, [])]
    # A shape that is drawn besides what is found must not take pixels from the search.
    for part in DRAWN:
        if part not in automatic:
            reasons[drawn[part]] |= REASONS[part]
    add_stripes(reasons, grey, mask["stripes"])
    found: dict[str, Any] = {"centre": None, "parts": []}
    if centre is not None:
        found["centre"] = {"x": centre[0], "y": centre[1], "how": "given"}
    else:
        try:
            beam = find_centre(counts, reasons > 0)
        except ScanError as error:
            # Not every image has one, and only the parts at it need it.
            found["centre"] = {"problem": str(error)}
        else:
            centre = (beam.x, beam.y)
            found["centre"] = {"x": beam.x, "y": beam.y, "sd": beam.sd, "how": beam.how}
        if found["centre"].get("sd", np.inf) > UNSURE and header_centre and _inside(header_centre, shape):
            centre = tuple(header_centre)
            how = "the file's header, since the pattern does not tell"
            found["centre"] = {"x": centre[0], "y": centre[1], "how": how}
    if automatic:
        parts = find_parts(counts, reasons > 0, centre)
        for part in automatic:
            reasons[(getattr(parts, part) & ~drawn["keep"]) | drawn[part]] |= REASONS[part]
        found["parts"] = [record for record in parts.found if record["part"] in automatic]
    return Reasons(reasons, centre, found)


def check_mask_file(missing: Missing, shape: tuple[int, int]) -> None:
    """Refuse a mask file of another shape than the image, or one that hides all of it.

    Parameters
    ----------
    missing : bool array
        What the file hides.
    shape : (height, width)
        Of the cropped image.

    Raises
    ------
    ScanError
        One line with the remedy.
    """
    if missing.shape != shape:
        remedy = "transpose it" if missing.shape == shape[::-1] else "draw it on results/<scan>/cropped.png"
        raise ScanError(
            f"mask.file: its shape {missing.shape} (rows, columns) is not the cropped image's {shape}; {remedy}"
        )
    if missing.all():
        raise ScanError("mask.file: it hides the whole image; check mask_convention")


def _inside(point: tuple[float, float], shape: tuple[int, int]) -> bool:
    """Whether a point (x, y) lies in an image of this shape."""
    return 0 < point[0] < shape[1] and 0 < point[1] < shape[0]


def check_share(reasons: NDArray[np.uint8], allow_large_mask: bool) -> None:
    """Refuse a mask that hides nothing, everything, or (unless allowed) more than half of the image.

    Raises
    ------
    ScanError
        One line with the share that is missing.
    """
    share = float((reasons > 0).mean())
    if share == 0:
        raise ScanError("mask: it hides nothing, so there is nothing to heal; add a beamstop, holder or stripes")
    if share == 1:
        raise ScanError("mask: it hides the whole image; make its parts smaller or check mask_convention")
    if share > 0.5 and not allow_large_mask:
        raise ScanError(
            f"mask: it hides {share:.0%} of the image; check mask_convention, or set allow_large_mask: true"
        )
