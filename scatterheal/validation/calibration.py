"""How sure a healed pixel is: an ensemble's spread, calibrated on pixels that were counted and hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from scatterheal.counts.deviance import LOWEST_RATE, censoring, residuals
from scatterheal.counts.dispersion import block_sums
from scatterheal.errors import ScanError
from scatterheal.pattern.pixels import CLIPPED_HIGH, CLIPPED_LOW

Image = NDArray[np.float64]
Where = NDArray[np.bool_]
Unit = Literal["counts", "values"]
# Sides of the square blocks whose sums are judged, and the share of their pixels that must be hidden.
BLOCKS = (5, 15)
SHARE = 0.27
# Pixels of a figure may be copies of their neighbours, but not of those so many pixels away. Pixels are taken as
# independent where the squares of their differences have this share of what those of independent ones have.
FARTHEST_COPY, INDEPENDENT = 4, 0.9
# What a pixel tells that is clipped almost surely, as a share of what it told otherwise: not quite nothing.
LEAST_TOLD = 1e-3
# Radius (Gaussian sd), pixels, of a neighbourhood whose mean rate hardly knows the error of one pixel's.
NEIGHBOURHOOD = 10.0
# Fewer pairs of hidden pixels do not tell whether pixels are copies, nor what the noise of values is.
FEWEST = 50
# Within a block of so many pixels a side errors are taken as one.
ALIKE = 5
# What is expected of the three factors' squares before any hidden pixel is seen, and how surely (standard deviation):
# a network's rate errs by about 1.4 times its spread, and by as much as a mean over 300 pixels would; other methods
# perhaps by some per cent of the rate. benchmarks/healing.py shows what comes of it where the true rate is known.
EXPECTED, UNSURE = (2.0, 0.0, 1 / 300), (2.0, 0.05**2, 1 / 300)


class Fold(NamedTuple):
    """What fits that did not see some pixels say about them."""

    rate: NDArray[np.float32]
    """(height, width): the ensemble's mean."""
    spread: NDArray[np.float32]
    """(height, width): how far its members are apart."""
    hidden: Where
    """(height, width): the valid pixels that none of them saw."""


class Calibration(NamedTuple):
    """From an ensemble's spread to a standard deviation.

    Its square is (spread_factor spread)^2 + (rate_factor rate)^2 + noise_factor^2 (variance of a pixel's noise).
    """

    spread_factor: float
    rate_factor: float
    noise_factor: float
    errors: tuple[float, float, float]
    """Standard deviations of the squares of the three factors."""
    lag: int
    """So many pixels apart, noise is independent: 1 in a detector, more in a figure that repeats its pixels."""
    copies: float
    """So many pixels share their noise, so that many times larger is the variance of a block's sum."""
    together: dict[int, float]
    """For a block's side, pixels: how far errors add up in it; its sum has the standard deviation of
    together x (sum of sd), 1 where the whole block is wrong as one."""
    noise: tuple[float, float] | None
    """Values: the variance of a pixel is the first number plus the second times its rate. None: counts, by Poisson."""


class _Deviation(NamedTuple):
    """How far counts are from rates; arrays (height, width)."""

    residual: Image
    """Count less rate; for a clipped count the expected one, given that it is clipped."""
    variance: Image
    """The residual's, where the rate is right."""
    response: Image
    """How much of an error of the rate shows up in the residual, on average: 1, less where counts may be clipped."""
    level: Image
    """The variance of the neighbourhood, to weight with. A pixel's own would not do: it is small where the rate errs
    downwards, and such errors would count for more."""


def calibrate(counts: NDArray[np.float32], flags: NDArray[np.uint8], folds: Sequence[Fold], unit: Unit) -> Calibration:
    """Fit the three factors to hidden pixels.

    A residual is the rate's error plus noise. Noise is independent from pixel to pixel and the error is not, so that
    the product of the residuals of *two* pixels is on average the error's covariance alone, whatever the noise. Summed
    over all pairs of pixels of small blocks, in which errors are taken as one, products are fitted by non-negative
    least squares on the squares of spread and rate and on the noise's variance, weighted by what noise leaves to be
    seen. On few counts that is little, so that what is expected of the factors counts as a measurement too (ridge
    regression): next to nothing hidden leaves what is expected.

    Parameters
    ----------
    counts : float32 array (height, width)
        Counts or values.
    flags : uint8 array (height, width)
        Where they are clipped, from `scatterheal.reading.intensity`.
    folds : sequence of Fold
    unit : {"counts", "values"}

    Returns
    -------
    calibration : Calibration

    Raises
    ------
    ScanError
        Of values, too few hidden pixels lie beside each other to say what their noise is.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> error = ndimage.gaussian_filter(random.normal(size=(300, 300)), 6)
    >>> error *= 0.5 / error.std()
    >>> counts = random.poisson(4 + error).astype(np.float32)
    >>> rate, spread = np.full((2, 300, 300), [[[4]], [[0.25]]], np.float32)
    >>> fold = Fold(rate, spread, rate > 0)
    >>> found = calibrate(counts, np.zeros(rate.shape, np.uint8), [fold], "counts")
    >>> bool(abs(standard_deviation(found, rate, spread).mean() - 0.5) < 0.04)
    True
    """
    noise = None if unit == "counts" else _noise_of_values(counts, flags, folds)
    judged = [(deviation_of(counts, flags, fold, noise), fold) for fold in folds]
    lag, copies = _copies(judged)
    products, terms, variance = (
        np.concatenate(parts) for parts in zip(*(_products(*pair, noise, lag) for pair in judged), strict=True)
    )
    # A product of two sums with this variance each has twice its square, of which the root is the unit here.
    total, prior = variance, np.array(UNSURE)
    for _ in range(5):
        weighted = np.vstack([terms / (np.sqrt(2) * total[:, None]), np.diag(1 / prior)])
        squares, _ = optimize.nnls(weighted, np.concatenate([products / (np.sqrt(2) * total), EXPECTED / prior]))
        total = variance + terms @ squares
    errors = np.sqrt(np.diag(np.linalg.inv(weighted.T @ weighted)))
    of_spread, of_rate, of_noise = np.sqrt(squares).tolist()
    found = Calibration(of_spread, of_rate, of_noise, tuple(errors.tolist()), lag, copies, {}, noise)
    together = {side: _together(found, judged, side) for side in BLOCKS}
    return found._replace(together=together)


def standard_deviation(
    calibration: Calibration, rate: NDArray[np.floating], spread: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Of the rate of each pixel.

    Parameters
    ----------
    calibration : Calibration
    rate, spread : float arrays (height, width)
        From `pool`.

    Returns
    -------
    sd : float32 array (height, width)
        Counts, or values.

    Examples
    --------
    >>> found = Calibration(2, 0.1, 0, (0, 0, 0), 1, 1.0, {}, None)
    >>> standard_deviation(found, np.array([[30.0]]), np.array([[2.0]])).tolist()
    [[5.0]]
    """
    by_noise = calibration.noise_factor**2 * noise_variance(calibration.noise, rate)
    variance = (calibration.spread_factor * spread) ** 2 + (calibration.rate_factor * rate) ** 2 + by_noise
    return np.sqrt(variance).astype(np.float32)


def sd_image(
    calibration: Calibration,
    rate: NDArray[np.float32],
    spread: NDArray[np.float32],
    apart: NDArray[np.float32],
    counts: NDArray[np.float32],
    flags: NDArray[np.uint8],
    valid: Where,
    beyond: Where,
) -> NDArray[np.float32]:
    """The standard deviation of every pixel of a healed scan.

    Of a healed pixel it is that of its rate, but never less than fits with different seeds are apart: where they
    disagree more than hidden pixels made expect, nothing tells which is right. Where no hidden pixel was like it, as
    behind the beamstop, it is not known. Of a valid one, which keeps its count, it is that count's own: the root of the
    count (of one where there is none), as other programs have it too; of a value the noise that hidden pixels have. A
    count that is only known to be so few or fewer stands for all of these; of one that may be any larger number, and of
    a clipped value, nothing is known.

    Parameters
    ----------
    calibration : Calibration
    rate, spread : float32 arrays (height, width)
        From `pool`, of fits on all valid pixels.
    apart : float32 array (height, width)
        Standard deviation of fits with other seeds; 0 where there is one alone.
    counts : float32 array (height, width)
        The scan.
    flags : uint8 array (height, width)
        Where it is clipped.
    valid : bool array (height, width)
    beyond : bool array (height, width)
        Missing pixels that are like no hidden one, from `reach`.

    Returns
    -------
    sd : float32 array (height, width)
        Counts, or values; NaN where it is not known.

    Examples
    --------
    >>> rate, spread, apart, counts = np.float32([[[4, 4, 4]], [[0.5] * 3], [[0.1] * 3], [[9, np.nan, np.nan]]])
    >>> valid, beyond = np.array([[[True, False, False]], [[False, False, True]]])
    >>> found = Calibration(2, 0, 0, (0, 0, 0), 1, 1.0, {}, None)
    >>> sd_image(found, rate, spread, apart, counts, np.zeros((1, 3), np.uint8), valid, beyond).tolist()
    [[3.0, 1.0, nan]]
    """
    if calibration.noise is None:
        # Each of 0, 1, ... 2 n with the same chance.
        so_few = np.sqrt(((2 * np.maximum(counts, 0) + 1) ** 2 - 1) / 12)
        own = np.where(flags & CLIPPED_LOW > 0, so_few, np.sqrt(np.maximum(counts, 1)))
        unknown = beyond | (flags & CLIPPED_HIGH > 0) & valid
    else:
        own = np.sqrt(noise_variance(calibration.noise, rate))
        unknown = beyond | (flags > 0) & valid
    healed = np.maximum(standard_deviation(calibration, rate, spread), apart)
    return np.where(unknown, np.nan, np.where(valid, own, healed)).astype(np.float32)


def reach(valid: Where, hidden: Sequence[Where]) -> tuple[NDArray[np.float32], Where]:
    """How far each pixel is from what was measured, and where that is farther than any hidden pixel was.

    Parameters
    ----------
    valid : bool array (height, width)
        The pixels that are not missing, hidden ones included.
    hidden : sequence of bool arrays (height, width)
        Of each fold, the valid pixels that its fits did not see.

    Returns
    -------
    distance : float32 array (height, width)
        To the nearest valid pixel, in pixels; 0 at valid ones.
    beyond : bool array (height, width)
        Missing pixels farther than any hidden one was from a pixel that the fit saw: nothing was measured that tells
        how well these are healed.

    Examples
    --------
    >>> valid = np.array([[1, 1, 1, 0, 1, 0, 0, 0, 1]], bool)
    >>> distance, beyond = reach(valid, [np.array([[0, 1, 0, 0, 0, 0, 0, 0, 0]], bool)])
    >>> distance.tolist(), np.flatnonzero(beyond).tolist()
    ([[0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 2.0, 1.0, 0.0]], [6])
    """
    distance = ndimage.distance_transform_edt(~valid)
    farthest = max(
        (ndimage.distance_transform_edt(~valid | fold)[fold].max(initial=0.0) for fold in hidden), default=0.0
    )
    return distance.astype(np.float32), distance > farthest


def deviation_of(
    counts: NDArray[np.float32], flags: NDArray[np.uint8], fold: Fold, noise: tuple[float, float] | None
) -> _Deviation:
    """Residuals; of clipped counts those that have no bias where the rate is right, of clipped values none."""
    if noise is not None:
        seen = flags == 0
        residual, variance = counts - fold.rate.astype(float), noise_variance(noise, fold.rate)
        level = ndimage.gaussian_filter(variance, NEIGHBOURHOOD)
        return _Deviation(np.where(seen, residual, 0), np.where(seen, variance, 0), seen.astype(float), level)
    residual, variance = residuals(counts, flags, fold.rate, censoring(counts, flags))
    variance = np.maximum(variance, LEAST_TOLD * fold.rate)
    response = variance / np.maximum(fold.rate, LOWEST_RATE)
    return _Deviation(residual, variance, response, ndimage.gaussian_filter(variance, NEIGHBOURHOOD))


def noise_variance(noise: tuple[float, float] | None, rate: NDArray[np.floating]) -> Image:
    """Of counts their rate; of values what `_noise_of_values` says."""
    constant, share = (0.0, 1.0) if noise is None else noise
    return constant + share * np.abs(rate.astype(float))


def _noise_of_values(
    values: NDArray[np.float32], flags: NDArray[np.uint8], folds: Sequence[Fold]
) -> tuple[float, float]:
    """A constant, and a share of the rate, from differences of hidden neighbours, in which errors cancel."""
    square, rate = _differences(values, flags, folds, 1)
    for lag in range(2, FARTHEST_COPY + 1):
        # Neighbours may be copies of one another, until those farther apart differ no more.
        farther = _differences(values, flags, folds, lag)
        if square.mean() >= INDEPENDENT * farther[0].mean():
            break
        square, rate = farther
    weight = np.ones(len(square))
    for _ in range(5):
        fitted, _ = optimize.nnls(np.array([weight, rate * weight]).T, square * weight)
        weight = 1 / np.maximum(fitted[0] + fitted[1] * rate, np.finfo(np.float32).tiny)
    return float(fitted[0]), float(fitted[1])


def _differences(
    values: NDArray[np.float32], flags: NDArray[np.uint8], folds: Sequence[Fold], lag: int
) -> tuple[Image, Image]:
    """Half of the squared differences of the residuals of two hidden pixels in a row, and their mean rates."""
    squares, rates = [], []
    for fold in folds:
        rate = fold.rate.astype(float)
        for axis in (0, 1):
            ok = np.logical_and(*_shifted(fold.hidden & (flags == 0), axis, 0, lag))
            squares.append(np.subtract(*_shifted(values - rate, axis, 0, lag))[ok] ** 2 / 2)
            rates.append(np.abs(np.add(*_shifted(rate, axis, 0, lag)))[ok] / 2)
    if (pairs := sum(map(len, squares))) < FEWEST:
        raise ScanError(f"holdout: {pairs} pairs of hidden pixels are too few to say how noisy values are; hide more")
    return np.concatenate(squares), np.concatenate(rates)


def _copies(judged: Sequence[tuple[_Deviation, Fold]]) -> tuple[int, float]:
    """From how many pixels on noise is independent, and how many pixels share it.

    Residuals of independent pixels differ as much as their variances say, and as much as those one step farther apart.
    Where a share c(k) of the pixels k steps apart in one direction shares its noise, 1 + 2 c(1) + 2 c(2) + ... pixels
    do, and the square of that in both directions.
    """
    differ = [_differ(judged, lag) for lag in range(1, FARTHEST_COPY + 1)]
    if np.isnan(differ).any():
        return 1, 1.0
    enough = [INDEPENDENT * min(1, farther) for farther in differ[1:]]
    lag = next((k for k, least in enumerate(enough, start=1) if differ[k - 1] >= least), FARTHEST_COPY)
    shared = sum(1 - nearer / differ[lag - 1] for nearer in differ[: lag - 1])
    return lag, float((1 + 2 * shared) ** 2)


def _differ(judged: Sequence[tuple[_Deviation, Fold]], lag: int) -> float:
    """How far residuals of two hidden pixels in a row are apart: 1 where they are independent; NaN: too few tell."""
    ratios = []
    for deviation, fold in judged:
        for axis in (0, 1):
            ok = np.logical_and(*_shifted(fold.hidden & (deviation.variance > 0), axis, 0, lag))
            apart = np.subtract(*_shifted(deviation.residual, axis, 0, lag))[ok] ** 2
            ratios.append(apart / np.add(*_shifted(deviation.variance, axis, 0, lag))[ok])
    together = np.concatenate(ratios)
    return float(together.mean()) if len(together) >= FEWEST else np.nan


def _shifted(image: NDArray, axis: int, *steps: int) -> list[NDArray]:
    """Each pixel's neighbours so many steps along an axis, the axis first."""
    moved = np.moveaxis(image, axis, 0)
    count = len(moved) - max(steps)
    return [moved[step : step + count] for step in steps]


def _products(
    deviation: _Deviation, fold: Fold, noise: tuple[float, float] | None, lag: int
) -> tuple[Image, Image, Image]:
    """Sums over all pairs of hidden pixels of a block: of residuals, of each factor alone; and the sum's noise.

    Where pixels are copies of their neighbours, blocks are made of every second, third ... one.
    """
    outside = ~fold.hidden | (deviation.variance <= 0)
    of_rate = np.sqrt(noise_variance(noise, fold.rate))
    errors = [deviation.response * image for image in (fold.spread, fold.rate, of_rate)]
    found = []
    for part in (np.s_[down::lag, across::lag] for down in range(lag) for across in range(lag)):

        def sums(image: NDArray, part: tuple[slice, slice] = part) -> Image:
            return block_sums(image[part], outside[part], ALIKE)[0]

        ok = sums(np.ones(outside.shape)) >= SHARE * ALIKE**2
        pairs = [(sums(image) ** 2 - sums(image**2))[ok] for image in (deviation.residual, *errors)]
        found.append((pairs[0], np.array(pairs[1:]).T, sums(deviation.level)[ok]))
    products, terms, variance = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return products, terms, variance


class _Blocks(NamedTuple):
    """Sums over the blocks of which enough is hidden."""

    residual: Image
    squares: Image
    """Of the pixels' residuals."""
    noise: Image
    """Variance of the sum where the rate is right."""
    level: Image
    """That of the neighbourhood."""
    own: Image
    """Of the squares of the pixels' sd."""
    crossed: Image
    """Of the products of sd, over all pairs of two pixels."""


def _blocks(calibration: Calibration, deviation: _Deviation, fold: Fold, side: int) -> _Blocks:
    """Sums over the hidden pixels of blocks."""
    outside = ~fold.hidden | (deviation.variance <= 0)
    sd = deviation.response * standard_deviation(calibration, fold.rate, fold.spread)

    def sums(image: NDArray) -> Image:
        return block_sums(image, outside, side)[0]

    ok = sums(np.ones(outside.shape)) >= SHARE * side**2
    parts = (deviation.residual, deviation.residual**2, deviation.variance, deviation.level, sd**2, sd)
    residual, squares, noise, level, own, whole = (sums(image)[ok] for image in parts)
    return _Blocks(residual, squares, calibration.copies * noise, calibration.copies * level, own, whole**2 - own)


def _together(calibration: Calibration, judged: Sequence[tuple[_Deviation, Fold]], side: int) -> float:
    """How far errors add up in a block: 1 where its sum's sd is the sum of sd, 0 where each pixel errs for itself."""
    blocks = _Blocks(*map(np.concatenate, zip(*(_blocks(calibration, *pair, side) for pair in judged), strict=True)))
    weight = blocks.crossed / np.maximum(blocks.level + blocks.own + blocks.crossed, np.finfo(float).tiny) ** 2
    if (total := (weight * blocks.crossed).sum()) == 0:
        return 0.0
    # Products of different pixels, which noise has no part in.
    square = (weight * (blocks.residual**2 - blocks.squares)).sum() / total
    return float(np.sqrt(np.clip(square, 0, 1)))


def block_deviations(
    calibration: Calibration, deviation: _Deviation, fold: Fold, side: int, random: np.random.Generator
) -> tuple[Image, Image]:
    """Of each block's sum in standard deviations, and in those that it had if the rates were exact."""
    blocks = _blocks(calibration, deviation, fold, side)
    # Sums of counts are whole numbers, each of which stands for what rounds to it.
    step = 1.0 if calibration.noise is None else 0.0
    residual = blocks.residual + random.uniform(-step / 2, step / 2, len(blocks.residual))
    exact = blocks.noise + step / 12
    errors = blocks.own + calibration.together[side] ** 2 * blocks.crossed
    return residual / np.sqrt(exact + errors), residual / np.sqrt(exact)
