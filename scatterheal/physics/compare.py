"""What a scientist reads off a pattern, before and after healing, and of the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal.pattern.geometry import Geometry
from scatterheal.pattern.pattern import Pattern
from scatterheal.physics.orientation import orientation
from scatterheal.physics.profiles import Measured, Where, q_of, r_factor, radial_profile
from scatterheal.physics.rings import azimuthal_profile, find_ring
from scatterheal.polar.coordinates import radius_and_chi

if TYPE_CHECKING:
    import pandas as pd


class Comparison(NamedTuple):
    """A scan's physics before and after healing, and in truth where that is known."""

    radial: pd.DataFrame
    """One row a radius: radius (pixels), q (1/nm; NaN: not known), then pixels, intensity and error (counts per pixel)
    of each of before, after and truth: before_pixels, before_intensity, ..."""
    azimuthal: pd.DataFrame
    """One row a direction: chi (degrees), then intensity and error (counts per pixel) of each; NaN: not measured."""
    summary: dict[str, Any]
    """Plain values: ring; orientation of each; r_factor between each two of them; orientation_error_percent (of f)
    and axis_error_degrees of before and after against the truth. None: not to be had."""


def compare(
    scan: Pattern,
    healed: NDArray[np.float32],
    geometry: Geometry,
    sd: NDArray[np.float32] | None = None,
    truth: NDArray[np.floating] | None = None,
    where: Where | None = None,
    counted: bool = False,
) -> Comparison:
    """Physics of a scan before healing (its known pixels alone), after it, and in truth.

    For the orientation error that healing makes on a real scan, hide parts of a ring, heal them, and compare on the
    valid pixels: ``compare(scan, healed, geometry, truth=scan.image, where=known | hidden, counted=True)``. The truth
    has the hidden pixels' own noise then, below which no error can be seen: `hermans_error` of the truth.

    Parameters
    ----------
    scan : Pattern
        In counts or values, with a centre; only counts have counting errors, those of values are NaN. Its censored
        counts as `scatterheal.counts.deviance.expected_counts` has them. Their variance is taken to be that of a count
        too: what censoring takes from their scatter is left to the rate that they were expected by.
    healed : float array (height, width)
        Its image with rates where it was healed.
    geometry : Geometry
    sd : float32 array (height, width), optional
        Standard deviation of the healed rates; without it they are taken as sure. NaN where nothing tells: errors of
        profiles are NaN there too. For those of the orientation such a rate is off by as much as itself.
    truth : float array (height, width), optional
        What the scan would be like without holes.
    where : bool array (height, width), optional
        The pixels that count in `healed` and `truth`; all of them where it is not given.
    counted : bool
        Whether `truth` is counts; else it is sure. Its errors are those that `healed` does not share: of pixels that
        are missing in the scan.

    Returns
    -------
    comparison : Comparison

    Examples
    --------
    >>> from scatterheal.pattern.units import Scale
    >>> radius, chi = radius_and_chi((101, 101), (50, 50))
    >>> truth = 2 + 90 * np.exp(-0.5 * ((radius - 30) / 2) ** 2) * np.cos(np.radians(chi)) ** 2
    >>> known = (radius > 5) & (np.abs(chi) > 10)
    >>> scan = Pattern(truth, np.zeros(truth.shape, np.uint8), ~known, (50, 50), Scale("counts", 0, truth.max()))
    >>> result = compare(scan, truth, Geometry(), truth=truth)
    >>> {name: round(error, 1) for name, error in result.summary["orientation_error_percent"].items()}
    {'before': -3.3, 'after': 0.0}
    """
    import pandas as pd

    counts, known = scan.image, ~scan.missing
    where = np.ones(known.shape, bool) if where is None else where
    if truth is not None:
        # A figure's truth says nothing where its colour is off the map.
        where = where & np.isfinite(truth)
    nothing = np.zeros(known.shape)
    variance = np.where(known, np.maximum(counts, 0) if scan.scale.unit == "counts" else np.nan, 0.0)
    shared = nothing if sd is None else np.where(known, 0, sd)
    states = {
        "before": Measured(counts, known & where, variance, nothing),
        "after": Measured(healed, where, variance, shared),
    }
    if truth is not None:
        states["truth"] = Measured(truth, where, np.where(known, 0, truth) if counted else nothing, nothing)
    assert scan.centre is not None, "a profile is about the beam centre"
    radius, chi = radius_and_chi(known.shape, scan.centre, geometry.pixel_size)
    profiles = {state: radial_profile(measured, radius) for state, measured in states.items()}
    radii = np.arange(len(profiles["before"]), dtype=float)
    axes = pd.DataFrame({"radius": radii, "q": q_of(radii, geometry)})
    ring = find_ring(counts, known & where, radius, chi)
    curves = {s: azimuthal_profile(m, radius, chi, ring) for s, m in states.items()} if ring else {}
    orientations = {state: orientation(curve) for state, curve in curves.items()}
    if ring and np.isnan(shared).any():
        off = np.where(np.isnan(shared), np.abs(healed), shared)
        orientations["after"] = orientation(azimuthal_profile(states["after"]._replace(sd=off), radius, chi, ring))
    # On the radii that every state has: what lies behind a beamstop would be held against the healed one alone.
    on = profiles["before"].pixels > 0
    summary = {
        "ring": ring and {**ring._asdict(), "q": _plain(q_of(np.array(ring.radius), geometry))},
        "orientation": {s: o and {key: _plain(v) for key, v in o._asdict().items()} for s, o in orientations.items()},
        "r_factor": {
            f"{one}_{other}": r_factor(
                profiles[one].intensity[on].to_numpy(),
                profiles[other].intensity[on].to_numpy(),
                profiles["after"].pixels[on].to_numpy(),
            )
            for one, other in (("before", "after"), ("before", "truth"), ("after", "truth"))
            if other in profiles
        },
    }
    if true := orientations.get("truth"):
        judged = {state: orientations[state] for state in ("before", "after")}
        summary["orientation_error_percent"] = {
            s: o and 100 * (o.hermans / true.hermans - 1) for s, o in judged.items()
        }
        summary["axis_error_degrees"] = {s: o and (o.axis - true.axis + 90) % 180 - 90 for s, o in judged.items()}
    return Comparison(
        pd.concat([axes, *(profile.add_prefix(f"{state}_") for state, profile in profiles.items())], axis=1),
        _side_by_side(curves),
        summary,
    )


def none(why: str) -> Comparison:
    """The comparison of a scan of which no profiles can be made, and why not.

    Examples
    --------
    >>> none("no beam centre is known").summary
    {'problem': 'no beam centre is known'}
    """
    import pandas as pd

    return Comparison(pd.DataFrame({"radius": []}), pd.DataFrame({"chi": []}), {"problem": why})


def _side_by_side(curves: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The azimuthal profiles of one ring in one table."""
    import pandas as pd

    if not curves:
        return pd.DataFrame({"chi": []})
    chi = next(iter(curves.values()))[["chi"]]
    return pd.concat(
        [chi, *(curve.drop(columns="chi").add_prefix(f"{state}_") for state, curve in curves.items())], axis=1
    )


def _plain(value: Any) -> float | None:
    """A number for JSON, which knows no NaN."""
    return float(value) if np.isfinite(value) else None
