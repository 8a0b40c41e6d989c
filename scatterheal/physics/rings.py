"""Rings: the one that tells most, and the intensity along it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from scatterheal.physics.profiles import COVERED, SECTORS, Curve, Measured, Where, means_of

if TYPE_CHECKING:
    import pandas as pd

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
    >>> from scatterheal.polar.coordinates import radius_and_chi
    >>> radius, chi = radius_and_chi((90, 90), (40, 45))
    >>> image = 1000 / (1 + radius) + 60 * np.exp(-0.5 * ((radius - 30) / 2) ** 2)
    >>> ring = find_ring(image, radius > 8, radius, chi)
    >>> ring.kind, round(ring.radius), round(ring.width)
    ('ring', 30, 5)
    """
    bins = np.rint(radius).astype(np.intp)
    count = bins.max() + 1
    nothing = np.zeros(image.shape)
    pixels, mean, _ = means_of(Measured(image, where, nothing, nothing), bins, count, where)
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
    >>> from scatterheal.polar.coordinates import radius_and_chi
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
    means = means_of(measured, bins, count, (radius >= ring.low) & (radius <= ring.high))
    intensity, variance = means.intensity, means.error**2
    if ring.inner is not None and ring.outer is not None:
        beside = max(BESIDE * ring.width, LEAST_BESIDE)
        sides = [means_of(measured, bins, count, np.abs(radius - foot) <= beside) for foot in (ring.inner, ring.outer)]
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
