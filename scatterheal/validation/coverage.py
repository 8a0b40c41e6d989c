"""Whether intervals hold what they promise, on hidden pixels that the calibration did not see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from scatterheal.counts.deviance import LOWEST_RATE
from scatterheal.pattern.pixels import CLIPPED_HIGH, CLIPPED_LOW
from scatterheal.validation.calibration import (
    BLOCKS,
    Fold,
    Image,
    Unit,
    block_deviations,
    calibrate,
    deviation_of,
    noise_variance,
    standard_deviation,
)

if TYPE_CHECKING:
    import pandas as pd

# Share of a normal distribution within 1 and 1.96 standard deviations.
LEVELS = (0.68, 0.95)


class Coverage(NamedTuple):
    """Whether intervals hold what they promise, on hidden pixels that the calibration did not see."""

    table: pd.DataFrame
    """A row each fold and block side (1: pixels; blocks where enough is hidden): fold, side, judged (how many),
    within_68, within_95 (shares), rms (of the residual over its standard deviation: 1; of clipped pixels only roughly),
    without_sd (the same where rates are taken as exact), calibrated_on (other folds, or itself where it is alone)."""
    pit: NDArray[np.float32]
    """Of every judged hidden pixel: where in its predicted distribution it lies, 0..1; even where that is right."""


def coverage(
    counts: NDArray[np.float32],
    flags: NDArray[np.uint8],
    folds: Sequence[Fold],
    unit: Unit,
    seed: int = 0,
) -> Coverage:
    """Judge on each fold a calibration that knows only the others, on pixels that those do not hide too.

    A hidden count is predicted by a negative binomial distribution (Poisson counts of a rate that is sure up to sd).
    Counts are whole numbers: where in its distribution one lies is drawn evenly from the step that it makes there, and
    from all that it may be where it is clipped. At a few counts a pixel shot noise is most of that, and pixels hardly
    tell whether sd is right; sums over blocks, in which shot noise averages out and errors add up, do.

    Parameters
    ----------
    counts, flags, folds, unit
        As in `calibrate`.
    seed : int
        Of the draws.

    Returns
    -------
    coverage : Coverage

    Raises
    ------
    ScanError
        As in `calibrate`.

    References
    ----------
    Randomised probability integral transform: C. Czado, T. Gneiting, L. Held, Biometrics 65 (2009) 1254-1261.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> counts = random.poisson(4, (2, 120, 120)).astype(np.float32)[0]
    >>> rate, spread = np.full((2, 120, 120), [[[4]], [[0.1]]], np.float32)
    >>> fold = Fold(rate, spread, rate > 0)
    >>> table = coverage(counts, np.zeros(rate.shape, np.uint8), [fold], "counts").table
    >>> table[table.side == 1].within_68.round(1).tolist()
    [0.7]
    """
    import pandas as pd

    random = np.random.default_rng(seed)
    rows, pits = [], []
    for number, fold in enumerate(folds):
        others = [other for k, other in enumerate(folds) if k != number]
        found = calibrate(counts, flags, others or [fold], unit)
        fold = fold._replace(hidden=fold.hidden & ~np.any([other.hidden for other in others], axis=0))
        sd = standard_deviation(found, fold.rate, fold.spread)
        pit = _pit(counts, flags, fold, sd, found.noise, random)
        deviation = deviation_of(counts, flags, fold, found.noise)
        inside = fold.hidden & (deviation.variance > 0)
        residual, variance, response = (image[inside] for image in deviation[:3])
        z, z_exact = (residual / np.sqrt(variance + shared**2) for shared in (response * sd[inside], 0))
        pits.append(pit)
        kinds = [(1, special.ndtri(pit), z, z_exact)]
        for side in BLOCKS:
            z, z_exact = block_deviations(found, deviation, fold, side, random)
            kinds.append((side, z, z, z_exact))
        for side, placed, z, z_exact in kinds:
            if placed.size == 0:
                # No block is hidden enough.
                continue
            within = [float(np.mean(np.abs(placed) < special.ndtri(0.5 + level / 2))) for level in LEVELS]
            rms, exact = (float(np.sqrt(np.mean(values**2))) for values in (z, z_exact))
            rows.append((number, side, placed.size, *within, rms, exact, "other folds" if others else "itself"))
    names = ["fold", "side", "judged", "within_68", "within_95", "rms", "without_sd", "calibrated_on"]
    return Coverage(pd.DataFrame(rows, columns=names), np.concatenate(pits).astype(np.float32))


def _pit(
    counts: NDArray[np.float32],
    flags: NDArray[np.uint8],
    fold: Fold,
    sd: NDArray[np.float32],
    noise: tuple[float, float] | None,
    random: np.random.Generator,
) -> Image:
    """Where hidden pixels lie in their predicted distributions, 0..1; clipped values are left out."""
    judged = fold.hidden if noise is None else fold.hidden & (flags == 0)
    count, rate, error = (image[judged].astype(float) for image in (counts, fold.rate, sd))
    if noise is not None:
        return special.ndtr((count - rate) / np.sqrt(noise_variance(noise, rate) + error**2))
    low, high = (flags[judged] & bit > 0 for bit in (CLIPPED_LOW, CLIPPED_HIGH))
    rate = np.maximum(rate, LOWEST_RATE)
    # A negative binomial: Poisson counts of a rate with a gamma distribution, which is Poisson where that is sharp.
    shape = rate**2 / np.maximum(error**2, 1e-6 * rate)
    chance = shape / (shape + rate)

    def at_most(number: NDArray[np.floating]) -> Image:
        return np.where(number < 0, 0, special.betainc(shape, np.maximum(number, 0) + 1, chance))

    whole = np.round(np.where(low, 2 * count, count))
    below = np.where(low, 0, at_most(whole - 1))
    above = np.where(high, 1, at_most(whole))
    return below + random.uniform(size=len(count)) * (above - below)
