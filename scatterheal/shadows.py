"""Find shadows of any shape with sharp edges: opaque holders, blades, corners that the flight tube cuts off."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import regionprops

from scatterheal.poisson import dispersion, local_level

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
# Only what is darker than this may end at rings round the beam, where it reaches the image's border.
OPAQUE = 0.15
# An edge that faces the beam less squarely than this cosine is no ring's; so much of a shadow's edges are not.
ASKEW, SHARE_ASKEW = 0.8, 0.15
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


class _Edges(NamedTuple):
    on: NDArray[np.bool_]
    """Pixels in the middle of an edge."""
    dark: NDArray[np.bool_]
    """Pixels on the dark side of one, not on any bright side."""
    bright: NDArray[np.bool_]
    askew: NDArray[np.bool_]
    """Dark pixels whose edge does not face the beam squarely, as a ring's would."""


def find_shadows(
    counts: NDArray[np.floating], missing: NDArray[np.bool_], centre: tuple[float, float] | None = None
) -> list[Shadow]:
    """Look for regions that are cut off sharply from brighter surroundings on all sides that can be seen.

    An edge is where both levels on one side, near and far, lie below both on the other, by a factor and
    significantly, and where most of the rise happens between the near ones: a flank of the pattern goes on
    rising. Edges, missing pixels and the image's border cut it into regions; a shadow is one whose edges
    nearly all face outwards. Rings are sharp too, so that a shadow needs edges that do not face the
    beam, or has to be opaque and reach the image's border. A shadow beside a darker one is
    found in a second look, without that one.

    Parameters
    ----------
    counts : float array (height, width)
        Photon counts.
    missing : bool array (height, width)
        Pixels that tell nothing.
    centre : (x, y), optional
        The beam centre, pixels; without it only opaque shadows at the border are told from rings.

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
    scatter = dispersion(counts, missing)
    found: list[Shadow] = []
    taken = np.zeros(counts.shape, bool)
    for _ in range(3):
        edges = _edges(counts, missing | taken, centre, scatter)
        free = ~missing & ~taken & ~edges.on
        new = _grown(counts, missing | taken, _outward(counts, free, edges, centre), edges)
        if not new:
            break
        found += new
        # What a shadow's blurred rim does to the levels beside it must not look like an edge.
        taken = ndimage.binary_dilation(np.logical_or.reduce([shadow.region for shadow in found]), iterations=2)
    return sorted(found, key=lambda shadow: -shadow.region.sum())


def _edges(
    counts: NDArray[np.floating], missing: NDArray[np.bool_], centre: tuple[float, float] | None, scatter: float
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


def _askew(level: NDArray[np.float32], centre: tuple[float, float] | None) -> NDArray[np.bool_]:
    """Where the level rises across the direction of the beam, rather than towards it or away from it."""
    if centre is None:
        return np.zeros(level.shape, bool)
    up, across = np.gradient(level)
    rows, columns = np.indices(level.shape, dtype=np.float32)
    x, y = columns - centre[0], rows - centre[1]
    return np.abs(x * across + y * up) < ASKEW * np.hypot(x, y) * np.hypot(across, up)


def _shifted(values: NDArray[np.float32], step: tuple[int, int]) -> NDArray[np.float32]:
    """At each pixel the value a step (rows, columns) away; NaN, or False, where that is outside of the image."""
    out = np.full_like(values, np.nan if values.dtype.kind == "f" else False)
    (down, right), (height, width) = step, values.shape
    here = np.s_[max(-down, 0) : height - max(down, 0), max(-right, 0) : width - max(right, 0)]
    there = np.s_[max(down, 0) : height - max(-down, 0), max(right, 0) : width - max(-right, 0)]
    out[here] = values[there]
    return out


def _askew(level: NDArray[np.float32], centre: tuple[float, float] | None) -> NDArray[np.bool_]:
    """Where the level rises across the direction of the beam, rather than towards it or away from it."""
    if centre is None:
        return np.zeros(level.shape, bool)
    up, across = np.gradient(level)
    rows, columns = np.indices(level.shape, dtype=np.float32)
    x, y = columns - centre[0], rows - centre[1]
    return np.abs(x * across + y * up) < ASKEW * np.hypot(x, y) * np.hypot(across, up)


def _shifted(values: NDArray[np.float32], step: tuple[int, int]) -> NDArray[np.float32]:
    """At each pixel the value a step (rows, columns) away; NaN, or False, where that is outside of the image."""
    out = np.full_like(values, np.nan if values.dtype.kind == "f" else False)
    here, there = (
        tuple(
            np.s_[max(sign * part, 0) : length + min(sign * part, 0)]
            for part, length in zip(step, values.shape, strict=True)
        )
        for sign in (-1, 1)
    )
    out[here] = values[there]
    return out


def _outward(
    counts: NDArray[np.floating], free: NDArray[np.bool_], edges: _Edges, centre: tuple[float, float] | None
) -> list[tuple[NDArray[np.bool_], float, bool]]:
    """Regions between edges that are shadows: where they are, their level, whether they reach the border."""
    regions, _ = ndimage.label(free)
    height, width = counts.shape
    bright_level = np.where(edges.bright & free, counts, np.nan)
    shadows = []
    for region in regionprops(regions):
        if region.area < SMALLEST:
            continue
        top, left, bottom, right = region.bbox
        part = np.s_[top:bottom, left:right]
        facing_out, facing_in = (edge[part][region.image].sum() for edge in (edges.dark, edges.bright))
        if facing_out < OUTWARDS * (facing_out + facing_in) or facing_out < LONG * np.sqrt(region.area):
            continue
        # Edges round bright specks inside are none of its own.
        inner = ndimage.binary_erosion(
            ndimage.binary_fill_holes(region.image), iterations=int(NEAR) + 3, border_value=1
        )
        own = edges.dark[part] & region.image & ~inner
        if own.sum() < LONG * np.sqrt(region.area):
            continue
        reach = ndimage.binary_dilation(np.pad(own, 12), iterations=11)
        beside = np.pad(bright_level, 12, constant_values=np.nan)[top : bottom + 24, left : right + 24][reach]
        beside = beside[~np.isnan(beside)]
        if not beside.size:
            continue
        transmission = float(counts[part][region.image].mean() / np.median(beside))
        at_border = top == 0 or left == 0 or bottom == height or right == width
        askew = centre is not None and (edges.askew[part] & own).sum() > SHARE_ASKEW * own.sum()
        if transmission < DROP and (askew or (at_border and transmission < OPAQUE)):
            shadows.append((regions == region.label, transmission, at_border))
    return shadows


def _grown(
    counts: NDArray[np.floating],
    missing: NDArray[np.bool_],
    cores: list[tuple[NDArray[np.bool_], float, bool]],
    edges: _Edges,
) -> list[Shadow]:
    """Let each shadow reach into its edges, as far as the level stays below that on the bright side."""
    if not cores:
        return []
    core = np.logical_or.reduce([region for region, _, _ in cores])
    beside, _ = local_level(counts, missing | edges.on | core, 2.0)
    known = edges.bright & ~core & ~np.isnan(beside)
    _, (rows, columns) = ndimage.distance_transform_edt(~known, return_indices=True)
    here, _ = local_level(counts, missing, 1.0)
    rim = edges.on & ~missing & (here < EDGE * beside[rows, columns])
    shadows = []
    for region, transmission, at_border in cores:
        reach = ndimage.binary_dilation(region, iterations=int(NEAR) * 3)
        grown = ndimage.binary_propagation(region, mask=region | (reach & rim))
        grown = (ndimage.binary_closing(np.pad(grown, 4), iterations=2)[4:-4, 4:-4] | grown) & ~missing
        shadows.append(Shadow(grown, transmission, at_border))
    return shadows
