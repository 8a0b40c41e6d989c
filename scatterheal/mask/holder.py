"""Find the beamstop's holder: a dark band, opaque or not, from the beam centre to the image's border."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import minimize

from scatterheal.counts.dispersion import block_sums, dispersion

# The search runs on at most so many pixels a side; the outline is then fitted to all of them.
COARSE_SIDE = 1100
# Half widths that are tried, pixels of the coarse image.
HALF_WIDTHS = (1.0, 1.5, 2.0, 3.0, 4.5, 7.0, 10.0, 14.0, 20.0)
# The band is judged in so many stretches along its length.
STRETCHES = 10
# No single stretch can say more than this (log-likelihood ratio): a spot beside the band is no holder.
MOST_EVIDENCE = 30.0
# Nor more than this where the pattern itself has a streak or a dark sector: the opposite side
# differs by this factor from its own flanks. For the outline such a stretch is not used at all.
MOST_EVIDENCE_UNEVEN, UNEVEN = 3.0, 1.4
# What both sides let one expect is no better than this, however many counts there are: patterns are not even.
MODEL_ERROR = 0.1
# Evidence from which a band is believed, also as a multiple of that of the best band elsewhere; the share of its
# stretches that have to be dark.
EVIDENCE, LEAD, AGREEMENT = 6.0, 1.4, 0.7
# A holder lets through no more than this share of what is beside it.
TRANSMISSION = 0.75
# Its outline is where the level reaches this share of the level beside it; pixels at its rim are partly covered.
EDGE, RIM = 0.85, 0.5
# Of the whole drop so much happens at the edge, within this share of the half width (not less than these pixels): a
# dark sector of the pattern fades in. It is not much more either, as between two streaks or spots.
SHARP, OVERSHOOT, ZONE, NARROWEST_ZONE = 0.6, 1.2, 0.25, 2.0
# Pixels this many times brighter than most of their neighbours are levelled before the search.
BRIGHT = 4.0


class Holder(NamedTuple):
    """A straight band that gets wider or narrower evenly."""

    outline: list[tuple[float, float]]
    """Four corners (x, y), pixels, two at the beam centre and two at the far end."""
    transmission: float
    """Counts inside over the counts expected there from both sides."""
    evidence: float
    """Log-likelihood ratio against no band, corrected for dispersion."""
    runner_up: float
    """The evidence of the best band elsewhere."""


class _Band(NamedTuple):
    """What the search found, in pixels of the image that it saw."""

    angle: float
    half_width: float
    evidence: float
    runner_up: float


def find_holder(
    counts: NDArray[np.floating], missing: NDArray[np.bool_], centre: tuple[float, float], start: float = 0.0
) -> Holder | None:
    """Look for a straight dark band that starts at the beam centre.

    For every direction and width the counts inside the band are compared with those beside it on the
    darker of its two sides, in stretches along its length, and the result with that on the opposite side
    of the beam: what the sample scatters is the same there (Friedel's law), so that dark sectors between arcs
    or beside a streak cancel. A stretch without its opposite says nothing, and a holder right across the
    beam cancels too. The best band's outline is then fitted by maximum likelihood to single pixels, with a
    transmission for every stretch, and moved outwards to where the level reaches 85 % of that beside it.

    Parameters
    ----------
    counts : float array (height, width)
        Photon counts.
    missing : bool array (height, width)
        Pixels that tell nothing, the beamstop's among them.
    centre : (x, y)
        The beam centre, pixels.
    start : float
        The beamstop's radius: nothing nearer to the centre is judged.

    Returns
    -------
    Holder or None

    Examples
    --------
    >>> y, x = np.indices((160, 160)); expected = 2000 / (np.hypot(x - 80, y - 80) + 9)
    >>> expected[76:84, :80] *= 0.4
    >>> found = find_holder(np.random.default_rng(0).poisson(expected), expected < 0, (80, 80))
    >>> [(round(x), round(y)) for x, y in found.outline]
    [(80, 75), (-2, 75), (-2, 84), (80, 84)]
    >>> round(found.transmission, 1)
    0.4
    """
    usual = ndimage.percentile_filter(np.where(missing, 0, counts), 75, 9)
    levelled = np.minimum(counts, BRIGHT * usual + 10)
    side = -(-max(counts.shape) // COARSE_SIDE)
    if side > 1:
        coarse, spoilt = block_sums(levelled, missing, side)
        middle = tuple((c - (side - 1) / 2) / side for c in centre)
    else:
        coarse, spoilt, middle = levelled, missing, centre
    band = _search(coarse, spoilt, middle, max(start / side, 6.0))
    if band is None:
        return None
    return _fit(levelled, missing, centre, band, side, start)


def _search(
    counts: NDArray[np.floating], missing: NDArray[np.bool_], centre: tuple[float, float], start: float
) -> _Band | None:
    """The direction and width with the most evidence."""
    height, width = counts.shape
    corners = np.hypot(*np.meshgrid(np.array([0, width - 1]) - centre[0], np.array([0, height - 1]) - centre[1]))
    radii = int(corners.max()) + 1
    angles = int(min(2 * np.pi * radii * 0.75, 6000)) // 2 * 2
    summed = [_summed_over_angles(values, missing, centre, radii, angles) for values in (counts, np.ones_like(counts))]
    stretches = np.unique(np.geomspace(start, radii, STRETCHES + 1).astype(int))
    scatter = dispersion(counts, missing)
    total = np.array([_evidence(summed, half, stretches, angles, scatter) for half in HALF_WIDTHS])
    favour, against, dark = total[:, 0], total[:, 1], total[:, 2]
    evidence = np.where(dark >= AGREEMENT, favour - against, 0)
    chosen, direction = np.unravel_index(np.argmax(evidence), evidence.shape)
    best = float(evidence[chosen, direction])
    # Elsewhere: away by more than both bands' flanks take at half of the image's size.
    apart = np.abs((np.arange(angles) - direction + angles // 2) % angles - angles // 2)
    elsewhere = apart * 2 * np.pi / angles > 0.15
    runner_up = float(evidence[:, elsewhere].max())
    if best < max(EVIDENCE, LEAD * runner_up):
        return None
    return _Band((direction + 0.5) * 2 * np.pi / angles, HALF_WIDTHS[chosen], best, runner_up)


def _summed_over_angles(
    values: NDArray[np.floating], missing: NDArray[np.bool_], centre: tuple[float, float], radii: int, angles: int
) -> NDArray[np.float64]:
    """Running sums over azimuth at each radius, from half a turn before the first angle to half a turn beyond."""
    rows, columns = np.nonzero(~missing)
    distance = np.rint(np.hypot(columns - centre[0], rows - centre[1])).astype(int)
    chi = np.arctan2(rows - centre[1], columns - centre[0]) % (2 * np.pi)
    cell = np.minimum(distance, radii - 1) * angles + (chi / (2 * np.pi) * angles).astype(int) % angles
    table = np.bincount(cell, values[rows, columns], radii * angles).reshape(radii, angles)
    half = angles // 2
    around = np.concatenate([np.zeros((radii, 1)), table[:, -half:], table, table[:, :half]], axis=1)
    return np.cumsum(around, axis=1)


def _evidence(
    summed: list[NDArray[np.float64]], half_width: float, stretches: NDArray[np.int64], angles: int, scatter: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Evidence for and against a band of this half width, and the share of dark stretches, for every direction."""
    radius = np.arange(len(summed[0]))
    apart, wide = max(2.0, 0.4 * half_width), max(1.5 * half_width, 4.0)
    usable = half_width + apart + wide < 0.95 * radius
    offsets = [
        np.arcsin(np.minimum(distance / np.maximum(radius, 1), 1)) * angles / (2 * np.pi)
        for distance in (half_width, half_width + apart, half_width + apart + wide)
    ]
    counted: list[NDArray[np.float64]] = []
    pixels: list[NDArray[np.float64]] = []
    for table, sums in zip(summed, (counted, pixels), strict=True):
        for first, last in ((-offsets[0], offsets[0]), (-offsets[2], -offsets[1]), (offsets[1], offsets[2])):
            sums.append(np.where(usable[:, None], _at(table, last, angles) - _at(table, first, angles), 0))
    logs, variances, known = [], [], []
    for first, last in itertools.pairwise(stretches):
        part = np.s_[first:last]
        sides = []
        for flank in (1, 2):
            ok = (pixels[flank][part] > 0.3 * wide) & (pixels[0][part] > 0)
            level = counted[flank][part] / np.maximum(pixels[flank][part], 1e-9)
            expected = np.where(ok, pixels[0][part] * level, 0).sum(axis=0)
            inside = np.where(ok, counted[0][part], 0).sum(axis=0)
            sides.append((np.log((inside + 0.5) / (expected + 0.5)), expected))
        (left, expected_left), (right, expected_right) = sides
        # The side that is less convinced speaks.
        expected = np.where(left > right, expected_left, expected_right)
        logs.append(np.maximum(left, right))
        # The flank's own scatter adds to the band's.
        variances.append(scatter * (1 + 2 * half_width / wide) / (expected + 0.5) + MODEL_ERROR**2)
        known.append((expected_left > 0) & (expected_right > 0))
    log, variance, both = np.array(logs), np.array(variances), np.array(known)
    mate = angles // 2
    log_mate, variance_mate, known_mate = (np.roll(each, mate, axis=1) for each in (log, variance, both))
    difference = np.where(known_mate, log - log_mate, log)
    # Without its mate a stretch may be a dark sector of the pattern.
    z = np.where(both & known_mate, -difference / np.sqrt(variance + variance_mate), 0)
    uneven = known_mate & (np.abs(log_mate) > np.log(UNEVEN) + np.sqrt(variance_mate))
    strength = np.minimum(z**2 / 2, np.where(uneven, MOST_EVIDENCE_UNEVEN, MOST_EVIDENCE))
    # A holder is dark all along: of the stretches that could tell half of the light from all of it, nearly all are.
    able = both & (variance < (np.log(0.5) / 2) ** 2)
    # Where none could, the evidence of all together decides.
    dark = 1 - (able & (difference > np.log(EDGE))).sum(axis=0) / np.maximum(able.sum(axis=0), 1)
    return np.where(z > 0, strength, 0).sum(axis=0), np.where(z < 0, strength, 0).sum(axis=0), dark


def _at(table: NDArray[np.float64], offset: NDArray[np.float64], angles: int) -> NDArray[np.float64]:
    """Running sums at every angle plus an offset that depends on the radius."""
    # At one radius all angles are shifted alike, so that whole rows are copied.
    shift = angles // 2 + 0.5 + offset
    below = np.floor(shift).astype(int)
    part = (shift - below)[:, None]
    rows = np.arange(len(table))
    windows = sliding_window_view(table, angles, axis=1)
    return windows[rows, below] * (1 - part) + windows[rows, below + 1] * part


class _Strip(NamedTuple):
    """The known pixels near a band."""

    along: NDArray[np.float64]
    """Distance from the centre along the band, pixels."""
    across: NDArray[np.float64]
    """Signed distance from the band's first guess, pixels."""
    counts: NDArray[np.float64]
    expected: NDArray[np.float64]
    """Counts that the level on both sides lets one expect."""
    stretch: NDArray[np.int64]
    """Number of the stretch along the band."""


def _fit(
    counts: NDArray[np.floating],
    missing: NDArray[np.bool_],
    centre: tuple[float, float],
    band: _Band,
    side: int,
    start: float,
) -> Holder | None:
    """Fit the outline to single pixels, starting from what the search found."""
    half_width = band.half_width * side
    strip, length = _strip(counts, missing, centre, band.angle, half_width, start)
    opposite, _ = _strip(counts, missing, centre, band.angle + np.pi, half_width, start)
    even = _even(opposite, half_width)[strip.stretch]
    strip = _Strip._make(part[even] for part in strip)
    if not strip.along.size:
        return None

    part = strip.along / length

    def edges(shape: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Both sides' distance from the first guess at every pixel: linear along the band."""
        middle, half = shape[0] + shape[1] * part, shape[2] + shape[3] * (part - 0.5)
        return middle - half, middle + half

    def surprise(shape: NDArray[np.float64]) -> float:
        """Minus the log-likelihood ratio; leaving the first guess costs, so that a faint band stays straight."""
        left, right = edges(shape)
        # A pixel's share inside changes smoothly, so that the fit has a slope to follow.
        inside = np.clip(strip.across - left + 0.5, 0, 1) * np.clip(right - strip.across + 0.5, 0, 1)
        taken = inside * (1 - _transmissions(strip, inside > 0.5)[strip.stretch])
        gain = (strip.counts * np.log1p(-np.minimum(taken, 0.99)) + taken * strip.expected).sum()
        return (((shape - guess) / leeway) ** 2).sum() / 2 - gain / scatter

    scatter = dispersion(counts, missing)
    guess = np.array([0, 0, half_width, 0])
    # Off the beam's centre, turned, wider or narrower, tapering.
    leeway = np.array([max(half_width, 3.0), 0.02 * length, 0.3 * half_width + 1, 0.4 * half_width])
    grid = itertools.product(np.linspace(-1, 1, 5), np.linspace(-1.5, 1.5, 9), (-0.6, 0, 0.6), (0.0,))
    first = min((guess + leeway * step for step in grid), key=surprise)
    simplex = first + np.vstack([np.zeros(4), 0.4 * np.diag(leeway)])
    shape = minimize(surprise, first, method="Nelder-Mead", options={"initial_simplex": simplex, "xatol": 0.05}).x
    left, right = edges(shape)
    inside = (strip.across > left) & (strip.across < right)
    # Near the beam a streak may outshine both flanks: what comes through is told by the other stretches.
    dark = inside & (_transmissions(strip, inside) < 1)[strip.stretch]
    transmission = strip.counts[dark].sum() / max(strip.expected[dark].sum(), 1e-9)
    if not dark.any() or transmission > TRANSMISSION or not _sharp(strip, left, right):
        return None
    soft = _softness(strip, np.maximum(left - strip.across, strip.across - right), half_width, scatter)
    direction = np.array([np.cos(band.angle), np.sin(band.angle)])
    aside = np.array([-direction[1], direction[0]])
    # Round the band: out along one side, back along the other.
    corners = []
    for at, sign in ((0, 1), (1, 1), (1, -1), (0, -1)):
        off = shape[0] + shape[1] * at + sign * (shape[2] + shape[3] * (at - 0.5) + soft)
        corners.append(np.array(centre) + at * length * direction + off * aside)
    return Holder([(float(x), float(y)) for x, y in corners], float(transmission), band.evidence, band.runner_up)


def _strip(
    counts: NDArray[np.floating],
    missing: NDArray[np.bool_],
    centre: tuple[float, float],
    angle: float,
    half_width: float,
    start: float,
) -> tuple[_Strip, float]:
    """The pixels within reach of a band, and the length at which it leaves the image for good."""
    inner, outer = 1.6 * half_width + 3, 3 * half_width + 7
    rows, columns = np.indices(counts.shape)
    along = (columns - centre[0]) * np.cos(angle) + (rows - centre[1]) * np.sin(angle)
    across = (rows - centre[1]) * np.cos(angle) - (columns - centre[0]) * np.sin(angle)
    near = (along > max(start, 1)) & (np.abs(across) < outer)
    length = float(along[near].max()) + half_width if near.any() else 0.0
    near &= ~missing
    along, across, values = along[near], across[near], counts[near].astype(np.float64)
    # What is expected comes from both flanks in short pieces: rings cross the band.
    piece = (along / 4).astype(int)
    flanks = [(across < -inner), (across > inner)]
    sums = [np.bincount(piece[flank], values[flank], piece.max(initial=0) + 1) for flank in flanks]
    pixels = [np.bincount(piece[flank], minlength=piece.max(initial=0) + 1) for flank in flanks]
    # Where one flank is hidden nothing is expected; smoothing over three pieces tames shot noise.
    usable = (pixels[0] > 0) & (pixels[1] > 0)
    level = [
        ndimage.uniform_filter1d(np.where(usable, total, 0.0), 3)
        / np.maximum(ndimage.uniform_filter1d(np.where(usable, number, 0).astype(float), 3), 1e-9)
        for total, number in zip(sums, pixels, strict=True)
    ]
    share = np.clip(0.5 + across / (inner + outer), 0, 1)
    expected = level[0][piece] * (1 - share) + level[1][piece] * share
    judged = usable[piece] & (np.abs(across) < inner)
    stretch = (along / max(length, 1) * STRETCHES).astype(int).clip(0, STRETCHES - 1)
    return _Strip(*(part[judged] for part in (along, across, values, expected, stretch))), length


def _even(opposite: _Strip, half_width: float) -> NDArray[np.bool_]:
    """For every stretch, whether the pattern on the other side of the beam is as bright as beside itself there."""
    inside = np.abs(opposite.across) < half_width
    came = np.bincount(opposite.stretch[inside], opposite.counts[inside], STRETCHES)
    expected = np.bincount(opposite.stretch[inside], opposite.expected[inside], STRETCHES)
    return np.abs(np.log((came + 3) / (expected + 3))) < np.log(UNEVEN)


def _transmissions(strip: _Strip, inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of the expected counts that came through, for every stretch."""
    came = np.bincount(strip.stretch[inside], strip.counts[inside], STRETCHES)
    expected = np.bincount(strip.stretch[inside], strip.expected[inside], STRETCHES)
    return np.clip((came + 0.5) / (expected + 0.5), 0.01, 1)


def _sharp(strip: _Strip, left: NDArray[np.float64], right: NDArray[np.float64]) -> bool:
    """Whether the level rises at the band's edges, and not all the way from its middle outwards."""
    half = (right - left) / 2
    depth = half - np.abs(strip.across - (left + right) / 2)
    zone = np.maximum(ZONE * half, NARROWEST_ZONE)

    def level(where: NDArray[np.bool_]) -> float:
        """Counts over those expected from the flanks."""
        return (strip.counts[where].sum() + 0.5) / (strip.expected[where].sum() + 0.5)

    middle = level(depth > half / 2)
    inside, outside = level(depth > np.minimum(zone, half / 2)), level((depth < -zone) & (depth > -2 * zone - 1))
    return SHARP < (outside - inside) / max(1 - middle, 1e-9) < OVERSHOOT


def _softness(strip: _Strip, outside: NDArray[np.float64], half_width: float, scatter: float) -> float:
    """How far outside of the fitted edges the level reaches its usual height again, pixels."""
    reach = int(half_width) + 2
    ring = np.floor(outside).astype(int)
    near = (ring >= 0) & (ring < reach)
    came = np.bincount(ring[near], strip.counts[near], reach)
    expected = np.bincount(ring[near], strip.expected[near], reach)
    # A ring that may be as bright by chance ends it, so that noise does not widen the band.
    lit = np.flatnonzero(came + np.sqrt(scatter * expected) >= EDGE * expected)
    return RIM + (float(lit[0]) if lit.size else float(reach))
