"""Find shadows of any shape with sharp edges: opaque holders, blades, corners that the flight tube cuts off."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import xlogy
from skimage.measure import regionprops

from scatterheal.counts.dispersion import dispersion, local_level

# Levels are compared this far (pixels) from an edge on both sides, and again farther away.
NEAR, FAR = 3.5, 10.0
# Directions that an edge may face.
DIRECTIONS = 16
# Darker than this share of the brighter side; z of the two levels; share of the whole rise that is in the edge.
DROP, SIGNIFICANT, SHARP = 0.75, 5.0, 0.5
# No shadow has fewer pixels.
SMALLEST = 100
# Of a region's contact with edges so much has to face outwards, and it has to be so long for its area.
OUTWARDS, LONG = 0.9, 1.5
# Where nothing tells what is usual, only what is darker than this may end at what could be a ring.
BLACK = 0.05
# An edge that faces the beam less squarely than this cosine is no ring's; so much of a shadow's edges are not.
ASKEW, SHARE_ASKEW = 0.8, 0.15
# What is usual at a radius is told from so many sectors, not fewer than these; and a region from this share of it.
SECTORS, FEWEST_SECTORS, COMPARED = 24, 5, 0.2
# How far round a region (pixels) the level beside it is looked for.
BESIDE = 12
# A shadow goes on behind missing pixels within this distance: no gap between modules is wider.
BRIDGED = 40
# A shadow's own pixels reach to where the level is this share of that beside it.
EDGE = 0.82


class Shadow(NamedTuple):
    """A region with sharp edges that is darker than all that surrounds it."""

    region: NDArray[np.bool_]
    """(height, width)"""
    transmission: float
    """Its level over the level on the bright side of its edges."""
    at_border: bool
    """Whether it reaches the border of the image."""
    evidence: float
    """Log-likelihood ratio of the counts along the dark side of its edges against the level of their bright
    side, corrected for dispersion."""


class _Edges(NamedTuple):
    on: NDArray[np.bool_]
    """Pixels in the middle of an edge."""
    dark: NDArray[np.bool_]
    """Pixels on the dark side of one, not on any bright side."""
    bright: NDArray[np.bool_]
    askew: NDArray[np.bool_]
    """Dark pixels whose edge does not face the beam squarely, as a ring's would."""


def find_shadows(counts: NDArray[np.floating], missing: NDArray[np.bool_], centre: tuple[float, float]) -> list[Shadow]:
    """Look for regions that are cut off sharply from brighter surroundings on all sides that can be seen.

    An edge is where both levels on one side, near and far, lie below both on the other, by a factor and
    significantly, and where most of the rise happens between the near ones: a flank of the pattern goes on
    rising. Edges, missing pixels and the image's border cut it into regions; a shadow is one whose edges
    nearly all face outwards. Rings, arcs and spots are sharp too, so that a shadow also has to be darker than
    what is usual at its radii (the median of all directions) and than its mates on the other side of the
    beam. Where neither is known it needs edges that do not face the beam, or has to be black and reach
    the image's border. A shadow beside a darker one is found in a second look, without that one.

    Parameters
    ----------
    counts : float array (height, width)
        Photon counts.
    missing : bool array (height, width)
        Pixels that tell nothing.
    centre : (x, y)
        The beam centre, pixels.

    Returns
    -------
    shadows : list of Shadow
        The largest first.

    Examples
    --------
    >>> y, x = np.indices((120, 120)); expected = 300 - np.hypot(x - 60, y - 60)
    >>> expected[30:60, :50] *= 0.4
    >>> (found,) = find_shadows(np.random.default_rng(0).poisson(expected), expected < 0, (60, 60))
    >>> int(found.region.sum()), round(found.transmission, 1), found.at_border
    (1547, 0.4, True)
    """
    if min(counts.shape) < 2 * FAR:
        return []
    scatter = dispersion(counts, missing)
    found: list[Shadow] = []
    taken = np.zeros(counts.shape, bool)
    for _ in range(3):
        edges = _edges(counts, missing | taken, centre, scatter)
        free = ~missing & ~taken & ~edges.on
        new = _grown(counts, missing | taken, _outward(counts, missing | taken, free, edges, centre, scatter), edges)
        if not new:
            break
        found += new
        # What a shadow's blurred rim does to the levels beside it must not look like an edge.
        taken = ndimage.binary_dilation(np.logical_or.reduce([shadow.region for shadow in found]), iterations=2)
    return sorted(found, key=lambda shadow: -shadow.region.sum())


def _edges(
    counts: NDArray[np.floating], missing: NDArray[np.bool_], centre: tuple[float, float], scatter: float
) -> _Edges:
    """Compare levels on both sides of every pixel, in all directions."""
    level, pixels = local_level(counts, missing, 1.5)
    wide, _ = local_level(counts, missing, 3.0)
    shape = counts.shape
    on, dark, bright = (np.zeros(shape, bool) for _ in range(3))
    for angle in 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS:
        normal = np.array([np.sin(angle), np.cos(angle)])
        near, far = (tuple(np.rint(reach * normal).astype(int)) for reach in (NEAR, FAR))
        behind, farther_behind = (tuple(-part for part in step) for step in (near, far))
        high, low = _shifted(level, near), _shifted(level, behind)
        # A level that is not known is no objection.
        far_high, far_low = _shifted(wide, far), _shifted(wide, farther_behind)
        far_high, far_low = np.where(np.isnan(far_high), high, far_high), np.where(np.isnan(far_low), low, far_low)
        some = [np.maximum(_shifted(pixels, step), 1e-3) for step in (near, behind)]
        spread = np.sqrt(scatter / some[0] + scatter / some[1])
        z = 2 * (np.sqrt(high) - np.sqrt(low)) / spread
        step, whole = np.log((high + 0.05) / (low + 0.05)), np.log((far_high + 0.05) / (far_low + 0.05))
        here = (DROP * np.minimum(high, far_high) > np.maximum(low, far_low)) & (z > SIGNIFICANT)
        here &= step > SHARP * np.abs(whole)
        on |= here
        dark |= _shifted(here, near)
        bright |= _shifted(here, behind)
    return _Edges(on, dark & ~bright, bright & ~dark, dark & ~bright & _askew(wide, centre))


def _askew(level: NDArray[np.float32], centre: tuple[float, float]) -> NDArray[np.bool_]:
    """Where the level rises across the direction of the beam, rather than towards it or away from it."""
    up, across = np.gradient(level)
    rows, columns = np.indices(level.shape, dtype=np.float32)
    x, y = columns - centre[0], rows - centre[1]
    return np.abs(x * across + y * up) < ASKEW * np.hypot(x, y) * np.hypot(across, up)


def _shifted(values: NDArray, step: tuple[int, int]) -> NDArray:
    """At each pixel the value a step (rows, columns) away; NaN, or False, where that is outside of the image."""
    out = np.full_like(values, np.nan if values.dtype.kind == "f" else False)
    (down, right), (height, width) = step, values.shape
    here = np.s_[max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)]
    there = np.s_[max(down, 0) : height - max(-down, 0), max(right, 0) : width - max(-right, 0)]
    out[here] = values[there]
    return out


def _outward(
    counts: NDArray[np.floating],
    missing: NDArray[np.bool_],
    free: NDArray[np.bool_],
    edges: _Edges,
    centre: tuple[float, float],
    scatter: float,
) -> list[Shadow]:
    """Regions between edges that are shadows, without their edges."""
    regions, _ = ndimage.label(free)
    height, width = counts.shape
    bright_level = np.where(edges.bright & free, counts, np.nan)
    radius, usual = _usual(counts, missing, centre)
    shadows = []
    for region in regionprops(regions):
        if region.area < SMALLEST:
            continue
        top, left, bottom, right = region.bbox
        part = np.s_[top:bottom, left:right]
        facing_out, facing_in = (edge[part][region.image].sum() for edge in (edges.dark, edges.bright))
        if facing_out < OUTWARDS * (facing_out + facing_in) or facing_out < LONG * np.sqrt(region.area):
            continue
        # With what lies beside it, as far as the image goes.
        part = np.s_[max(top - BESIDE, 0) : bottom + BESIDE, max(left - BESIDE, 0) : right + BESIDE]
        image = regions[part] == region.label
        # Edges round bright specks inside are none of its own.
        inner = ndimage.binary_erosion(ndimage.binary_fill_holes(image), iterations=int(NEAR) + 3, border_value=1)
        own = edges.dark[part] & image & ~inner
        if own.sum() < LONG * np.sqrt(region.area):
            continue
        beside = bright_level[part][ndimage.binary_dilation(own, iterations=BESIDE - 1)]
        beside = beside[~np.isnan(beside)]
        if not beside.size:
            continue
        level = float(np.median(beside))
        transmission = float(counts[part][image].mean() / level)
        came, expected = float(counts[part][own].sum()), level * own.sum()
        evidence = (xlogy(came, came / expected) + expected - came) / scatter
        at_border = top == 0 or left == 0 or bottom == height or right == width
        askew = (edges.askew[part] & own).sum() > SHARE_ASKEW * own.sum()
        if transmission > DROP:
            continue
        whole = regions == region.label
        # Where no other place tells what is usual.
        trusted = askew or (at_border and transmission < BLACK)
        if _darker_than_elsewhere(counts, missing, whole, radius, usual, centre, trusted):
            shadows.append(Shadow(whole, transmission, at_border, float(evidence)))
    return shadows


def _usual(
    counts: NDArray[np.floating], missing: NDArray[np.bool_], centre: tuple[float, float]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """At each pixel its radius, and the median of all sectors' mean levels there; NaN where few sectors are known."""
    rows, columns = np.indices(counts.shape)
    radius = np.rint(np.hypot(columns - centre[0], rows - centre[1])).astype(int)
    turn = np.arctan2(rows - centre[1], columns - centre[0]) / (2 * np.pi)
    cell = radius * SECTORS + np.floor(turn * SECTORS).astype(int) % SECTORS
    cells = (int(radius.max()) + 1) * SECTORS
    pixels = np.bincount(cell[~missing], minlength=cells).reshape(-1, SECTORS)
    total = np.bincount(cell[~missing], counts[~missing], cells).reshape(-1, SECTORS)
    enough = (pixels > 0).sum(axis=1) >= FEWEST_SECTORS
    level = np.where(pixels > 0, total / np.maximum(pixels, 1), np.nan)
    usual = np.full(len(level), np.nan)
    usual[enough] = np.nanmedian(level[enough], axis=1)
    return radius, usual[radius]


def _darker_than_elsewhere(
    counts: NDArray[np.floating],
    missing: NDArray[np.bool_],
    region: NDArray[np.bool_],
    radius: NDArray[np.int64],
    usual: NDArray[np.float64],
    centre: tuple[float, float],
    otherwise: bool,
) -> bool:
    """Whether a region is darker than what is usual at its radii, and than its mates on the other side of the beam.

    The dark between rings, spots or streaks is as dark elsewhere at the same radius, that between arcs on the other
    side (Friedel's law). Where next to nothing can be compared `otherwise` is returned.
    """
    here = region.nonzero()
    values, expected, distance = counts[here], usual[here], radius[here]
    told = ~np.isnan(expected)
    x, y = np.rint(2 * centre[0] - here[1]).astype(int), np.rint(2 * centre[1] - here[0]).astype(int)
    paired = (x >= 0) & (x < region.shape[1]) & (y >= 0) & (y < region.shape[0])
    paired[paired] = (~missing & ~region)[y[paired], x[paired]]
    mates = counts[y[paired], x[paired]]
    verdicts = []
    for which, level in ((told, expected[told]), (paired, mates)):
        if which.sum() >= max(SMALLEST, COMPARED * told.size):
            # Radius by radius: where the centre is a bit wrong the flank of a bright ring must not outweigh all else.
            pixels, own, other = (np.bincount(distance[which], weights) for weights in (None, values[which], level))
            verdicts.append(pixels[own < DROP * other].sum() > pixels.sum() / 2)
    return all(verdicts) if verdicts else otherwise


def _grown(
    counts: NDArray[np.floating],
    missing: NDArray[np.bool_],
    cores: list[Shadow],
    edges: _Edges,
) -> list[Shadow]:
    """Let each shadow reach into its edges, as far as the level stays below that on the bright side."""
    if not cores:
        return []
    core = np.logical_or.reduce([shadow.region for shadow in cores])
    beside, _ = local_level(counts, missing | edges.on | core, 2.0)
    known = edges.bright & ~core & ~np.isnan(beside)
    _, (rows, columns) = ndimage.distance_transform_edt(~known, return_indices=True)
    here, _ = local_level(counts, missing, 1.0)
    rim = edges.on & ~missing & (here < EDGE * beside[rows, columns])
    shadows = []
    for shadow in cores:
        region = shadow.region
        ((top, bottom), (left, right)) = ((np.flatnonzero(region.any(axis=axis))[[0, -1]]) for axis in (1, 0))
        margin = BRIDGED + 4 * int(NEAR)
        part = np.s_[max(top - margin, 0) : bottom + margin + 1, max(left - margin, 0) : right + margin + 1]
        inside = region[part]
        # It goes on behind a gap, where a narrow rest of it may be all edge.
        bridge = missing[part] & (ndimage.distance_transform_edt(~inside) <= BRIDGED)
        reach = ndimage.binary_dilation(inside | bridge, iterations=int(NEAR) * 3)
        grown = ndimage.binary_propagation(inside, mask=inside | bridge | (reach & rim[part]))
        grown = (ndimage.binary_closing(np.pad(grown, 4), iterations=2)[4:-4, 4:-4] | grown) & ~missing[part]
        whole = np.zeros_like(region)
        whole[part] = grown
        shadows.append(shadow._replace(region=whole))
    return shadows
