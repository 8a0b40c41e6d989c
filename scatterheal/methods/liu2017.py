"""Healing by a pattern's own symmetry after Liu et al. 2017, written anew from a description of the method."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import poisson

from scatterheal.methods.polar_smooth import radial_mean
from scatterheal.polar.grid import PolarMap, polar_map

Map = NDArray[np.float64]
Missing = NDArray[np.bool_]
Centre = tuple[float, float]

AZIMUTHS = 360
# Whole pixels by which the image turned by 180 degrees is moved to match, and bins by which sectors are: the least
# that does.
TURNED_SHIFTS = range(-3, 3)
SECTOR_SHIFTS = sorted(range(-5, 5), key=abs)
# Standard deviations, pixels, of the local means that may be taken from the opposite side; the last tells the shift.
OPPOSITE_MEANS = (0.0, 0.7, 1.5)
# Bins of the map that lie this near a missing pixel are not believed.
GROWN = 5
# A bin without this much of a pixel, as there are near the beam, is not known.
LEAST_PIXELS = 0.25
# A ring tells nothing about its azimuths when less than this share of them is known.
LEAST_KNOWN = 0.1
# Rings whose statistics are compared lie this near, and the arcs for local ones are this long; bins.
NEAR, ARC = 5, 9
# Rings are told apart by histograms of so many bins.
BINS = 30
# The background is isotropic when local and global scatter of the usual ring differ by less than this share.
BACKGROUND = 0.3
# There are peaks on an isotropic background where the usual ring's scatter lies in this bin of its histogram or
# a lower one, and on an anisotropic background where it lies in a higher one.
PEAKS = 4
# Where there are no peaks, rings whose local scatter is below this share of the global one are anisotropic.
SMOOTH_ARCS = 0.8
FOLDS = (2, 4, 6, 8)
# Of folds that fit better than this the highest is taken; a misfit grows by this power of what cannot be compared.
EXTREME_FITNESS, FOLD_BIAS = 1e-3, 4
# Sectors are shifted only where at least this share of them can be compared.
LEAST_COMPARED = 0.1
# The background is folded in blocks of this many bins a side, and peaks are grown by twice as many.
BLOCK = 10


def liu2017(
    counts: NDArray[np.float32], known: NDArray[np.bool_], centre: tuple[float, float], is_counts: bool = True
) -> NDArray[np.float32]:
    """Fill holes from the pattern's own symmetry.

    1. Missing pixels take the level opposite the beam, unless the radial mean predicts known pixels better.
    2. A map of log(1 + n) on radius and azimuth is made, and rings are sorted by how much they vary with azimuth,
       and how smoothly: isotropic background or not, with peaks or not, and ranges of q that are anisotropic.
    3. Isotropic rings are filled with their mean, an anisotropic background by its fold.
    4. The fold of each anisotropic range of q is told by the autocorrelation over azimuth and by how well the sectors
       agree: 2, 4, 6 or 8. Each sector's holes take the mean of the others, after they have been shifted to match.
    5. What is left over takes the mean of what is round it.

    To be as strong as it can be it differs from the method as described: steps 1 and 4 take means where that copies
    single values, step 1 is tested, the map is of log(1 + n) instead of log(n) without small n.

    Parameters
    ----------
    counts : float32 array (height, width)
        Not negative where known; anything elsewhere.
    known : bool array (height, width)
        Pixels to go by.
    centre : (x, y)
        Of the beam, pixels.
    is_counts : bool
        Not asked: other values are taken like counts.

    Returns
    -------
    healed : float32 array (height, width)
        The counts themselves in known pixels.

    References
    ----------
    J. Liu et al., Healing X-ray scattering images, IUCrJ 4 (2017) 455-465.

    Examples
    --------
    >>> y, x = np.indices((121, 121)) - 60
    >>> arcs = 10 + 200 * np.exp(-(((np.hypot(x, y) - 45) / 3) ** 2)) * np.cos(np.arctan2(y, x)) ** 4
    >>> known = np.abs(x - 40) > 3
    >>> healed = liu2017(np.float32(arcs), known, (60, 60))
    >>> bool(np.abs(healed / arcs - 1)[~known].max() < 0.1)
    True
    """
    by_radius = radial_mean(counts, known, centre)
    filled, seen = _from_opposite(counts, known, centre, by_radius)
    grid = polar_map(counts.shape, centre, 1.0, AZIMUTHS)
    q_phi = _q_phi_map(grid, filled, seen)
    totals, pixels = (
        (grid.weights.T @ image.ravel()).reshape(grid.shape).sum(axis=1, keepdims=True)
        for image in (by_radius, np.ones_like(by_radius))
    )
    ring_mean = np.broadcast_to(np.log1p(totals / np.maximum(pixels, 1e-6)), grid.shape)
    isotropic, peaks, spans = _sort(q_phi)
    background = ring_mean if isotropic else _folded_background(q_phi, ring_mean, peaks)
    detail = q_phi - background
    healed = background + np.nan_to_num(detail)
    for first, last in spans:
        healed[first:last] = background[first:last] + _healed_span(detail[first:last])
    # The radial mean is known between the map's radii: sharp rings are not interpolated.
    beside_mean = (grid.weights @ (healed - ring_mean).ravel()).reshape(counts.shape)
    sampled = np.expm1(np.log1p(by_radius) + beside_mean)
    return np.where(seen, filled, np.maximum(sampled, 0)).astype(np.float32)


def _from_opposite(
    counts: NDArray[np.float32], known: Missing, centre: Centre, by_radius: NDArray[np.float32]
) -> tuple[NDArray[np.float32], Missing]:
    """Missing pixels with the local mean opposite the beam, and which pixels have a value then."""
    filled = np.where(known, counts, 0).astype(np.float32)
    means = [
        ndimage.gaussian_filter(filled, sd) / np.maximum(ndimage.gaussian_filter(known.astype(np.float32), sd), 1e-6)
        for sd in OPPOSITE_MEANS
    ]

    def overlap(shift: tuple[int, int]) -> tuple[slice, slice]:
        """The part of the image that covers itself when it is turned and moved."""
        sums = (round(2 * centre[1]) + shift[0], round(2 * centre[0]) + shift[1])
        down, across = (slice(max(0, s - n + 1), max(0, min(n, s + 1))) for s, n in zip(sums, known.shape, strict=True))
        return down, across

    def misfit(shift: tuple[int, int]) -> float:
        part = overlap(shift)
        both = known[part] & known[part][::-1, ::-1]
        return np.abs(means[-1][part] - means[-1][part][::-1, ::-1])[both].mean() if both.any() else np.inf

    part = overlap(min(((down, right) for down in TURNED_SHIFTS for right in TURNED_SHIFTS), key=misfit))
    has_one = known[part][::-1, ::-1]
    both, taken = known[part] & has_one, ~known[part] & has_one
    if not both.any():
        return filled, known
    guesses = [by_radius[part], *(mean[part][::-1, ::-1] for mean in means)]
    wrong = [((filled[part] - guess) ** 2 / (by_radius[part] + 1))[both].mean() for guess in guesses]
    best, seen = int(np.argmin(wrong)), known.copy()
    if best > 0:
        filled[part][taken] = guesses[best][taken]
        seen[part] |= taken
    return filled, seen


def _q_phi_map(grid: PolarMap, image: NDArray[np.float32], seen: Missing) -> Map:
    """log(1 + mean of the seen pixels) of each bin (radii, azimuths); NaN in and near holes."""
    weights = seen.ravel().astype(np.float32)
    pixels, missing = ((grid.weights.T @ part).reshape(grid.shape) for part in (weights, 1 - weights))
    total = (grid.weights.T @ np.where(seen, image, 0).ravel().astype(np.float32)).reshape(grid.shape)
    hole = ndimage.grey_dilation(missing > 0.5, (GROWN, GROWN), mode="wrap")
    return np.where((pixels > LEAST_PIXELS) & ~hole, np.log1p(total / np.maximum(pixels, 1e-6)), np.nan)


def _sort(q_phi: Map) -> tuple[bool, bool, list[tuple[int, int]]]:
    """Whether the background is isotropic, whether there are peaks, and which ranges of q are anisotropic."""
    known = np.isfinite(q_phi)
    told = known.mean(axis=1) >= LEAST_KNOWN
    scatter = _scatter(q_phi, (1, AZIMUTHS))[:, 0]
    near = _mean(q_phi, (NEAR, 1))
    local = _mean_known(np.where(known, _scatter(near, (1, ARC)), np.nan), axis=1)
    overall = _scatter(near, (1, AZIMUTHS))[:, 0]
    told &= (overall > 0) & (scatter > 0)
    if told.sum() < BINS:
        return True, False, []
    smoothness = local[told] / overall[told]
    scatter = scatter[told]
    usual_scatter, scatter_at = _usual(scatter)
    usual_smoothness, smoothness_at = _usual(smoothness)
    isotropic = bool(abs(1 - smoothness_at(usual_smoothness)) < BACKGROUND)
    peaks = bool(usual_scatter <= PEAKS if isotropic else usual_scatter > PEAKS)
    smooth = smoothness_at(usual_smoothness - np.sqrt(usual_smoothness)) if peaks else SMOOTH_ARCS
    anisotropic = np.zeros(len(q_phi), bool)
    anisotropic[told] = (scatter > scatter_at(usual_scatter + np.sqrt(usual_scatter))) & (smoothness < smooth)
    labels, _ = ndimage.label(ndimage.binary_dilation(anisotropic))
    return isotropic, peaks, [(rows.start, rows.stop) for (rows,) in ndimage.find_objects(labels)]


def _usual(values: Map) -> tuple[float, Callable[[float], float]]:
    """The parameter of the Poisson curve that fits the values' histogram best; and what value stands at a bin."""
    heights, edges = np.histogram(values, BINS)
    curves = poisson.pmf(np.arange(BINS), np.arange(0.1, BINS, 0.1)[:, None])
    # The best amplitude of each curve leaves the squares of the heights less this.
    explained = (curves @ heights) ** 2 / (curves**2).sum(axis=1)
    return float(np.arange(0.1, BINS, 0.1)[explained.argmax()]), lambda at: edges[0] + at * (edges[1] - edges[0])


def _mean(values: Map, window: tuple[int, int]) -> Map:
    """Mean of what is known in a window round each bin; NaN where nothing is."""
    known = np.isfinite(values)
    share = ndimage.uniform_filter(known.astype(float), window, mode=("nearest", "wrap"))
    total = ndimage.uniform_filter(np.where(known, values, 0), window, mode=("nearest", "wrap"))
    # Running sums leave rounding errors where nothing is known.
    some = share > 0.5 / np.prod(window)
    return np.where(some, total / np.where(some, share, 1), np.nan)


def _scatter(values: Map, window: tuple[int, int]) -> Map:
    """Standard deviation of what is known in a window round each bin."""
    return np.sqrt(np.maximum(_mean(values**2, window) - _mean(values, window) ** 2, 0))


def _folded_background(q_phi: Map, ring_mean: Map, peaks: bool) -> Map:
    """The broad pattern below the peaks, its holes filled from the sectors that its symmetry makes equal."""
    broad = q_phi.copy()
    if peaks:
        broad[_peaks(np.where(np.isfinite(q_phi), q_phi, ring_mean))] = np.nan
    broad = _mean(broad - ring_mean, (BLOCK, BLOCK))
    fold = min(FOLDS, key=lambda fold: _misfit(broad, fold))
    model, _ = _model(broad, fold)
    broad = np.where(np.isfinite(broad), broad, np.tile(model, fold))
    return ring_mean + np.nan_to_num(broad)


def _peaks(q_phi: Map) -> Missing:
    """Where a map scatters more, before and after its best product of a radial and an azimuthal part is taken off."""
    left, values, right = np.linalg.svd(q_phi, full_matrices=False)
    rest = q_phi - values[0] * np.multiply.outer(left[:, 0], right[0])
    scatter = _scatter(q_phi, (NEAR, NEAR)) * _scatter(rest, (NEAR, NEAR))
    usual, scatter_at = _usual(scatter.ravel())
    return ndimage.binary_dilation(scatter > scatter_at(usual + np.sqrt(usual)), np.ones((2 * BLOCK, 2 * BLOCK)))


def _healed_span(detail: Map) -> Map:
    """A range of q with its holes filled from the sectors that its symmetry makes equal."""
    fold = _fold(detail)
    width = AZIMUTHS // fold
    others = [_matched(detail, turn * width, width) for turn in range(1, fold)]
    known = np.isfinite(others)
    mean = np.where(known, others, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    healed = np.where(np.isfinite(detail), detail, np.where(known.any(axis=0), mean, np.nan))
    while not np.isfinite(healed).all():
        healed = np.where(np.isfinite(healed), healed, _mean(healed, (5, 5)))
    return healed


def _fold(detail: Map) -> int:
    """How often a range of q repeats in a full turn."""
    profile = _mean_known(detail, axis=0)
    profile = np.maximum(profile - np.nanmean(profile), 0)
    # The transform of the autocorrelation is the power of each fold.
    power = np.abs(np.fft.rfft(np.nan_to_num(profile))) ** 2
    folds = sorted(FOLDS, key=lambda fold: -power[fold])
    misfits = {fold: _misfit(profile, fold) for fold in folds}
    extreme = [fold for fold in folds if misfits[fold] < EXTREME_FITNESS]
    return max(extreme) if len(extreme) > 1 else min(folds, key=misfits.__getitem__)


def _misfit(values: Map, fold: int) -> float:
    """Mean squared difference of the sectors from their mean, more where few of their bins can be compared."""
    model, sectors = _model(values, fold)
    several = np.isfinite(sectors).sum(axis=-2) > 1
    squares = ((sectors - model[..., None, :]) ** 2)[np.isfinite(sectors) & several[..., None, :]]
    return float(squares.mean() * (2 - several.mean()) ** FOLD_BIAS) if squares.size else np.inf


def _model(values: Map, fold: int) -> tuple[Map, Map]:
    """The mean of a map's sectors (..., azimuths / fold), and the sectors (..., fold, azimuths / fold)."""
    sectors = values.reshape(*values.shape[:-1], fold, -1)
    return _mean_known(sectors, axis=-2), sectors


def _mean_known(values: Map, axis: int) -> Map:
    """The mean of what is known, NaN where nothing is."""
    known = np.isfinite(values)
    number = known.sum(axis=axis)
    total = np.where(known, values, 0).sum(axis=axis)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _matched(detail: Map, turn: int, width: int) -> Map:
    """The map turned by so many bins, each of its sectors moved by a few bins in q and azimuth to match best."""
    matched = np.empty_like(detail)
    for start in range(0, AZIMUTHS, width):
        sector = detail[:, start : start + width]
        best = None
        for right in SECTOR_SHIFTS:
            turned = np.roll(detail, turn + right, axis=1)[:, start : start + width]
            for up in SECTOR_SHIFTS:
                moved = _moved(turned, up)
                difference = np.abs(moved - sector)
                compared = np.isfinite(difference)
                if compared.mean() >= LEAST_COMPARED:
                    misfit = difference[compared].mean()
                    if best is None or misfit < best[0]:
                        best = (misfit, moved)
        matched[:, start : start + width] = best[1] if best else np.roll(detail, turn, axis=1)[:, start : start + width]
    return matched


def _moved(values: Map, up: int) -> Map:
    """Rows moved by so many, NaN where none comes."""
    moved = np.full_like(values, np.nan)
    rows = len(values) - abs(up)
    if rows > 0:
        moved[max(up, 0) :][:rows] = values[max(-up, 0) :][:rows]
    return moved
