"""From geometry to a reason-coded mask of what is missing in an image."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import poisson
from skimage.draw import polygon2mask

from scatterheal.automatic import find_parts
from scatterheal.bits import GAP, HOT_OR_DEAD, REASONS, STRIPE, UNREADABLE, USER
from scatterheal.detectors import dead_pixels, saturated
from scatterheal.errors import ScanError
from scatterheal.polar import find_centre
from scatterheal.scale import as_counts, grey_levels

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


# A row that holds less than this share of its neighbourhood's median may belong to a stripe.
DARK_SHARE = 0.02
# A row of which less than this share is known is never called a stripe.
FEWEST_KNOWN = 0.1
# A stripe's edges are judged on this many rows inside and outside of it.
EDGE_ROWS = 10
# Chance that noise alone makes one stripe somewhere in an image.
FALSE_ALARM = 0.01
# Chance that one edge of a stripe may have of being noise.
ONE_EDGE = 1e-3


def detector_reasons(
    counts: NDArray[np.float32], gaps: Missing | None = None, count_cutoff: float | None = None
) -> NDArray[np.uint8]:
    """What a frame itself says is missing: gaps, codes, saturated, hot and dead pixels.

    Parameters
    ----------
    counts : float32 array (height, width)
        Negative: the detector's code for no measurement; NaN: masked in the file.
    gaps : bool array (height, width), optional
        The detector's module gaps, from `scatterheal.detectors.detector_gaps`, cut like the image.
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
    drawn = {part: _drawn(mask.get(part, []), grey, part) for part in (*DRAWN, "keep")}
    automatic = [part for part in FOUND if "auto" in mask.get(part, [])]
    # A shape that is drawn besides what is found must not take pixels from the search.
    for part in DRAWN:
        if part not in automatic:
            reasons[drawn[part]] |= REASONS[part]
    _add_stripes(reasons, grey, mask["stripes"])
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


def _drawn(outlines: list[dict[str, Any] | str], grey: NDArray[np.float32], part: str) -> Missing:
    """All shapes of one part together."""
    together = np.zeros(grey.shape, bool)
    for outline in outlines:
        if outline == "auto":
            continue
        hidden = draw(outline, grey)
        if not hidden.any():
            raise ScanError(f"mask.{part}: a shape hides no pixel; move it, or raise its threshold")
        together |= hidden
    return together


def _add_stripes(reasons: NDArray[np.uint8], grey: NDArray[np.float32], stripes: dict[str, Any]) -> None:
    """Mark dark rows and columns, those given or those found."""
    known = np.where(reasons > 0, np.nan, grey)
    for lines, known_rows, reason_rows in (
        (stripes["horizontal"], known, reasons),
        (stripes["vertical"], known.T, reasons.T),
    ):
        if lines == "auto":
            lines = find_stripes(known_rows, stripes["threshold"])
        for first, last in [] if lines == "none" else lines:
            # Gaps that the detector or its codes tell are no news.
            if not reason_rows[first:last].all():
                reason_rows[first:last] |= STRIPE


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


def draw(outline: dict[str, Any], grey: NDArray[np.float32]) -> Missing:
    """The pixels of one shape, those below its threshold where it has one.

    Parameters
    ----------
    outline : dict
        One of rectangle [left, top, right, bottom] (half-open), polygon [[x, y], ...], circle
        [x, y, radius]; and threshold or None.
    grey : float32 array (height, width)
        Grey levels 0..255.

    Examples
    --------
    >>> draw({"circle": [1, 1, 1]}, np.zeros((3, 4), np.float32)).astype(int).tolist()
    [[0, 1, 0, 0], [1, 1, 1, 0], [0, 1, 0, 0]]
    """
    inside = np.zeros(grey.shape, bool)
    if outline.get("rectangle"):
        left, top, right, bottom = outline["rectangle"]
        inside[top:bottom, left:right] = True
    elif outline.get("polygon"):
        inside = polygon2mask(grey.shape, [(y, x) for x, y in outline["polygon"]])
    else:
        x, y, radius = outline["circle"]
        rows, columns = np.ogrid[: grey.shape[0], : grey.shape[1]]
        inside = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    threshold = outline.get("threshold")
    return inside if threshold is None else inside & (grey < threshold)


def hot_pixels(counts: NDArray[np.float32], missing: Missing) -> Missing:
    """Pixels, single or in clusters of up to six, far above all that surrounds them.

    A candidate lies 15 Poisson standard deviations above the sixth largest of its 24 neighbours in a
    5 x 5 window, so that five hot neighbours do not hide it. It is hot when its cluster has at most six
    pixels and it exceeds the brightest pixel beside the cluster tenfold: the flank of a sharp
    ring, a Bragg spot or the beam's tail falls off more slowly than that.

    Parameters
    ----------
    counts : float32 array (height, width)
        Photon counts.
    missing : bool array (height, width)
        Pixels that count as zero.

    Returns
    -------
    hot : bool array (height, width)

    Examples
    --------
    >>> counts = np.ones((7, 7), np.float32); counts[3, 3] = 1048575
    >>> np.argwhere(hot_pixels(counts, counts < 0)).tolist()
    [[3, 3]]
    >>> line = np.ones((15, 15), np.float32); line[7] = 200
    >>> int(hot_pixels(line, line < 0).sum())
    0
    """
    known = np.where(missing, 0, counts)
    neighbours = np.ones((5, 5), bool)
    neighbours[2, 2] = False
    reference = ndimage.rank_filter(known, rank=-6, footprint=neighbours, mode="mirror")
    candidates = ~missing & (known > reference + 15 * np.sqrt(reference + 1))
    touching = np.ones((3, 3), bool)
    clusters, count = ndimage.label(candidates, touching)
    small = np.bincount(clusters.ravel(), minlength=count + 1)[clusters] <= 6
    beside = ndimage.maximum_filter(np.where(candidates, 0, known), 3, mode="mirror")
    brightest_beside = ndimage.maximum(beside, clusters, range(count + 1))[clusters]
    return candidates & small & (known > 10 * (brightest_beside + 1))


def find_stripes(grey: NDArray[np.float32], threshold: float = 10) -> list[tuple[int, int]]:
    """Runs of rows that hold next to nothing where their neighbours say they should.

    A dark row alone proves nothing: in the empty margin of a zoomed-out scan most rows hold a few
    counts and some none at all. A run of dark rows is a stripe when its edges are sharp: the rows just
    outside make it improbable, by Poisson statistics of their lit pixels, that the rows just inside are
    that dark by chance (1 % over the whole image for the two edges' mean, 0.1 % for each one), and it
    is no wider than half of the neighbourhood that it is judged by. A margin fades out: no sharp edge.

    Parameters
    ----------
    grey : float array (rows, columns)
        Grey levels 0..255, NaN where a pixel is known to be missing; transpose it to look for columns.
    threshold : float
        A pixel is lit when its grey level is above this, and above a quarter of the usual level of the
        rows round it (so that JPEG noise and antialiased edges stay dark beside a bright pattern).

    Returns
    -------
    stripes : list of (first, last + 1)

    Examples
    --------
    >>> grey = 50.0 + np.add.outer(np.arange(60), np.arange(40)); grey[20:25] = 0
    >>> find_stripes(grey)
    [(20, 25)]
    >>> find_stripes(100.0 * np.tri(100, 40))  # a bright side that fades out into a margin
    []
    """
    missing = np.isnan(grey)
    grey = np.where(missing, 0, grey)
    window = max(31, len(grey) // 8) | 1
    level = ndimage.median_filter(np.median(grey, axis=1), window, mode="reflect")
    lit = grey > np.maximum(threshold, level / 4)[:, None]
    # A row is judged by its known pixels, and not at all where few are known.
    share_known = 1 - missing.mean(axis=1)
    per_row = lit.sum(axis=1) / np.maximum(share_known, FEWEST_KNOWN) / (_repeats(grey) * _repeats(grey.T))
    usual = ndimage.median_filter(per_row, window, mode="reflect")
    # Without any light nearby a row is neither dark nor lit: it tells nothing.
    dark = (per_row <= DARK_SHARE * usual) & (usual > 0) & (share_known > FEWEST_KNOWN)
    labels, count = ndimage.label(dark)
    chance = math.log(FALSE_ALARM / len(lit))
    stripes = []
    for (run,) in ndimage.find_objects(labels, max_label=count):
        first, last = run.start, run.stop
        edges = [
            (per_row[max(first - EDGE_ROWS, 0) : first], per_row[first : min(first + EDGE_ROWS, last)]),
            (per_row[last : last + EDGE_ROWS], per_row[max(last - EDGE_ROWS, first) : last]),
        ]
        # A stripe that the image's border cuts has one edge only.
        logs = [_log_chance(outside, inside) for outside, inside in edges if outside.size]
        sharp = max(logs) < math.log(ONE_EDGE) and np.mean(logs) < chance
        if sharp and last - first <= window // 2:
            stripes.append((first, last))
    return stripes


def _log_chance(outside: NDArray[np.floating], inside: NDArray[np.floating]) -> float:
    """Log of the chance that rows as lit as those outside an edge are as dark as those inside."""
    return float(poisson.logcdf(inside.sum(), outside.mean() * inside.size))


def _repeats(grey: NDArray[np.float32]) -> float:
    """How often each row of the detector stands in the image: more than once in an enlarged figure.

    Repeated rows are no independent evidence, so that their counts must not be added up.
    """
    rows = grey[grey.any(axis=1)]
    repeated = (rows[1:] == rows[:-1]).all(axis=1).sum()
    # An image without any noise has equal rows too, but no figure is enlarged this much.
    return min(max(len(rows), 1) / max(len(rows) - repeated, 1), 10.0)
