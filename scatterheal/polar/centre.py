"""The beam centre of a scattering pattern, from its symmetry and its rings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from scatterheal.errors import ScanError

Missing = NDArray[np.bool_]
Values = NDArray[np.float64]
Point = tuple[float, float]

# The longest side, in pixels, of the images on which the centre is searched over all places, told from
# its rivals, and refined. A frame is summed in blocks down to each of them.
SEARCHED, TOLD_APART, REFINED = 64, 160, (160, 400, 840)
# The centre is searched this share of the frame beyond each of its sides too.
BEYOND = 0.3
# So many of its pixels apart.
STEP = 2
# A model of a pattern is wrong by about a tenth, however many photons were counted.
MISFIT = 0.1
# Residuals beyond this many standard deviations (shadows, spots) count no more than that.
FARTHEST = 9.0
# Opposite sectors share one radial profile; so do all sectors where few pixels have an opposite.
SECTORS = 18
# Directions in which the rings' brightness is free.
DIRECTIONS = 24
# Opposites are trusted where at least this share of the pixels has one.
PAIRED = 0.5
# Fewer blocks than this along a side of the searched image tell no centre.
NARROWEST = 8
# A centre less sure than this share of the frame's longer side is none.
LEAST_SURE = 0.1
# Places found in different ways agree when they are this share of the frame's side apart.
AGREE = 0.05
# The least share of the variance that a pattern about a centre explains.
LEAST_EXPLAINED = 0.1
# So many of the five proposals that agree are enough, whatever shadows leave.
MANY = 4
# Of the variance, 1 from noise and MISFIT, a credible centre leaves no more than this.
MOST_LEFT = 1.5
# Or of the whole variance this share: blocks blur sharp bright rings.
MOST_LEFT_OF_SHARP = 0.15
# A spot this many times brighter than the median shows about where the beam is.
BRIGHT = 3
# The jackknife does not see what all of the pattern shares; the factor is measured on simulated scans.
HONEST = 1.5
# Blocks hold at least so many counts, or the slopes of the pattern are noise.
FEWEST_COUNTS = 2.0


class Centre(NamedTuple):
    """Where the beam meets the detector; pixel centres are at integers."""

    x: float
    """Column, pixels."""
    y: float
    """Row, pixels."""
    sd: float
    """Standard deviation of each coordinate, pixels."""
    how: str
    """What it was found by: symmetry, rings, or brightest spot."""


class _Level(NamedTuple):
    """A frame summed in square blocks; its noise has about unit variance everywhere."""

    z: Values
    valid: Missing
    factor: int

    def of_frame(self, point: Point) -> Point:
        """A point of the frame in this level's pixels."""
        return (point[0] + 0.5) / self.factor - 0.5, (point[1] + 0.5) / self.factor - 0.5

    def in_frame(self, point: Point) -> Point:
        """A point of this level in the frame's pixels."""
        return (point[0] + 0.5) * self.factor - 0.5, (point[1] + 0.5) * self.factor - 0.5


def find_centre(counts: NDArray[np.floating], missing: Missing) -> Centre:
    """Find the beam centre, also with half of the pattern missing and shadows in the rest.

    Places are proposed in five ways: by the best point symmetry (of the image, and of its detail alone),
    by the place about which one radial profile, or one for each pair of opposite sectors, leaves least
    unexplained, and by the brightest spot. Each is refined by a Gauss-Newton fit of a pattern
    I(r, chi) = I(r, chi + 180 deg), and of rings whose brightness is free in each direction. The place that
    explains most is taken where another fit confirms it and little is left, or where most proposals agree.
    Opposites decide where most pixels have one, else rings. Failing that, a compact bright spot is returned
    with a large sd: it shows about where the beam is.

    Parameters
    ----------
    counts : float array (height, width)
        Photon counts.
    missing : bool array (height, width)
        Gaps, codes, hot pixels, stripes. Beamstop, holder and shadows need not be among them.

    Returns
    -------
    centre : Centre
        May lie outside of the frame.

    Raises
    ------
    ScanError
        No pattern about a centre.

    References
    ----------
    Masked correlation: Padfield, IEEE Trans. Image Process. 21 (2012) 2706-2718. Variance stabilisation of
    Poisson counts with a relative misfit: Anscombe, Biometrika 35 (1948) 246-254.

    Examples
    --------
    >>> y, x = np.indices((90, 80))
    >>> counts = 200 * np.exp(-((np.hypot(x - 37.5, y - 50) - 25) / 3) ** 2) + 5
    >>> centre = find_centre(counts, np.zeros((90, 80), bool))
    >>> round(centre.x, 1), round(centre.y, 1)
    (37.5, 50.0)
    """
    valid = ~missing & np.isfinite(counts)
    if not valid.any() or np.ptp(counts[valid]) == 0:
        raise _no_centre("nothing but one value")
    counts = np.where(valid, counts, 0).clip(0).astype(np.float32)
    coarse, search = _level(counts, valid, TOLD_APART), _level(counts, valid, SEARCHED)
    if min(search.z.shape) < NARROWEST or coarse.valid.sum() < 200 or coarse.z[coarse.valid].std() == 0:
        raise _no_centre("too little is left")
    spot, brightness = _brightest(counts, valid)
    proposals = [
        coarse.in_frame(_most_symmetric(coarse, detail=False)),
        coarse.in_frame(_most_symmetric(coarse, detail=True)),
        search.in_frame(_best_rings(search, sectors=1)),
        search.in_frame(_best_rings(search, sectors=8)),
        spot,
    ]
    y, x = np.nonzero(coarse.valid)
    z = coarse.z[coarse.valid]
    whole = (np.minimum(np.abs(z - np.median(z)), FARTHEST) ** 2).mean()
    fitted = [
        _refine(coarse, coarse.of_frame(proposal), sectors)[0] for proposal in proposals for sectors in (SECTORS, 1)
    ]
    rings, oriented = ([_left(z, _bins(y, x, place, sectors)) for place in fitted] for sectors in (1, 8))
    best = int(np.argmin(np.multiply(rings, oriented)))
    centre = fitted[best]
    near = np.hypot(*(np.array(fitted) - centre).T) < AGREE * max(coarse.z.shape)
    paired = _share_paired(coarse, centre) >= PAIRED
    agreeing = near.reshape(len(proposals), -1).any(axis=1).sum()
    little_left = near.sum() > 1 and oriented[best] < max(MOST_LEFT, MOST_LEFT_OF_SHARP * whole)
    credible = oriented[best] < (1 - LEAST_EXPLAINED) * whole and (little_left or agreeing >= MANY)
    if not credible:
        if brightness < BRIGHT:
            raise _no_centre("no pattern about a centre")
        return Centre(*spot, float(AGREE * max(counts.shape)), "brightest spot")
    place = coarse.in_frame(centre)
    sectors = SECTORS if paired else 1
    for longest in REFINED:
        level = _level(counts, valid, longest)
        if longest > REFINED[0] and np.sinh(MISFIT * level.z[level.valid].mean()) ** 2 < FEWEST_COUNTS * MISFIT**2:
            break
        found, sd = _refine(level, level.of_frame(place), sectors)
        if sectors == 1:
            other, _ = _refine(level, found, sectors, finer=2)
            sd = np.hypot(sd, np.hypot(other[0] - found[0], other[1] - found[1]) / HONEST)
        place = level.in_frame(found)
        error = HONEST * sd * level.factor
        if level.factor == 1:
            break
    if error > LEAST_SURE * max(counts.shape):
        raise _no_centre("no pattern about a centre")
    return Centre(float(place[0]), float(place[1]), float(error), "symmetry" if sectors > 1 else "rings")


def _no_centre(why: str) -> ScanError:
    return ScanError(f"centre: {why} in this scan; give centre: [x, y] in pixels of the cropped image")


def _level(counts: NDArray[np.float32], valid: Missing, longest: int) -> _Level:
    """Sum a frame in blocks until its longest side has about so many pixels."""
    factor = max(1, round(max(counts.shape) / longest))
    height, width = (side // factor * factor for side in counts.shape)

    def blocks(values: NDArray) -> Values:
        rows = np.add.reduceat(values[:height, :width], np.arange(0, height, factor), axis=0, dtype=np.float64)
        return np.add.reduceat(rows, np.arange(0, width, factor), axis=1)

    known = blocks(valid)
    total = blocks(counts) * factor**2 / np.maximum(known, 1)
    # Anscombe's square root for few counts, a logarithm for many: unit variance for noise and misfit.
    z = np.arcsinh(MISFIT * np.sqrt(total + 0.375)) / MISFIT
    usable = known > 0.5 * factor**2
    return _Level(np.where(usable, z, 0), usable, factor)


def _most_symmetric(level: _Level, detail: bool) -> Point:
    """The place about which the image and itself turned by 180 degrees correlate most significantly.

    Parameters
    ----------
    detail : bool
        Whether the broad rise towards the beam is taken off first.
    """
    known = level.valid.astype(float)
    z = np.where(level.valid, level.z - np.median(level.z[level.valid]), 0)
    if detail:
        z = np.where(level.valid, z - _smooth(z, known, 6), 0)
    z = np.where(level.valid, _smooth(z, known, 1), 0)
    shape = [fft.next_fast_len(2 * side, real=True) for side in z.shape]
    # The self-convolution at index i + j adds up the pairs of pixels i and j: their centre is (i + j) / 2.
    ones, first, second = (fft.rfft2(values, shape) for values in (known, z, z * z))
    height, width = z.shape
    pairs, total, squares, products = (
        fft.irfft2(product, shape)[: 2 * height - 1, : 2 * width - 1]
        for product in (ones * ones, ones * first, ones * second, first * first)
    )
    pairs = np.maximum(pairs, 1e-6)
    # A tenth of the whole image's variance keeps flat pieces from correlating by chance.
    variance = squares - total**2 / pairs + 0.1 * z[level.valid].var() * pairs
    significance = (products - total**2 / pairs) / np.maximum(variance, 1e-9) * np.sqrt(pairs)
    significance[pairs < 0.02 * known.sum()] = -np.inf
    row, column = np.unravel_index(significance.argmax(), significance.shape)
    return column / 2, row / 2


def _smooth(z: Values, known: Values, sd: float) -> Values:
    """Gaussian mean of the known pixels."""
    return ndimage.gaussian_filter(z * known, sd) / np.maximum(ndimage.gaussian_filter(known, sd), 1e-3)


def _best_rings(level: _Level, sectors: int) -> Point:
    """The place, also outside of the frame, about which radial profiles leave least unexplained."""
    y, x = np.nonzero(level.valid)
    z = level.z[level.valid]
    rows, columns = (np.arange(-BEYOND * side, (1 + BEYOND) * side, STEP) for side in level.z.shape)
    # The bins about the first place, for every offset that a pixel has from any of the places: computed once for all.
    (height, width), back = level.z.shape, [STEP * (len(places) - 1) for places in (rows, columns)]
    seen_y, seen_x = np.mgrid[-back[0] : height, -back[1] : width]
    bins = _bins(seen_y, seen_x, (columns[0], rows[0]), sectors).ravel()
    at = (y + back[0]) * (width + back[1]) + x + back[1]
    places = [(i, j) for i in range(len(rows)) for j in range(len(columns))]
    i, j = min(places, key=lambda place: _left(z, bins[at - STEP * (place[0] * (width + back[1]) + place[1])]))
    return float(columns[j]), float(rows[i])


def _bins(y: NDArray, x: NDArray, centre: Point, sectors: int) -> NDArray[np.intp]:
    """The bin of each pixel: its radius, and its sector, which it shares with the opposite one."""
    bins = np.hypot(x - centre[0], y - centre[1]).astype(int) * sectors
    if sectors > 1:
        bins += np.floor(np.arctan2(y - centre[1], x - centre[0]) / np.pi * sectors).astype(int) % sectors
    return bins


def _left(z: Values, bins: NDArray[np.intp]) -> float:
    """Variance of the pixels that a mean for each bin leaves, outliers held back; 1 is expected."""
    residual = z - _means(bins, z, np.ones(z.size))
    kept = (np.abs(residual) < FARTHEST).astype(float)
    residual, means = z - _means(bins, z, kept), np.count_nonzero(np.bincount(bins, kept))
    return float((np.minimum(np.abs(residual), FARTHEST) ** 2).sum() / max(z.size - means, 1))


def _means(bins: NDArray[np.intp], values: Values, weights: Values) -> Values:
    """Weighted mean of each pixel's bin."""
    total = np.bincount(bins, values * weights)
    return (total / np.maximum(np.bincount(bins, weights), 1e-9))[bins]


def _brightest(counts: NDArray[np.float32], valid: Missing) -> tuple[Point, float]:
    """The middle of the brightest thousandth of a frame, and how much brighter than the median they are."""
    level = _level(counts, valid, TOLD_APART)
    smooth = np.where(level.valid, _smooth(level.z, level.valid.astype(float), 1.5), 0)
    y, x = np.nonzero(smooth >= np.quantile(smooth[level.valid], 0.999))
    weights = smooth[y, x]
    place = (float(np.average(x, weights=weights)), float(np.average(y, weights=weights)))
    if np.sqrt(np.average((x - place[0]) ** 2 + (y - place[1]) ** 2, weights=weights)) > AGREE * max(level.z.shape):
        return level.in_frame(place), 0.0
    usual = np.sinh(MISFIT * np.median(smooth[level.valid])) ** 2
    return level.in_frame(place), float(np.sinh(MISFIT * weights.mean()) ** 2 / usual)


def _share_paired(level: _Level, centre: Point) -> float:
    """Share of the valid pixels whose opposite about the centre is valid too."""
    y, x = np.nonzero(level.valid)
    rows, columns = np.rint(2 * centre[1] - y).astype(int), np.rint(2 * centre[0] - x).astype(int)
    height, width = level.valid.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return float(level.valid[rows[inside], columns[inside]].sum() / y.size)


def _refine(level: _Level, centre: Point, sectors: int, finer: int = 1) -> tuple[Point, float]:
    """Gauss-Newton fit of the centre: radial profiles, one for each pair of opposite sectors.

    With a single sector the profile is shared by all directions, and what is free instead is the
    brightness of blocks in radius and direction, so that the edges of rings alone decide. Shadows lose
    their weight (Tukey's biweight of the locally averaged residuals).

    Parameters
    ----------
    finer : int
        Divides the blocks' radial width, a sixteenth of the image.

    Returns
    -------
    centre : (x, y)
    sd : float
        Jackknife over sectors and radii, this level's pixels.
    """
    y, x = np.nonzero(level.valid)
    z = level.z[level.valid]
    side = max(level.z.shape)
    window = max(5, side // 32) | 1
    near = ndimage.uniform_filter(level.valid.astype(float), window)[level.valid]
    weights = np.ones(z.size)
    for _ in range(12):
        dx, dy = x - centre[0], y - centre[1]
        radius, chi = np.hypot(dx, dy), np.arctan2(dy, dx)
        ring = np.rint(radius).astype(int)
        sector = np.floor(chi / np.pi * sectors).astype(int) % sectors
        free = [ring * sectors + sector]
        if sectors == 1:
            direction = np.floor((chi / np.pi + 1) / 2 * DIRECTIONS).astype(int) % DIRECTIONS
            free.append(ring // max(side // (16 * finer), 4) * DIRECTIONS + direction)
        slope_r, slope_chi = _slopes(free[0], z, weights, (ring.max() + 1, sectors))
        along = slope_r[ring, sector]
        across = slope_chi[ring, sector] / np.maximum(radius, 2)
        by_x = _not_free(across * np.sin(chi) - along * np.cos(chi), weights, free)
        by_y = _not_free(-across * np.cos(chi) - along * np.sin(chi), weights, free)
        gradient = np.stack([by_x, by_y])
        residual = _not_free(z - along * (radius - ring), weights, free)
        image = np.zeros(level.z.shape)
        image[level.valid] = residual
        local = ndimage.uniform_filter(image, window)[level.valid] / np.sqrt(near)
        # Tukey's constant, of a standard deviation told by the median.
        cut = 4.685 * 1.4826 * np.median(np.abs(local)) + 1e-9
        weights = np.where(np.abs(local) < cut, (1 - (local / cut) ** 2) ** 2, 0)
        normal = (weights * gradient) @ gradient.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(normal, gradient @ (weights * residual))
        length = float(np.hypot(*step))
        # The pattern is straight over a few pixels only.
        step *= min(1, 3 / max(length, 1e-9))
        centre = (centre[0] + float(step[0]), centre[1] + float(step[1]))
        if length < 0.01:
            break
    quarter = np.searchsorted(np.quantile(radius, [0.25, 0.5, 0.75]), radius)
    group = quarter * 12 + np.floor(chi / np.pi * 12).astype(int) % 12
    return centre, _jackknife(gradient, residual, weights, group)


def _not_free(values: Values, weights: Values, free: list[NDArray[np.intp]]) -> Values:
    """What is left of values when each free bin takes its mean (by turns where bins of two kinds are free)."""
    for _ in range(3 if len(free) > 1 else 1):
        for bins in free:
            values = values - _means(bins, values, weights)
    return values


def _jackknife(gradient: Values, residual: Values, weights: Values, group: NDArray[np.intp]) -> float:
    """Standard deviation of a coordinate, from how far it moves when each group is left out."""
    by_group = np.stack(
        [np.bincount(group, weights * first * second) for first in gradient for second in (*gradient, residual)], axis=1
    ).reshape(-1, 2, 3)
    rest = by_group.sum(axis=0) - by_group
    moved = np.linalg.solve(rest[..., :2] + 1e-9 * np.eye(2), by_group[..., 2:])
    return float(np.sqrt((moved**2).sum() / 2))


def _slopes(profile: NDArray[np.intp], z: Values, weights: Values, shape: tuple[int, int]) -> tuple[Values, Values]:
    """Derivatives of the mean pattern by radius (pixels) and by chi (radians), on (radius, sector)."""
    sectors = shape[1]

    def smooth(values: Values) -> Values:
        summed = np.bincount(profile, values, minlength=shape[0] * sectors).reshape(shape)
        summed = ndimage.gaussian_filter1d(summed, 2, axis=0, mode="constant")
        return ndimage.gaussian_filter1d(summed, 1, axis=1, mode="wrap") if sectors > 1 else summed

    pattern = smooth(weights * z) / np.maximum(smooth(weights), 1e-6)
    turned = (np.roll(pattern, -1, axis=1) - np.roll(pattern, 1, axis=1)) * sectors / (2 * np.pi)
    return np.gradient(pattern, axis=0), turned
