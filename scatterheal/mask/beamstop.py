"""Find the beamstop: the dark disc round the beam centre."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import xlogy
from skimage.draw import polygon2mask

from scatterheal.counts.dispersion import dispersion

# No beamstop is wider than this share of the image's shorter side.
WIDEST = 0.3
# Mean level inside a beamstop over the level of the pixels round it, at most; semi-transparent ones exist.
DEPTH = 0.35
# Its inner part, to this share of its radius, lets next to nothing through.
CORE, OPAQUE = 0.5, 0.15
# Its edge is sharp: right inside the level is below this share of that right outside, or does not rise beyond any more
# than by this factor. And its core is darker than this share of what lies well outside, where a ring has ended.
DARK_INSIDE, RISES, DARKER = 0.06, 1.05, 0.25
# A shadow ends where the level reaches this share of the level beside it; pixels at its rim are partly covered.
EDGE, RIM = 0.85, 0.5
# The beam centre may be this many pixels off.
SLACK = 6.0
# A beamstop with a smaller radius (pixels) is taken for round: too few pixels tell its outline.
ROUND = 6.0
# Log-likelihood ratio against no beamstop, corrected for dispersion.
EVIDENCE = 12.0


class Beamstop(NamedTuple):
    """A dark disc, or nearly one, round the beam centre."""

    region: NDArray[np.bool_]
    """(height, width)"""
    centre: tuple[float, float]
    """x, y in pixels; not the beam's own centre."""
    radius: float
    """Of a disc of the same area, pixels."""
    transmission: float
    """Mean level of the disc over the level of the pixels round it."""
    evidence: float
    """Log-likelihood ratio against an even level."""


def find_beamstop(
    counts: NDArray[np.floating], missing: NDArray[np.bool_], centre: tuple[float, float]
) -> Beamstop | None:
    """Look for a dark disc round the beam centre, with a brighter rim.

    Of all discs of all radii near the centre the one is taken whose counts differ most, by the
    log-likelihood ratio of two Poisson levels, from those of the ring just outside. It has to be dark
    through and through in its middle. Its outline is then followed from sector to sector to where the level
    reaches 85 % of that outside. There it has to end sharply, and what lies well outside has to be brighter than
    its core: the dark inside of a ring fades in, and is as dark again beyond the ring.

    Parameters
    ----------
    counts : float array (height, width)
        Photon counts.
    missing : bool array (height, width)
        Pixels that tell nothing.
    centre : (x, y)
        The beam centre, pixels, good to a few of them.

    Returns
    -------
    Beamstop or None

    Examples
    --------
    >>> y, x = np.indices((80, 80)); radius = np.hypot(x - 40, y - 38)
    >>> counts = np.where(radius < 9, 0, 200 / (radius + 1))
    >>> found = find_beamstop(counts, counts < 0, (41, 38))
    >>> round(found.radius), [round(c) for c in found.centre]
    (9, [40, 38])
    >>> find_beamstop(200 / (radius + 1), counts < 0, (41, 38)) is None
    True
    """
    longest = WIDEST / 2 * min(counts.shape)
    if longest < SLACK:
        return None
    scatter = dispersion(counts, missing)
    # The stop sits where somebody put it, and the beam's centre is known to a few pixels: look round for the darkest
    # disc, for small ones in smaller steps, and then closer round the best.
    tried = [
        *_best_near(counts, missing, centre, SLACK, SLACK / 2, np.arange(1.5, longest, 0.5), scatter),
        *_best_near(counts, missing, centre, SLACK, 1.0, np.arange(1.5, 2 * SLACK, 0.5), scatter),
    ]
    if not tried:
        return None
    (_, radius), middle = max(tried)
    radii = np.arange(max(1.5, 0.5 * radius), 1.6 * radius + 1, 0.25)
    reach, step = max(1.0, 0.4 * radius), max(0.5, radius / 12)
    nearer = _best_near(counts, missing, middle, reach, step, radii, scatter)
    if not nearer:
        # A few pixels between gaps: a disc round one point holds five of them, and none of those beside it does.
        return None
    (evidence, radius), middle = max(nearer)
    if evidence < EVIDENCE or not _opaque(counts, missing, middle, radius):
        return None
    region, level = _outline(counts, missing, middle, radius)
    if not region.any() or not _sharp(counts, missing, region):
        return None
    _, values = _by_radius(counts, missing, middle, radius)
    transmission = float(values.mean() / level) if values.size else 0.0
    rows, columns = np.nonzero(region)
    return Beamstop(
        region,
        (float(columns.mean()), float(rows.mean())),
        float(np.sqrt(region.sum() / np.pi)),
        transmission,
        evidence,
    )


def _best_near(
    counts: NDArray[np.floating],
    missing: NDArray[np.bool_],
    centre: tuple[float, float],
    reach: float,
    step: float,
    radii: NDArray[np.float64],
    scatter: float,
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Evidence and radius of the best disc round every point near the centre, with the point."""
    offsets = np.arange(-reach, reach + step / 2, step)
    points = [(float(centre[0] + dx), float(centre[1] + dy)) for dy in offsets for dx in offsets]
    return [(best, point) for point in points if (best := _best_disc(counts, missing, point, radii, scatter))]


def _best_disc(
    counts: NDArray[np.floating],
    missing: NDArray[np.bool_],
    centre: tuple[float, float],
    radii: NDArray[np.float64],
    scatter: float,
) -> tuple[float, float] | None:
    """Evidence and radius of the disc that differs most from the ring round it."""
    radius, values = _by_radius(counts, missing, centre, radii[-1] * 1.3 + 4)
    if not values.size:
        return None
    total = np.concatenate([[0], np.cumsum(values)])
    bounds = [radii, radii + 1, radii + 1 + np.maximum(2, 0.3 * radii)]
    inner, start, stop = (np.searchsorted(radius, bound) for bound in bounds)
    pixels, pixels_round = inner, stop - start
    inside, outside = total[inner], total[stop] - total[start]
    with np.errstate(divide="ignore", invalid="ignore"):
        level, level_round = inside / pixels, outside / pixels_round
        pooled = (inside + outside) / (pixels + pixels_round)
        ratio = xlogy(inside, level / pooled) + xlogy(outside, level_round / pooled)
    evidence = np.where((level < DEPTH * level_round) & (pixels >= 5), ratio / scatter, -1)
    chosen = int(np.argmax(evidence))
    return (float(evidence[chosen]), float(radii[chosen])) if evidence[chosen] > 0 else None


def _by_radius(
    counts: NDArray[np.floating], missing: NDArray[np.bool_], centre: tuple[float, float], reach: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances from the centre, rising, and the counts there, of the known pixels within reach."""
    top, left = (max(int(c - reach), 0) for c in centre[::-1])
    part = np.s_[top : max(int(centre[1] + reach) + 2, 0), left : max(int(centre[0] + reach) + 2, 0)]
    rows, columns = np.nonzero(~missing[part])
    distance = np.hypot(columns + left - centre[0], rows + top - centre[1])
    order = np.argsort(distance)
    order = order[distance[order] <= reach]
    return distance[order], counts[part][rows, columns][order].astype(np.float64)


def _opaque(
    counts: NDArray[np.floating], missing: NDArray[np.bool_], middle: tuple[float, float], radius: float
) -> bool:
    """Whether the core is dark through and through, and not just darker than the rim."""
    distance, values = _by_radius(counts, missing, middle, 1.5 * radius + 3)
    core, rim = values[distance < CORE * radius], values[distance > radius + 1]
    # One count in the core may be chance.
    return bool(core.size and rim.size and max(core.sum() - 1, 0) / core.size < OPAQUE * rim.mean())


def _sharp(counts: NDArray[np.floating], missing: NDArray[np.bool_], region: NDArray[np.bool_]) -> bool:
    """Whether the region ends like a shadow and not like the dark inside of a ring, which fades in and out again."""
    radius = np.sqrt(region.sum() / np.pi)
    reach = int(radius + 6)
    (rows, columns), (height, width) = ndimage.find_objects(region.astype(np.uint8))[0], region.shape
    part = np.s_[
        max(rows.start - reach, 0) : min(rows.stop + reach, height),
        max(columns.start - reach, 0) : min(columns.stop + reach, width),
    ]
    inside, known, values = region[part], ~missing[part], counts[part]
    outwards = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)

    def level(first: float, last: float) -> float:
        """Mean level between two distances from the edge, pixels; NaN where nothing is known."""
        ring = known & (outwards > first) & (outwards <= last)
        return float(values[ring].mean()) if ring.any() else np.nan

    rim = level(0, 2)
    # What is not known is no objection.
    fades_in = level(-5, -2.5) > DARK_INSIDE * rim and level(2, 6) > RISES * rim
    core = known & (outwards <= -CORE * radius)
    # Next to no counts in the core tell nothing where next to none are expected.
    fades_out = values[core].sum() + 1 > DARKER * core.sum() * level(0.6 * radius + 2, radius + 4)
    return not (fades_in or fades_out)


def _outline(
    counts: NDArray[np.floating], missing: NDArray[np.bool_], middle: tuple[float, float], radius: float
) -> tuple[NDArray[np.bool_], float]:
    """The region inside the edge, followed from sector to sector, and the mean level outside."""
    rows, columns = np.indices(counts.shape)
    distance = np.hypot(columns - middle[0], rows - middle[1])
    chi = np.arctan2(rows - middle[1], columns - middle[0]) % (2 * np.pi)
    reach = int(2 * radius + 8)
    near = ~missing & (distance < reach)
    sectors = int(np.clip(2 * np.pi * radius / 6, 8, 32)) if radius >= ROUND else 1
    # Bins of one pixel along the radius, one for each sector.
    cell = np.rint(distance[near]).astype(int) * sectors + (chi[near] / (2 * np.pi) * sectors).astype(int) % sectors
    total = np.bincount(cell, counts[near], (reach + 1) * sectors).reshape(-1, sectors)
    pixels = np.bincount(cell, minlength=(reach + 1) * sectors).reshape(-1, sectors)
    smooth = [
        ndimage.gaussian_filter1d(part.astype(float), 0.7 if radius >= ROUND else 1e-3, axis=0)
        for part in (total, pixels)
    ]
    profile = np.where(smooth[1] > 0.3, smooth[0] / np.maximum(smooth[1], 1e-9), np.nan)
    ring = np.s_[int(radius) + 1 : int(radius + 2 + max(3, 0.5 * radius))]
    level = total[ring].sum(axis=0) / np.maximum(pixels[ring].sum(axis=0), 1)
    edges = np.full(sectors, np.nan)
    for sector in range(sectors):
        if pixels[ring][:, sector].sum() < 5:
            continue
        lit = np.flatnonzero(profile[:, sector] >= EDGE * level[sector])
        lit = lit[lit >= 0.5 * radius]
        if lit.size and lit[0] > 0:
            below, above = profile[lit[0] - 1, sector], profile[lit[0], sector]
            part = (EDGE * level[sector] - below) / (above - below) if above > below else 1.0
            edges[sector] = lit[0] - 1 + np.clip(part, 0, 1)
    edges = np.clip(edges, 0.7 * radius, 1.6 * radius + 2)
    known = np.flatnonzero(~np.isnan(edges))
    if not known.size:
        return distance < radius, float(np.mean(level))
    if sectors == 1:
        return distance < edges[0] + RIM, float(level[0])
    # Holder and gaps hide the edge in some sectors: the neighbours' runs through.
    edges = np.interp(np.arange(sectors), known, edges[known], period=sectors)
    edges = ndimage.median_filter(edges, 5, mode="wrap") + RIM
    angles = (np.arange(sectors) + 0.5) * 2 * np.pi / sectors
    corners = np.stack([middle[1] + edges * np.sin(angles), middle[0] + edges * np.cos(angles)], axis=1)
    return polygon2mask(counts.shape, corners), float(np.mean(level[known]))
