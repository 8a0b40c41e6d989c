"""Find beamstop, holder and shadowed parts of a scan without a person."""

from __future__ import annotations

from itertools import compress
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import polygon2mask

from scatterheal.mask.beamstop import Beamstop, find_beamstop
from scatterheal.mask.holder import Holder, find_holder
from scatterheal.mask.shadows import BRIDGED, Shadow, find_shadows
from scatterheal.pattern.found import Part

PartName = Literal["beamstop", "holder", "outside"]
# A shadow this near to the beam centre (pixels) is the beamstop's.
NEAR_CENTRE = 5.0
# One this near to the beamstop's rim (pixels) is its holder.
TOUCHING = 12.0


class Parts(NamedTuple):
    """What was found; every region is a bool array (height, width)."""

    beamstop: NDArray[np.bool_]
    holder: NDArray[np.bool_]
    outside: NDArray[np.bool_]
    found: list[Part]
    """One for each find."""


def find_parts(counts: NDArray[np.floating], missing: NDArray[np.bool_], centre: tuple[float, float] | None) -> Parts:
    """Look for everything that stood between sample and detector.

    First for opaque or sharp shadows of any shape; the one at the beam centre is the beamstop, what hangs
    on to it is the holder, and the others are shadowed parts. Where there is none at the centre, for a
    round beamstop, and where no holder hangs on to it, for a straight, perhaps semi-transparent band from
    the centre outwards.

    Parameters
    ----------
    counts : float array (height, width)
        Photon counts, or values that rise with them.
    missing : bool array (height, width)
        Pixels that tell nothing: gaps, stripes, hot pixels.
    centre : (x, y) or None
        The beam centre, pixels; without it nothing can be told from the pattern's own dark.

    Returns
    -------
    Parts

    Examples
    --------
    >>> y, x = np.indices((160, 160)); radius = np.hypot(x - 80, y - 80); expected = 2000 / (radius + 9)
    >>> expected[76:84, :80] *= 0.4; expected[radius < 12] = 0
    >>> parts = find_parts(np.random.default_rng(0).poisson(expected), expected < 0, (80, 80))
    >>> [record.part for record in parts.found]
    ['beamstop', 'holder']
    """
    # What hangs in the beam is told by looking round it.
    in_image = centre is not None and 0 <= centre[0] < counts.shape[1] and 0 <= centre[1] < counts.shape[0]
    shadows = [] if centre is None else find_shadows(counts, missing, centre)
    central = _hanging_on(shadows, missing, centre)
    parts = Parts(np.zeros(counts.shape, bool), np.zeros(counts.shape, bool), np.zeros(counts.shape, bool), [])
    if centre is not None and any(central):
        parts = _of_shadows(list(compress(shadows, central)), missing, centre)
    elif centre is not None and in_image:
        every = np.logical_or.reduce([missing, *(shadow.region for shadow in shadows)])
        if disc := find_beamstop(counts, every, centre):
            near = ndimage.distance_transform_edt(~disc.region) <= TOUCHING
            central = [bool((shadow.region & near).any()) for shadow in shadows]
            parts = _of_disc(disc, list(compress(shadows, central)), missing)
    beamstop, holder, outside, found = parts
    for shadow, at_centre in zip(shadows, central, strict=True):
        if not at_centre:
            outside |= shadow.region & ~beamstop
            found.append(_of_shadow("outside", shadow, shadow.region))
    # A sharp shadow that ends before the border may be no more than the piece of a holder between two rings.
    if (
        centre is not None
        and in_image
        and not np.concatenate([holder[0], holder[-1], holder[:, 0], holder[:, -1]]).any()
    ):
        radius = float(np.sqrt(beamstop.sum() / np.pi))
        # It hangs on to the beamstop, wherever that sits.
        stop_centre = ndimage.center_of_mass(beamstop)[::-1] if beamstop.any() else centre
        if band := find_holder(counts, missing | outside | beamstop, stop_centre, radius):
            along = polygon2mask(counts.shape, [(y, x) for x, y in band.outline]) & ~beamstop & ~missing
            holder |= along
            found.append(_of_band(band, along))
    return parts


def _of_shadows(shadows: list[Shadow], missing: NDArray[np.bool_], centre: tuple[float, float]) -> Parts:
    """Beamstop and holder where sharp shadows lie at the beam centre."""
    stop = np.logical_or.reduce([shadow.region for shadow in shadows])
    beamstop = stop & _round_part(stop | missing, centre)
    holder = stop & ~beamstop
    both: list[tuple[PartName, NDArray[np.bool_]]] = [("beamstop", beamstop), ("holder", holder)]
    found = [
        _of_shadow(part, shadow, shadow.region & region)
        for shadow in shadows
        for part, region in both
        if (shadow.region & region).any()
    ]
    return Parts(beamstop, holder, np.zeros(missing.shape, bool), found)


def _of_disc(disc: Beamstop, touching: list[Shadow], missing: NDArray[np.bool_]) -> Parts:
    """A round beamstop, and as its holder the sharp shadows that touch it."""
    beamstop, holder = disc.region & ~missing, np.zeros(missing.shape, bool)
    found = [
        Part(
            part="beamstop",
            looks="a dark disc round the beam centre",
            centre=(round(disc.centre[0], 2), round(disc.centre[1], 2)),
            radius=round(disc.radius, 2),
            transmission=round(disc.transmission, 3),
            evidence=round(disc.evidence, 1),
            pixels=int(beamstop.sum()),
        )
    ]
    for shadow in touching:
        holder |= shadow.region & ~beamstop
        found.append(_of_shadow("holder", shadow, shadow.region))
    return Parts(beamstop, holder, np.zeros(missing.shape, bool), found)


def _hanging_on(shadows: list[Shadow], missing: NDArray[np.bool_], centre: tuple[float, float] | None) -> list[bool]:
    """For each shadow, whether it lies at the beam centre or hangs on to one that does, perhaps across a gap."""
    if centre is None or not shadows:
        return [False] * len(shadows)
    every = np.logical_or.reduce([shadow.region for shadow in shadows])
    bridges = missing & (ndimage.distance_transform_edt(~every) <= BRIDGED / 2)
    joined, _ = ndimage.label(every | bridges, np.ones((3, 3)))
    rows, columns = np.ogrid[: missing.shape[0], : missing.shape[1]]
    near = np.hypot(columns - centre[0], rows - centre[1]) <= NEAR_CENTRE
    central = set(np.unique(joined[near & every])) - {0}
    return [bool(joined[shadow.region][0] in central) for shadow in shadows]


def _round_part(stop: NDArray[np.bool_], centre: tuple[float, float]) -> NDArray[np.bool_]:
    """The part of an opaque stop that is the beamstop: within twice its own half width of the beam centre.

    The half width is that of the largest disc which fits into the stop and reaches the centre.
    """
    inscribed = ndimage.distance_transform_edt(stop)
    rows, columns = np.ogrid[: stop.shape[0], : stop.shape[1]]
    distance = np.hypot(columns - centre[0], rows - centre[1])
    half_width = max(float(inscribed[inscribed + NEAR_CENTRE >= distance].max(initial=0)), 1.0)
    return distance <= 2 * half_width


def _of_shadow(part: PartName, shadow: Shadow, region: NDArray[np.bool_]) -> Part:
    """The record of a sharp shadow, or of a part of one."""
    rows, columns = np.nonzero(region)
    return Part(
        part=part,
        looks="a region with sharp edges, darker than what is beside it",
        box=(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1),
        transmission=round(shadow.transmission, 3),
        evidence=round(shadow.evidence, 1),
        pixels=int(region.sum()),
    )


def _of_band(band: Holder, region: NDArray[np.bool_]) -> Part:
    """The record of a holder that is a straight band."""
    return Part(
        part="holder",
        looks="a straight dark band from the beam centre",
        polygon=tuple((round(x, 1), round(y, 1)) for x, y in band.outline),
        transmission=round(band.transmission, 3),
        evidence=round(band.evidence, 1),
        runner_up=round(band.runner_up, 1),
        pixels=int(region.sum()),
    )
