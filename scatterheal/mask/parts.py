"""Find beamstop, holder and shadowed parts of a scan without a person."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import polygon2mask

from scatterheal.mask.beamstop import find_beamstop
from scatterheal.mask.holder import find_holder
from scatterheal.mask.shadows import BRIDGED, Shadow, find_shadows

# A shadow this near to the beam centre (pixels) is the beamstop's.
NEAR_CENTRE = 5.0
# One this near to the beamstop's rim (pixels) is its holder.
TOUCHING = 12.0


class Parts(NamedTuple):
    """What was found; every region is a bool array (height, width)."""

    beamstop: NDArray[np.bool_]
    holder: NDArray[np.bool_]
    outside: NDArray[np.bool_]
    found: list[dict[str, Any]]
    """One plain record for each find: the part, what it looks like, where, and how sure."""


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
    >>> [record["part"] for record in parts.found]
    ['beamstop', 'holder']
    """
    shape = counts.shape
    shadows = [] if centre is None else find_shadows(counts, missing, centre)
    # What hangs in the beam is told by looking round it.
    in_image = centre is not None and 0 <= centre[0] < shape[1] and 0 <= centre[1] < shape[0]
    at_centre = _hanging_on(shadows, missing, centre)
    beamstop, holder, outside = (np.zeros(shape, bool) for _ in range(3))
    found: list[dict[str, Any]] = []
    if any(at_centre):
        stop = np.logical_or.reduce(
            [shadow.region for shadow, central in zip(shadows, at_centre, strict=True) if central]
        )
        beamstop = stop & _round_part(stop | missing, centre)
        holder = stop & ~beamstop
        for shadow in (shadow for shadow, central in zip(shadows, at_centre, strict=True) if central):
            for part, region in (("beamstop", beamstop), ("holder", holder)):
                if (shadow.region & region).any():
                    found.append(_of_shadow(part, shadow, shadow.region & region))
    elif in_image:
        every = np.logical_or.reduce([missing, *(shadow.region for shadow in shadows)])
        if disc := find_beamstop(counts, every, centre):
            beamstop = disc.region & ~missing
            found.append(
                {
                    "part": "beamstop",
                    "looks": "a dark disc round the beam centre",
                    "centre": [round(value, 2) for value in disc.centre],
                    "radius": round(disc.radius, 2),
                    **_sure(disc.transmission, disc.evidence),
                    "pixels": int(beamstop.sum()),
                }
            )
            near = ndimage.distance_transform_edt(~disc.region) <= TOUCHING
            for place, shadow in enumerate(shadows):
                if (shadow.region & near).any():
                    at_centre[place] = True
                    holder |= shadow.region & ~beamstop
                    found.append(_of_shadow("holder", shadow, shadow.region))
    for shadow, central in zip(shadows, at_centre, strict=True):
        if not central:
            outside |= shadow.region & ~beamstop
            found.append(_of_shadow("outside", shadow, shadow.region))
    # A sharp shadow that ends before the border may be no more than the piece of a holder between two rings.
    if in_image and not np.concatenate([holder[0], holder[-1], holder[:, 0], holder[:, -1]]).any():
        radius = float(np.sqrt(beamstop.sum() / np.pi))
        # It hangs on to the beamstop, wherever that sits.
        stop_centre = ndimage.center_of_mass(beamstop)[::-1] if beamstop.any() else centre
        if band := find_holder(counts, missing | outside | beamstop, stop_centre, radius):
            along = polygon2mask(shape, [(y, x) for x, y in band.outline]) & ~beamstop & ~missing
            holder |= along
            found.append(
                {
                    "part": "holder",
                    "looks": "a straight dark band from the beam centre",
                    "polygon": [[round(x, 1), round(y, 1)] for x, y in band.outline],
                    **_sure(band.transmission, band.evidence),
                    "runner_up": round(band.runner_up, 1),
                    "pixels": int(along.sum()),
                }
            )
    return Parts(beamstop, holder, outside, found)


def _hanging_on(shadows: list[Shadow], missing: NDArray[np.bool_], centre: tuple[float, float] | None) -> list[bool]:
    """For each shadow, whether it lies at the beam centre or hangs on to one that does, perhaps across a gap."""
    if centre is None or not shadows:
        return [False] * len(shadows)
    every = np.logical_or.reduce([shadow.region for shadow in shadows])
    bridges = missing & (ndimage.distance_transform_edt(~every) <= BRIDGED / 2)
    joined, _ = ndimage.label(every | bridges, np.ones((3, 3)))
    rows, columns = np.indices(missing.shape, sparse=True)
    near = np.hypot(columns - centre[0], rows - centre[1]) <= NEAR_CENTRE
    central = set(np.unique(joined[near & every])) - {0}
    return [bool(joined[shadow.region][0] in central) for shadow in shadows]


def _round_part(stop: NDArray[np.bool_], centre: tuple[float, float]) -> NDArray[np.bool_]:
    """The part of an opaque stop that is the beamstop: within twice its own half width of the beam centre.

    The half width is that of the largest disc which fits into the stop and reaches the centre.
    """
    inscribed = ndimage.distance_transform_edt(stop)
    rows, columns = np.indices(stop.shape, sparse=True)
    distance = np.hypot(columns - centre[0], rows - centre[1])
    half_width = max(float(inscribed[inscribed + NEAR_CENTRE >= distance].max(initial=0)), 1.0)
    return distance <= 2 * half_width


def _of_shadow(part: str, shadow: Shadow, region: NDArray[np.bool_]) -> dict[str, Any]:
    """The record of a sharp shadow, or of a part of one."""
    rows, columns = np.nonzero(region)
    box = [int(value) for value in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]
    return {
        "part": part,
        "looks": "a region with sharp edges, darker than what is beside it",
        "box": box,
        **_sure(shadow.transmission, shadow.evidence),
        "pixels": int(region.sum()),
    }


def _sure(transmission: float, evidence: float) -> dict[str, float]:
    return {"transmission": round(transmission, 3), "evidence": round(evidence, 1)}
