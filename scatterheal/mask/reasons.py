"""Why each pixel of an image is missing: what the file says, what is drawn, what is found."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal.errors import ScanError
from scatterheal.mask.bad_pixels import dead_pixels, hot_pixels, saturated
from scatterheal.mask.parts import Parts, find_parts
from scatterheal.mask.shapes import draw_all
from scatterheal.mask.stripes import add_stripes
from scatterheal.mask.unmeasured import find_unmeasured
from scatterheal.pattern.found import BeamCentre, Found
from scatterheal.pattern.pixels import (
    CLIPPED_LOW,
    GAP,
    HOT_OR_DEAD,
    OUTSIDE,
    REASONS,
    UNMEASURED,
    UNREADABLE,
    USER,
    Bits,
)
from scatterheal.pattern.units import as_counts, grey_levels
from scatterheal.polar.centre import find_centre
from scatterheal.reading.intensity import Intensity
from scatterheal.settings.models import Mask

Missing = NDArray[np.bool_]


class Reasons(NamedTuple):
    """What is missing, and how that is known."""

    reasons: Bits
    """(height, width): 0 where the pixel is valid, else a sum of the bits of `scatterheal.pattern.pixels`."""
    found: Found


# So much of a row or column is missing where a gap crosses the image.
BAR = 0.9
# A beam centre that is given lies no more image sides away.
FARTHEST = 20
# The parts that somebody may draw, and those of them that are also found: what no pixel measured, and obstacles.
DRAWN = tuple(reason for reason in REASONS if reason.drawn)
FOUND = tuple(reason for reason in DRAWN if reason.found)
OBSTACLES = tuple(reason for reason in FOUND if reason.name in Parts._fields)


def detector_reasons(
    counts: NDArray[np.float32], gaps: Missing | None = None, count_cutoff: float | None = None
) -> Bits:
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
    reasons : uint16 array (height, width)

    Examples
    --------
    >>> detector_reasons(np.float32([[5, -1, np.nan, 900], [1, 1, 1, 1]]), count_cutoff=900).tolist()
    [[0, 1, 8, 128], [0, 0, 0, 0]]
    """
    reasons = np.zeros(counts.shape, np.uint16)
    if gaps is not None:
        reasons[gaps] |= GAP
    # Without a detector's geometry its codes still tell which pixels were not measured.
    reasons[(counts < 0) & (reasons == 0)] |= GAP if gaps is None else HOT_OR_DEAD
    unknown = ~np.isfinite(counts) & (reasons == 0)
    # Masked bars across the whole image are gaps: what is hidden to judge by gets their shape.
    rows, columns = ((unknown | (reasons & GAP > 0)).mean(axis=axis) > BAR for axis in (1, 0))
    bars = unknown & (rows[:, None] | columns)
    reasons[bars] |= GAP
    reasons[unknown & ~bars] |= HOT_OR_DEAD
    if count_cutoff:
        reasons[saturated(counts, count_cutoff) & (reasons == 0)] |= UNREADABLE
    reasons[dead_pixels(counts, reasons > 0)] |= HOT_OR_DEAD
    return reasons


def find_reasons(
    intensity: Intensity,
    mask: Mask,
    known: Bits,
    missing_in_file: Missing | None = None,
    centre: tuple[float, float] | None = None,
    header_centre: tuple[float, float] | None = None,
) -> Reasons:
    """Why each pixel is missing.

    What no pixel measured, hot pixels and stripes are found first, then the beam centre (unless it is given), then
    beamstop, holder and shadowed parts, unless the scan's YAML draws them or says that there are none.

    Parameters
    ----------
    intensity : Intensity
    mask : Mask
        The `mask` part of a scan's YAML.
    known : uint16 array (height, width)
        Reasons that are known already, from `detector_reasons`; nothing of a figure's.
    missing_in_file : bool array (height, width), optional
        From a mask file, True where missing.
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
    >>> from scatterheal.reading.intensity import of_frame
    >>> mask = Mask.model_validate({
    ...     **dict.fromkeys(("holder", "outside"), "none"),
    ...     "beamstop": {"rectangle": [2, 2, 4, 4]},
    ...     "stripes": {"horizontal": "none", "vertical": [[0, 1]]},
    ... })
    >>> counts = of_frame(np.ones((4, 4), np.float32))
    >>> find_reasons(counts, mask, np.zeros((4, 4), np.uint16)).reasons.tolist()
    [[16, 0, 0, 0], [16, 0, 0, 0], [16, 0, 2, 2], [16, 0, 2, 2]]
    """
    values, unit, limits = intensity.values, intensity.meaning.unit, intensity.meaning.limits
    reasons = known.copy()
    reasons[~np.isfinite(values) & (reasons == 0)] |= UNREADABLE
    # A colour that may stand for no counts at all is taken as none to find things by.
    counts = np.where(intensity.flags & CLIPPED_LOW > 0, 0, as_counts(values, unit, limits))
    grey = grey_levels(values, unit)
    keep = draw_all(mask.keep, grey, "keep")
    if "auto" in mask.unmeasured and unit == "counts" and intensity.meaning.colour_scale is None:
        reasons[find_unmeasured(counts, reasons > 0) & ~keep] |= UNMEASURED
    if unit == "counts":
        reasons[hot_pixels(counts, reasons > 0)] |= HOT_OR_DEAD
    if missing_in_file is not None:
        check_mask_file(missing_in_file, values.shape)
        reasons[missing_in_file] |= USER
    drawn = {part.name: draw_all(getattr(mask, part.name), grey, part.name) for part in DRAWN}
    automatic = {part.name: part.bit for part in OBSTACLES if "auto" in getattr(mask, part.name)}
    # A shape that is drawn besides what is found must not take pixels from the search.
    for part in DRAWN:
        if part.name not in automatic:
            reasons[drawn[part.name]] |= part.bit
    add_stripes(reasons, grey, mask.stripes)
    given = None if centre is None else given_beam(centre, values.shape)
    found = given or find_beam(counts, reasons > 0, header_centre)
    if automatic:
        parts = find_parts(counts, reasons > 0, found.beam_centre)
        for name, bit in automatic.items():
            reasons[(getattr(parts, name) & ~keep) | drawn[name]] |= bit
        found = found._replace(parts=tuple(record for record in parts.found if record.part in automatic))
    # pyFAI makes masks int8, and would lose a pixel that has none of the first eight bits.
    reasons[(reasons > 0) & (reasons % 256 == 0)] |= OUTSIDE
    return Reasons(reasons, found)


def given_beam(centre: tuple[float, float], shape: tuple[int, int]) -> Found:
    """The beam centre that somebody gives; it may lie outside of the image, but not anywhere.

    Parameters
    ----------
    centre : (x, y)
        Pixels.
    shape : (height, width)
        Of the cropped image.

    Raises
    ------
    ScanError
        It is so far away that circles round it are straight lines here.

    Examples
    --------
    >>> given_beam((3.0, 400.0), (100, 100)).beam_centre
    (3.0, 400.0)
    >>> given_beam((3.0, 4e6), (100, 100))
    Traceback (most recent call last):
    scatterheal.errors.ScanError: centre: [3, 4e+06] is far from the image of 100 x 100 pixels; give x, y in its pixels
    """
    if max(map(abs, centre)) > FARTHEST * max(shape):
        where, size = ", ".join(f"{value:g}" for value in centre), f"{shape[1]} x {shape[0]} pixels"
        raise ScanError(f"centre: [{where}] is far from the image of {size}; give x, y in its pixels")
    return Found(BeamCentre(*centre, "given"))


def find_beam(counts: NDArray[np.float32], missing: Missing, header_centre: tuple[float, float] | None = None) -> Found:
    """The beam centre that the pattern tells, or else the header's; or why there is none.

    Parameters
    ----------
    counts : float32 array (height, width)
    missing : bool array (height, width)
    header_centre : (x, y), optional
        What the file's header says of it, pixels.
    """
    try:
        beam = find_centre(counts, missing)
    except ScanError as error:
        # Not every image has one, and only the parts at it need it.
        found = Found(None, str(error))
    else:
        found = Found(BeamCentre(beam.x, beam.y, beam.how, beam.sd))
    if (found.centre is None or found.centre.is_unsure) and header_centre and _inside(header_centre, counts.shape):
        return Found(BeamCentre(*header_centre, "the file's header, since the pattern does not tell"))
    return found


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


def check_share(reasons: Bits, allow_large_mask: bool) -> None:
    """Refuse a mask that hides nothing, everything, or (unless allowed) more than half of what was measured.

    Raises
    ------
    ScanError
        One line with the share that is missing.

    Examples
    --------
    >>> check_share(np.uint16([[UNMEASURED, UNMEASURED, UNMEASURED, GAP, 0]]), allow_large_mask=False)
    """
    share = float((reasons > 0).mean())
    if share == 0:
        raise ScanError("mask: it hides nothing, so there is nothing to heal; add a beamstop, holder or stripes")
    if share == 1:
        raise ScanError("mask: it hides the whole image; make its parts smaller or check mask_convention")
    share = float((reasons > 0)[reasons & UNMEASURED == 0].mean())
    if share > 0.5 and not allow_large_mask:
        raise ScanError(
            f"mask: it hides {share:.0%} of the image; check mask_convention, or set allow_large_mask: true"
        )
