"""What healing does to physics: I(q), I(chi) on the strongest ring, and Hermans' orientation parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

if TYPE_CHECKING:
    import pandas as pd

Where = NDArray[np.bool_]
Curve = NDArray[np.float64]

# A radius tells about the pattern when something is valid in at least this share of all directions, by sectors, ...
COVERED, SECTORS = 0.5, 36
# ... and no such radius so close, in pixels, to the innermost: the rim of a beamstop is half shadowed.
RIM = 5
# A ring stands so many standard deviations, and this share of what lies beside it, above its surroundings.
SIGNIFICANT, CONTRAST = 5.0, 0.1
# Its two flanks are equally wide within this factor; those of a rim with the fall-off behind it are not.
LOPSIDED = 4.0
# Peaks are looked for in I, I r and I r^2.
FLATTENING = (0, 1, 2)
# The background is measured up to this share of the ring's full width at half maximum, and so many pixels, from the
# lowest points on its two sides, which lie within so many widths of its radius.
BESIDE, LEAST_BESIDE, SIDES = 0.25, 2.0, 2.0
# None is subtracted where that leaves less than nothing by more than this share of what it leaves elsewhere: a streak
# from the beam falls off steeper than a straight line.
OVERSUBTRACTED = 0.05
# I(chi) has so many directions, fewer where the circle has fewer pixels.
DIRECTIONS = 180


class Ring(NamedTuple):
    """Where I(chi) is taken; lengths in units of a pixel's shorter side."""

    kind: str
    """ring: a peak of I(q) above its local background; anisotropy: there is none, these are the radii that differ most
    with direction."""
    radius: float
    width: float
    """Full width at half maximum; of `anisotropy`, all of it."""
    low: float
    """I(chi) is the mean from this radius ..."""
    high: float
    """... to this one: a width on both sides, but no farther than the background."""
    inner: float | None
    """Where the background is measured on the inner side, ..."""
    outer: float | None
    """... and on the outer one; None: it is not subtracted."""


class Measured(NamedTuple):
    """An image, which of its pixels count, and how sure they are; all arrays (height, width)."""

    image: NDArray[np.floating]
    """Counts, or rates where nothing was counted."""
    where: Where
    """The pixels that count."""
    variance: NDArray[np.floating]
    """Variance that no other pixel shares: a pixel's count where it was counted, 0 elsewhere; NaN: not known."""
    sd: NDArray[np.floating]
    """Standard deviation that neighbours share: of painted rates; 0 where a pixel was counted; NaN: not known."""


class Orientation(NamedTuple):
    """How a ring's intensity is gathered round an axis."""

    axis: float
    """Direction of most intensity, degrees from x (columns) towards y (rows), 0..180."""
    axis_error: float
    """Its standard deviation."""
    hermans: float
    """f = (3 <cos^2 phi> - 1) / 2 with phi from that axis: 1 where all intensity lies on it, 0 for an even ring."""
    hermans_error: float
    """Its standard deviation."""
    hermans_across: float
    """The same with phi from the direction at right angles to the axis, which is the fibre's where the ring is a
    reflection from the fibre's equator: -1/2 where all intensity lies on that."""
    hermans_across_error: float
    """Its standard deviation."""


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


def radius_and_chi(
    shape: tuple[int, int], centre: tuple[float, float], pixel_size: tuple[float, float] | None = None
) -> tuple[Curve, Curve]:
    """Distance from the beam and azimuth of each pixel.

    Parameters
    ----------
    shape : (height, width)
    centre : (x, y)
        The beam centre, pixels; pixel centres are at integers.
    pixel_size : (height, width), optional
        Of a pixel; only their ratio matters. Without it pixels are square.

    Returns
    -------
    radius : float64 array (height, width)
        In units of a pixel's shorter side.
    chi : float64 array (height, width)
        Degrees from x (columns) towards y (rows), -180..180.

    Examples
    --------
    >>> radius, chi = radius_and_chi((1, 3), (0, 0), (1, 2))
    >>> radius.tolist(), chi.tolist()
    ([[0.0, 2.0, 4.0]], [[0.0, 0.0, 0.0]])
    """
    high, wide = np.divide(pixel_size or (1, 1), min(pixel_size or (1, 1)))
    y, x = np.indices(shape, dtype=float)
    down, right = (y - centre[1]) * high, (x - centre[0]) * wide
    return np.hypot(down, right), np.degrees(np.arctan2(down, right))


def q_of(radius: Curve, geometry: Mapping[str, Any]) -> Curve:
    """The modulus of the scattering vector, q = 4 pi / lambda sin(theta), on a detector upright to the beam.

    Parameters
    ----------
    radius : float64 array
        Distance from the beam in units of a pixel's shorter side.
    geometry : mapping
        wavelength, distance (m) and pixel_size ((height, width), m), as `scatterheal.prepare.geometry_of` gives them.

    Returns
    -------
    q : float64 array
        1/nm; NaN where one of the three is not known.

    Examples
    --------
    >>> known = {"wavelength": 1e-10, "distance": 2.0, "pixel_size": [1e-4, 1e-4]}
    >>> q_of(np.array([0.0, 100.0]), known).round(4).tolist(), q_of(np.array([1.0]), {"distance": 2.0}).tolist()
    ([0.0, 0.3142], [nan])
    """
    wavelength, distance, pixel_size = (geometry.get(key) for key in ("wavelength", "distance", "pixel_size"))
    if not (wavelength and distance and pixel_size):
        return np.full(np.shape(radius), np.nan)
    theta = np.arctan(np.asarray(radius) * min(pixel_size) / distance) / 2
    return 4 * np.pi / (wavelength * 1e9) * np.sin(theta)


class _Means(NamedTuple):
    """What the pixels of each bin say together."""

    pixels: Curve
    intensity: Curve
    error: Curve


def _means(measured: Measured, bins: NDArray[np.intp], count: int, inside: Where) -> _Means:
    """Mean and its standard deviation in each bin; NaN where it has no pixel, or where a pixel's own is not known."""
    chosen = measured.where & inside
    bins = bins[chosen]

    def sums(values: NDArray) -> Curve:
        return np.bincount(bins, values[chosen].astype(float), minlength=count)

    pixels = np.bincount(bins, minlength=count).astype(float)
    variance = sums(measured.variance) + sums(measured.sd) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return _Means(pixels, sums(measured.image) / pixels, np.where(pixels > 0, np.sqrt(variance) / pixels, np.nan))


def radial_profile(measured: Measured, radius: Curve) -> pd.DataFrame:
    """I(r): the mean over all directions, in rings one pixel wide.

    Parameters
    ----------
    measured : Measured
    radius : float64 array (height, width)
        From `radius_and_chi`.

    Returns
    -------
    profile : DataFrame
        One row a ring, of radius 0, 1, ... up to the farthest pixel of the image: pixels, intensity (counts per pixel)
        and its error. The last two are NaN where no pixel counts, the error also where that of a pixel is not known.

    Examples
    --------
    >>> image = np.array([[9.0, 4.0, 2.0]])
    >>> profile = radial_profile(Measured(image, image > 3, image, 0 * image), np.array([[0.0, 1.2, 0.9]]))
    >>> profile.intensity.tolist(), profile.error.tolist()
    ([9.0, 4.0], [3.0, 2.0])
    """
    import pandas as pd

    bins = np.rint(radius).astype(np.intp)
    return pd.DataFrame(_means(measured, bins, bins.max() + 1, measured.where)._asdict())


def r_factor(intensity: Curve, reference: Curve, pixels: Curve) -> float | None:
    """How far two profiles are apart: the rms of their difference over their mean, weighted with pixels.

    Parameters
    ----------
    intensity, reference : float64 arrays of the same length
        NaN: not measured.
    pixels : float64 array of the same length
        How many pixels each point stands for: the few of an image's corners are mostly noise.

    Returns
    -------
    r_factor : float or None
        None where they have no point in common.

    References
    ----------
    pyFAI.utils.mathutil.rwp adds the same squares up, without weights.

    Examples
    --------
    >>> round(r_factor(np.array([1.1, 5, np.nan]), np.array([0.9, 5, 7]), np.array([30, 10, 10])), 4)
    0.1732
    """
    both = np.isfinite(intensity) & np.isfinite(reference) & (intensity + reference > 0)
    if not both.any():
        return None
    apart = 2 * (intensity - reference)[both] / (intensity + reference)[both]
    return float(np.sqrt(np.average(apart**2, weights=pixels[both])))


def find_ring(image: NDArray[np.floating], where: Where, radius: Curve, chi: Curve) -> Ring | None:
    """The strongest ring of a pattern, or the radii that differ most with direction where there is none.

    A ring is a peak of the radial profile, or of that times a power of the radius, that stands significantly above the
    straight line between its two feet, with about even flanks. The rim of a beamstop, on which the intensity of
    small angles falls off, has but one such flank. The strongest ring is the one that stands out by most counts per
    pixel.

    Parameters
    ----------
    image : float array (height, width)
        Counts or values.
    where : bool array (height, width)
        The pixels that count.
    radius, chi : float64 arrays (height, width)
        From `radius_and_chi`.

    Returns
    -------
    ring : Ring or None
        None where valid pixels go half round the beam on fewer than ten circles.

    Examples
    --------
    >>> radius, chi = radius_and_chi((90, 90), (40, 45))
    >>> image = 1000 / (1 + radius) + 60 * np.exp(-0.5 * ((radius - 30) / 2) ** 2)
    >>> ring = find_ring(image, radius > 8, radius, chi)
    >>> ring.kind, round(ring.radius), round(ring.width)
    ('ring', 30, 5)
    """
    bins = np.rint(radius).astype(np.intp)
    count = bins.max() + 1
    nothing = np.zeros(image.shape)
    pixels, mean, _ = _means(Measured(image, where, nothing, nothing), bins, count, where)
    sectors = np.floor((chi[where] + 180) * SECTORS / 360).astype(np.intp) % SECTORS
    seen = np.bincount(bins[where] * SECTORS + sectors, minlength=count * SECTORS).reshape(count, SECTORS) > 0
    usable = np.flatnonzero(seen.mean(axis=1) >= COVERED)
    usable = usable[usable >= usable.min(initial=count) + RIM]
    if usable.size < 2 * RIM:
        return None
    radii = np.arange(usable[0], usable[-1] + 1)
    profile = np.interp(radii, usable, mean[usable])
    # The scatter along the circle: of noise in any unit, and of directions.
    deviation = np.where(where, image - mean[bins], 0)
    scatter = np.bincount(bins.ravel(), deviation.ravel() ** 2, minlength=count)[usable] / pixels[usable] ** 2
    error = np.interp(radii, usable, np.sqrt(scatter))
    ring = _highest_peak(radii, profile, error)
    if ring is not None:
        above = azimuthal_profile(Measured(image, where, nothing, nothing), radius, chi, ring).intensity
        too_much = -above.clip(upper=0).sum() > OVERSUBTRACTED * above.clip(lower=0).sum()
        return ring._replace(inner=None, outer=None) if too_much else ring
    # The second harmonic of what differs from the circle's mean, in units of its standard deviation.
    harmonic = [
        np.bincount(bins.ravel(), (deviation * wave(2 * np.radians(chi))).ravel(), minlength=count)[usable]
        for wave in (np.cos, np.sin)
    ]
    differs = np.hypot(*harmonic) / pixels[usable] / np.maximum(np.sqrt(scatter), np.finfo(float).tiny)
    return _most_anisotropic(radii, np.interp(radii, usable, differs))


def _highest_peak(radii: NDArray[np.intp], profile: Curve, error: Curve) -> Ring | None:
    """The peak that stands highest above the straight line between its two feet."""
    smooth = ndimage.gaussian_filter1d(profile, 1.0, mode="nearest")
    best, highest = None, 0.0
    for power in FLATTENING:
        # On a steep fall-off a ring is no maximum; a fall-off that this makes one has nothing above a straight line.
        flat = smooth * (radii / radii[-1]) ** power
        peaks, found = signal.find_peaks(flat, prominence=0, width=0)
        flanks = peaks - found["left_ips"], found["right_ips"] - peaks
        even = np.maximum(*flanks) <= LOPSIDED * np.minimum(*flanks)
        stands_out = found["prominences"] >= CONTRAST * (flat[peaks] - found["prominences"])
        for peak, width in zip(peaks[even & stands_out], found["widths"][even & stands_out], strict=True):
            reach = max(int(SIDES * width), 3)
            first, last = max(peak - reach, 0), min(peak + reach, len(radii) - 1)
            feet = first + int(flat[first : peak + 1].argmin()), peak + int(flat[peak : last + 1].argmin())
            line = np.interp(peak, feet, smooth[list(feet)])
            above = smooth[peak] - line
            if above >= max(SIGNIFICANT * error[peak], CONTRAST * line, highest):
                best, highest = feet, above
    if best is None:
        return None
    inside = np.arange(best[0], best[1] + 1)
    excess = np.maximum(profile[inside] - np.interp(inside, best, smooth[list(best)]), 0)
    # Not at the feet, where noise may be as high.
    summit = 1 + np.array([excess[1:-1].argmax()])
    width = max(float(signal.peak_widths(excess, summit, rel_height=0.5)[0][0]), 1.0)
    core = np.where(np.abs(inside - inside[summit]) <= width, excess, 0)
    radius = float(np.average(radii[inside], weights=core))
    inner, outer = float(inside[0] + radii[0]), float(inside[-1] + radii[0])
    return Ring("ring", radius, width, max(radius - width, inner), min(radius + width, outer), inner, outer)


def _most_anisotropic(radii: NDArray[np.intp], differs: Curve) -> Ring:
    """The unbroken run of radii round the one that differs most with direction, down to half as much."""
    smooth = ndimage.uniform_filter1d(differs, RIM, mode="nearest")
    runs, _ = ndimage.label(smooth >= smooth.max() / 2)
    inside = radii[runs == runs[smooth.argmax()]]
    low, high = float(inside[0]), float(inside[-1])
    return Ring("anisotropy", (low + high) / 2, high - low + 1, low, high, None, None)


def azimuthal_profile(measured: Measured, radius: Curve, chi: Curve, ring: Ring) -> pd.DataFrame:
    """I(chi): the mean over a ring's width in each direction, above the background on both sides of it.

    Each direction has its own background, by a straight line between both sides, or that of one side where the other
    is not measured. A direction is left out (NaN) where no pixel of the ring counts, or none of both sides: that, and
    rings that are cut along their length, is how gaps and holders spoil an analysis of masked data. Leaving out
    directions of which less than half counts spoils it more (docs/benchmarks.md).

    Parameters
    ----------
    measured : Measured
    radius, chi : float64 arrays (height, width)
        From `radius_and_chi`.
    ring : Ring

    Returns
    -------
    profile : DataFrame
        chi (degrees, the middle of each direction), intensity and error (counts per pixel; NaN where that of a pixel,
        of the ring or of a background that was subtracted, is not known).

    Examples
    --------
    >>> radius, chi = radius_and_chi((101, 101), (50, 50))
    >>> image = 2 + 8 * (np.abs(radius - 30) < 3) * (np.abs(chi) < 90)
    >>> ring = Ring("ring", radius=30, width=6, low=27, high=33, inner=24, outer=36)
    >>> profile = azimuthal_profile(Measured(image, radius > 5, image, 0 * image), radius, chi, ring)
    >>> profile.intensity[profile.chi.abs() > 90].round(6).unique().tolist()
    [0.0]
    """
    import pandas as pd

    count = int(np.clip(4 * (2 * np.pi * ring.radius // 4), 4, DIRECTIONS))
    bins = np.floor((chi + 180) * count / 360).astype(np.intp) % count
    means = _means(measured, bins, count, (radius >= ring.low) & (radius <= ring.high))
    intensity, variance = means.intensity, means.error**2
    if ring.inner is not None and ring.outer is not None:
        beside = max(BESIDE * ring.width, LEAST_BESIDE)
        sides = [_means(measured, bins, count, np.abs(radius - foot) <= beside) for foot in (ring.inner, ring.outer)]
        share = np.array([[ring.outer - ring.radius], [ring.radius - ring.inner]])
        share = np.where(np.isfinite([side.intensity for side in sides]), share, 0)
        with np.errstate(invalid="ignore"):
            # Where neither side is measured, 0 / 0 leaves the direction out.
            share = share / share.sum(axis=0)
        # A side that is not measured has no share, and no NaN of it counts.
        intensity = intensity - np.where(share == 0, 0, share * [side.intensity for side in sides]).sum(axis=0)
        variance = variance + (np.where(share == 0, 0, share * [side.error for side in sides]) ** 2).sum(axis=0)
    directions = (np.arange(count) + 0.5) * 360 / count - 180
    return pd.DataFrame({"chi": directions, "intensity": intensity, "error": np.sqrt(variance)})


def orientation(profile: pd.DataFrame) -> Orientation | None:
    """Hermans' orientation parameter of I(chi), about the pattern's own axis of symmetry.

    The axis is that of the intensity's second harmonic. With phi from it, <cos^2 phi> is the mean weighted with
    I(chi) |sin phi|, as for a pattern that is one section of a body of revolution about the axis. Directions that were
    not measured are left out.

    Parameters
    ----------
    profile : DataFrame
        From `azimuthal_profile`.

    Returns
    -------
    orientation : Orientation or None
        None where fewer than half of the directions are measured or nothing stands above the background.

    References
    ----------
    J. J. Hermans, P. H. Hermans, D. Vermaas, A. Weidinger, Recl. Trav. Chim. Pays-Bas 65 (1946) 427-447.

    Examples
    --------
    >>> import pandas as pd
    >>> chi = np.arange(0.5, 360)
    >>> even, arcs = (pd.DataFrame({"chi": chi, "intensity": i, "error": 0 * chi})
    ...               for i in (chi**0, np.cos(np.radians(chi - 30)) ** 2))
    >>> found = orientation(arcs)
    >>> [round(value, 3) for value in (found.axis, found.hermans, found.hermans_across)]
    [30.0, 0.4, -0.2]
    >>> abs(orientation(even).hermans) < 1e-4
    True
    """
    measured = profile[np.isfinite(profile.intensity)]
    chi, intensity, error = (
        np.radians(measured.chi.to_numpy()),
        measured.intensity.to_numpy(),
        measured.error.to_numpy(),
    )
    if len(measured) < COVERED * len(profile) or intensity.sum() <= 0:
        return None
    harmonic = (intensity * np.exp(2j * chi)).sum()
    axis = np.angle(harmonic) / 2
    axis_error = np.sqrt(((error * np.sin(2 * (chi - axis))) ** 2).sum()) / (2 * np.abs(harmonic))
    along, along_error = _hermans(chi - axis, intensity, error)
    across, across_error = _hermans(chi - axis + np.pi / 2, intensity, error)
    return Orientation(
        float(np.degrees(axis) % 180), float(np.degrees(axis_error)), along, along_error, across, across_error
    )


def _hermans(phi: Curve, intensity: Curve, error: Curve) -> tuple[float, float]:
    """Hermans' f and its standard deviation, about an axis that is taken as known."""
    weight, squared = np.abs(np.sin(phi)), np.cos(phi) ** 2
    total = (intensity * weight).sum()
    mean = (intensity * weight * squared).sum() / total
    spread = np.sqrt(((error * weight * (squared - mean)) ** 2).sum()) / total
    return float((3 * mean - 1) / 2), float(1.5 * spread)


def compare(
    counts: NDArray[np.float32],
    healed: NDArray[np.float32],
    known: Where,
    centre: tuple[float, float],
    geometry: Mapping[str, Any],
    unit: str,
    sd: NDArray[np.float32] | None = None,
    truth: NDArray[np.floating] | None = None,
    where: Where | None = None,
    counted: bool = False,
) -> Comparison:
    """Physics of a scan before healing (its known pixels alone), after it, and in truth.

    For the orientation error that healing makes on a real scan, hide parts of a ring, heal them, and compare on the
    valid pixels: ``compare(counts, healed, known, ..., truth=counts, where=known | hidden, counted=True)``. The truth
    has the hidden pixels' own noise then, below which no error can be seen: `hermans_error` of the truth.

    Parameters
    ----------
    counts : float array (height, width)
        The scan, censored counts as `scatterheal.deviance.expected_counts` has them. Their variance is taken to be
        that of a count too: what censoring takes from their scatter is left to the rate that they were expected by.
    healed : float array (height, width)
        The same with rates where it was healed.
    known : bool array (height, width)
        The pixels that were not healed.
    centre : (x, y)
        The beam centre, pixels.
    geometry : mapping
        From `scatterheal.prepare.geometry_of`.
    unit : {"counts", "values"}
        Only counts have counting errors; those of values are NaN.
    sd : float32 array (height, width), optional
        Standard deviation of the healed rates; without it they are taken as sure. NaN where nothing tells: errors of
        profiles are NaN there too. For those of the orientation such a rate is off by as much as itself.
    truth : float array (height, width), optional
        What the scan would be like without holes.
    where : bool array (height, width), optional
        The pixels that count in `healed` and `truth`; all of them where it is not given.
    counted : bool
        Whether `truth` is counts; else it is sure. Its errors are those that `healed` does not share: of pixels that
        are not `known`.

    Returns
    -------
    comparison : Comparison

    Examples
    --------
    >>> radius, chi = radius_and_chi((101, 101), (50, 50))
    >>> truth = 2 + 90 * np.exp(-0.5 * ((radius - 30) / 2) ** 2) * np.cos(np.radians(chi)) ** 2
    >>> known = (radius > 5) & (np.abs(chi) > 10)
    >>> result = compare(truth, truth, known, (50, 50), {}, "counts", truth=truth)
    >>> {name: round(error, 1) for name, error in result.summary["orientation_error_percent"].items()}
    {'before': -3.3, 'after': 0.0}
    """
    import pandas as pd

    where = np.ones(known.shape, bool) if where is None else where
    if truth is not None:
        # A figure's truth says nothing where its colour is off the map.
        where = where & np.isfinite(truth)
    nothing = np.zeros(known.shape)
    variance = np.where(known, np.maximum(counts, 0) if unit == "counts" else np.nan, 0.0)
    shared = nothing if sd is None else np.where(known, 0, sd)
    states = {
        "before": Measured(counts, known & where, variance, nothing),
        "after": Measured(healed, where, variance, shared),
    }
    if truth is not None:
        states["truth"] = Measured(truth, where, np.where(known, 0, truth) if counted else nothing, nothing)
    radius, chi = radius_and_chi(known.shape, centre, geometry.get("pixel_size"))
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
                *(profiles[state].intensity[on].to_numpy() for state in (one, other)),
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
