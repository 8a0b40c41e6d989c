"""How well pixels are painted that were hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal import find_peaks

from scatterheal.counts.deviance import censoring, deviance, expected_deviance, residuals
from scatterheal.pattern.pixels import REASONS, Bits
from scatterheal.validation.metrics import FoldMetrics, Metrics, Region, Ring

OneRegion = TypeVar("OneRegion", Region, Ring)

# The holes of which hidden pixels are copies.
KINDS = {reason.name: reason.bit for reason in REASONS if reason.copied}
# Residuals are summed over blocks of so many pixels a side; a block counts when it has more scored pixels than this.
# Where the blocks begin is chance: all is averaged over grids that begin so many pixels apart, down and across.
BLOCK, FEWEST_IN_BLOCK, APART = 15, 60, 5
# In a block all of whose counts are censored anyway nothing is left to judge by.
LEAST_VARIANCE = 1e-3
# Scores are given for so many radial ranges with equal numbers of valid pixels.
RINGS = 10
# What is nearer to the hidden pixels than a constant by less than so many standard errors is no better than one.
LEAST_GAIN = 2.0
# A method whose known pixels have less than this share of their floor gives them back as they are.
REPEATED = 0.5
# A radial profile is smoothed over so many pixels, and a ring stands out by so many standard deviations.
SMOOTHING, SIGNIFICANT = 1.5, 5.0


def score_counts(
    counts: NDArray[np.float32],
    flags: NDArray[np.uint8],
    rate: NDArray[np.float32],
    known: NDArray[np.bool_],
    hidden: Bits,
    centre: tuple[float, float] | None,
) -> FoldMetrics:
    """Score the rate that a method believes against counts that it has not seen.

    Parameters
    ----------
    counts : float32 array (height, width)
        Counts; where a pixel is neither known nor hidden they may be anything, also not a number.
    flags : uint8 array (height, width)
        Where they are censored, see `scatterheal.counts.deviance.censoring`.
    rate : float32 array (height, width)
        Expected counts per pixel.
    known : bool array (height, width)
        The pixels that the method saw.
    hidden : uint16 array (height, width)
        The valid pixels that it did not see: bits of the holes of which they are copies, 0 elsewhere.
    centre : (x, y) or None
        The beam centre, pixels; without it nothing is told by radius.

    Returns
    -------
    FoldMetrics

    Examples
    --------
    >>> counts = np.random.default_rng(0).poisson(3, (60, 90)).astype(np.float32)
    >>> hidden = np.zeros((60, 90), np.uint16); hidden[20:40] = 1
    >>> scores = score_counts(counts, hidden & 0, np.full((60, 90), 3.0, np.float32), hidden == 0, hidden, None)
    >>> scores["hidden"]["pixels"], round(scores["relative"], 1), list(scores["kinds"])
    (1800, 1.0, ['gap'])
    """
    valid = known | (hidden > 0)
    n, flag, mu, kind = counts[valid], flags[valid], rate[valid], hidden[valid]
    rows, columns = np.nonzero(valid)
    limits = censoring(n, flag)
    residual, variance = residuals(n, flag, mu, limits)
    per_pixel: dict[str, NDArray[Any]] = {
        "deviance": deviance(n, flag, mu),
        "floor": expected_deviance(mu, limits),
        "residual": residual,
        "variance": variance,
        "row": rows,
        "column": columns,
    }
    seen, unseen = _summary(per_pixel, kind == 0), _summary(per_pixel, kind > 0)
    rings: list[Ring] = []
    strongest: Ring | None = None
    if centre is not None:
        radius = np.hypot(columns - centre[0], rows - centre[1])

        def between(inner: float, outer: float) -> Ring:
            inside = (kind > 0) & (radius >= inner) & (radius < outer)
            return {"inner": float(inner), "outer": float(outer), **_summary(per_pixel, inside)}

        edges = np.quantile(radius, np.linspace(0, 1, RINGS + 1))
        edges[-1] = np.nextafter(edges[-1], np.inf)
        rings = [between(inner, outer) for inner, outer in pairwise(edges)]
        ring = strongest_ring(n, radius)
        strongest = ring and between(*ring)
    of_hidden = n[kind > 0], flag[kind > 0]
    mean = np.full(len(of_hidden[0]), of_hidden[0].mean())
    gain = deviance(*of_hidden, mean) - per_pixel["deviance"][kind > 0]
    return {
        "score": cast(float, unseen["deviance"]),
        "relative": _relative(unseen, seen),
        "collapsed": _collapsed(gain),
        "hidden": unseen,
        "known": seen,
        "kinds": {name: _summary(per_pixel, kind & bit > 0) for name, bit in KINDS.items() if (kind & bit).any()},
        "rings": rings,
        "strongest_ring": strongest,
    }


def score_values(
    painted: NDArray[np.float32],
    image: NDArray[np.float32],
    known: NDArray[np.bool_],
    hidden: Bits,
) -> FoldMetrics:
    """Score what was painted where an image has no counts: colours, or values of an unknown kind.

    Parameters
    ----------
    painted, image : float32 arrays (height, width) or (height, width, channels)
        What was painted and what was measured, 0..1.
    known : bool array (height, width)
        The pixels that the method saw.
    hidden : uint16 array (height, width)
        The valid pixels that it did not see: bits of the holes of which they are copies, 0 elsewhere.

    Returns
    -------
    FoldMetrics
        Of its regions pixels and mse.

    Examples
    --------
    >>> image = np.float32([[0.0, 1.0, 0.2, 0.8]]); hidden = np.uint16([[0, 0, 1, 1]])
    >>> scores = score_values(image + np.float32(0.1), image, hidden == 0, hidden)
    >>> round(scores["score"], 4), scores["collapsed"]
    (0.01, False)
    """

    def summary(region: NDArray[np.bool_]) -> Region:
        squares = (painted[region].astype(np.float64) - image[region]) ** 2
        return {"pixels": int(region.sum()), "mse": float(squares.mean())}

    of_hidden = summary(hidden > 0)
    # The best constant is each channel's mean.
    unseen = image[hidden > 0].astype(np.float64)
    constant = (unseen - unseen.mean(axis=0)) ** 2
    gain = constant - (unseen - painted[hidden > 0]) ** 2
    return {
        "score": cast(float, of_hidden["mse"]),
        "collapsed": _collapsed(gain.reshape(len(gain), -1).mean(axis=1)),
        "hidden": of_hidden,
        "known": summary(known),
        "kinds": {name: summary(hidden & bit > 0) for name, bit in KINDS.items() if (hidden & bit).any()},
    }


def combine(folds: Sequence[FoldMetrics]) -> Metrics:
    """The scores of one run over all folds.

    Parameters
    ----------
    folds : sequence of FoldMetrics
        What `score_counts`, or `score_values`, says of each fold.

    Returns
    -------
    Metrics

    Examples
    --------
    >>> fold = {"score": 1.0, "collapsed": False, "known": {"pixels": 5, "mse": 1.0},
    ...         "hidden": {"pixels": 10, "mse": 1.0}, "kinds": {}}
    >>> together = combine([fold, {**fold, "score": 3.0, "hidden": {"pixels": 30, "mse": 3.0}}])
    >>> together["score"], together["score_error"], together["hidden"]
    (2.0, 1.0, {'pixels': 40, 'mse': 2.5})
    """
    scores = [fold["score"] for fold in folds]
    together: Metrics = {
        "score": float(np.mean(scores)),
        "score_error": float(np.std(scores, ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else None,
        "scores": scores,
        "collapsed": any(fold["collapsed"] for fold in folds),
        "hidden": _pool([fold["hidden"] for fold in folds]),
        "known": _pool([fold["known"] for fold in folds]),
        "kinds": {
            name: _pool([fold["kinds"][name] for fold in folds if name in fold["kinds"]])
            for name in KINDS
            if any(name in fold["kinds"] for fold in folds)
        },
    }
    if "relative" in folds[0]:
        together["relative"] = _relative(together["hidden"], together["known"])
        together["rings"] = [_pool(rings) for rings in zip(*(fold["rings"] for fold in folds), strict=True)]
        strongest = [fold["strongest_ring"] for fold in folds if fold["strongest_ring"] is not None]
        together["strongest_ring"] = _pool(strongest) if strongest else None
    return together


def strongest_ring(counts: NDArray[np.floating], radius: NDArray[np.floating]) -> tuple[float, float] | None:
    """The ring that stands out most from the mean counts at each radius.

    Parameters
    ----------
    counts, radius : float arrays of one shape
        Of valid pixels: counts, and distances from the beam centre in pixels.

    Returns
    -------
    inner, outer : float
        Where it has half of its height above its surroundings, pixels; or None where no ring stands out from noise.

    Examples
    --------
    >>> radius = np.repeat(np.arange(100.0), 50)
    >>> strongest_ring(5 + 20 * np.exp(-(((radius - 40) / 3) ** 2)), radius) is None
    False
    >>> strongest_ring(100 * np.exp(-radius / 20), radius) is None
    True
    """
    bins = np.rint(radius).astype(np.intp)
    pixels = np.bincount(bins).astype(np.float64)
    total = ndimage.gaussian_filter1d(np.bincount(bins, counts), SMOOTHING)
    around = ndimage.gaussian_filter1d(pixels, SMOOTHING)
    has = np.flatnonzero(pixels)
    # Radii without a pixel repeat the next one that has some: an edge of the valid range is no ring.
    profile = np.interp(np.arange(len(pixels)), has, total[has] / around[has])
    peaks, found = find_peaks(profile, prominence=0, width=0)
    # Poisson's variance of a mean over the pixels under the Gaussian.
    sd = np.sqrt(np.maximum(profile[peaks], 1e-6) / np.maximum(around[peaks] * 2 * np.sqrt(np.pi) * SMOOTHING, 1))
    height = np.where(found["prominences"] > SIGNIFICANT * sd, found["prominences"], 0)
    if not height.any():
        return None
    best = height.argmax()
    return float(found["left_ips"][best]), float(found["right_ips"][best])


def _summary(per_pixel: Mapping[str, NDArray], region: NDArray[np.bool_]) -> Region:
    """What is told of the pixels of one region."""
    values = {name: value[region] for name, value in per_pixel.items()}
    pixels = int(region.sum())
    mean, floor = (float(values[name].mean()) if pixels else None for name in ("deviance", "floor"))
    grids = [
        _block_deviations(values, down, across) for down in range(0, BLOCK, APART) for across in range(0, BLOCK, APART)
    ]
    z, blocks = np.concatenate(grids), round(np.mean([len(grid) for grid in grids]))
    block_z = float(np.sqrt((z**2).mean())) if blocks else None
    return {
        "pixels": pixels,
        "deviance": mean,
        "floor": floor,
        "excess": None if mean is None or floor is None else mean - floor,
        "ratio": None if mean is None or floor is None else mean / floor,
        "block_z": block_z,
        # Of a root mean square, from the scatter of the squares; blocks of two grids are not independent.
        "block_z_error": float((z**2).std() / np.sqrt(4 * blocks)) / block_z if block_z else block_z,
        # The median of a normal variable's magnitude is 1 / 1.4826.
        "block_z_robust": float(1.4826 * np.median(np.abs(z))) if blocks else None,
        "blocks": blocks,
    }


def _block_deviations(values: Mapping[str, NDArray], down: int, across: int) -> NDArray[np.float64]:
    """Of each block of one grid with enough pixels, the summed residual over its standard deviation."""
    if not values["row"].size:
        return np.zeros(0)
    row, column = (values["row"] + down) // BLOCK, (values["column"] + across) // BLOCK
    block = row * (column.max() + 1) + column
    variance = np.bincount(block, values["variance"])
    judged = (np.bincount(block) > FEWEST_IN_BLOCK) & (variance > LEAST_VARIANCE)
    return np.bincount(block, values["residual"])[judged] / np.sqrt(variance[judged])


def _relative(hidden: Region, known: Region) -> float | None:
    """The hidden pixels' ratio to their floor over the known pixels' ratio; None where a method repeats the latter."""
    if hidden["ratio"] is None or known["ratio"] is None or known["ratio"] <= REPEATED:
        return None
    return hidden["ratio"] / known["ratio"]


def _collapsed(gain: NDArray[np.float64]) -> bool:
    """Whether hidden pixels are no nearer to what was painted than to the best constant: by `gain`, on average.

    It asks for significance and no size: on a scan of few counts even the truth is hardly nearer.
    """
    return not gain.mean() > LEAST_GAIN * gain.std() / np.sqrt(len(gain))


def _pool(summaries: Sequence[OneRegion]) -> OneRegion:
    """The summary of several disjoint regions together, from theirs."""
    each = [cast(Mapping[str, Any], summary) for summary in summaries]

    def mean(key: str, weight: str, power: int = 1) -> float | None:
        some = [summary for summary in each if summary[weight]]
        if not some:
            return None
        values, weights = [summary[key] ** power for summary in some], [summary[weight] for summary in some]
        return float(np.average(values, weights=weights)) ** (1 / power)

    together = {**each[0], "pixels": sum(summary["pixels"] for summary in each)}
    if "mse" in together:
        return cast(OneRegion, {**together, "mse": mean("mse", "pixels")})
    deviance, floor, block_z = mean("deviance", "pixels"), mean("floor", "pixels"), mean("block_z", "blocks", 2)
    blocks = sum(summary["blocks"] for summary in each)
    # Of the sums of the squares.
    errors = [
        summary["blocks"] * summary["block_z"] * summary["block_z_error"] for summary in each if summary["blocks"]
    ]
    pooled = {
        **together,
        "deviance": deviance,
        "floor": floor,
        "excess": None if deviance is None or floor is None else deviance - floor,
        "ratio": None if deviance is None or floor is None else deviance / floor,
        "block_z": block_z,
        "block_z_error": float(np.linalg.norm(errors)) / (blocks * block_z) if block_z else block_z,
        "block_z_robust": mean("block_z_robust", "blocks"),
        "blocks": blocks,
    }
    return cast(OneRegion, pooled)
