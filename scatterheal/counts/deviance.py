"""How far counts lie from the rate that a method believes, and how far they would lie by chance alone.

A count may be censored: a figure's colour bar ends somewhere, so that its first colour says "at most so many" and its
last one "at least so many". All functions here treat such a pixel by the probability of what was observed.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, pdtr, pdtrc, xlogy

from scatterheal.pattern.pixels import CLIPPED_HIGH, CLIPPED_LOW

# No rate is believed to be smaller: a single count where a method expects nothing would decide everything.
LOWEST_RATE = 0.05
# Below this a probability is too near to the smallest number that there is, and its logarithm is taken from its series.
FAINTEST = 1e-280
# Above this rate the floor is 1, to 2e-4.
LARGE_RATE = 1000.0


class Censoring(NamedTuple):
    """From where on a scan's counts are not told apart."""

    low: float
    """Counts up to this one share a value; -1: all are told apart."""
    high: float
    """Counts from this one on share a value; inf: all are told apart."""


NONE = Censoring(-1, np.inf)


def censoring(counts: NDArray[np.floating], flags: NDArray[np.uint8]) -> Censoring:
    """What a scan's flags say of the counts that it cannot tell apart.

    Parameters
    ----------
    counts : float array (height, width)
        Counts as in intensity.tif: half of the largest count that the colour allows where it is clipped low, the
        smallest one where it is clipped high.
    flags : uint8 array (height, width)
        Bits CLIPPED_LOW and CLIPPED_HIGH.

    Returns
    -------
    Censoring

    Examples
    --------
    >>> censoring(np.float32([0.5, 7, 99]), np.uint8([1, 0, 2]))
    Censoring(low=1.0, high=99.0)
    """
    low, high = flags & CLIPPED_LOW > 0, flags & CLIPPED_HIGH > 0
    return Censoring(
        float(_most(counts[low]).max()) if low.any() else NONE.low,
        float(_fewest(counts[high]).min()) if high.any() else NONE.high,
    )


def _most(counts: NDArray[np.floating]) -> NDArray[np.float64]:
    """The largest whole count that a pixel clipped low may have."""
    # The margin is for values that went through float32 and a logarithm.
    return np.floor(2 * counts.astype(np.float64) * (1 + 1e-5))


def _fewest(counts: NDArray[np.floating]) -> NDArray[np.float64]:
    """The smallest whole count that a pixel clipped high may have."""
    return np.ceil(counts.astype(np.float64) * (1 - 1e-5))


def deviance(counts: NDArray[np.floating], flags: NDArray[np.uint8], rate: NDArray[np.floating]) -> NDArray[np.float64]:
    """The Poisson deviance of each pixel: twice the log-likelihood that a rate falls short of the best possible one.

    2 [n ln(n / mu) - (n - mu)] for a count n and a rate mu; -2 ln P(n <= k | mu) for a count that is only known to
    be at most k, -2 ln P(n >= k | mu) for one that is only known to be at least k.

    Parameters
    ----------
    counts : float array
        Counts, see `censoring`.
    flags : uint8 array of the same shape
        Bits CLIPPED_LOW and CLIPPED_HIGH.
    rate : float array of the same shape
        Expected counts per pixel; at least LOWEST_RATE is assumed.

    Returns
    -------
    deviance : float64 array of the same shape

    References
    ----------
    P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd ed. (1989), section 2.3.

    Examples
    --------
    >>> deviance(np.float32([3, 0, 0.5]), np.uint8([0, 0, 1]), np.float32([3, 2, 1])).round(3).tolist()
    [0.0, 4.0, 0.614]
    """
    n, mu = counts.astype(np.float64), np.maximum(rate, LOWEST_RATE).astype(np.float64)
    found = 2 * (xlogy(n, n / mu) - (n - mu))
    low, high = flags & CLIPPED_LOW > 0, flags & CLIPPED_HIGH > 0
    found[low] = -2 * log_at_most(_most(n[low]), mu[low])
    found[high] = -2 * log_at_least(_fewest(n[high]), mu[high])
    return found


def log_at_most(count: NDArray[np.float64] | float, rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the probability of at most so many counts, also where it is far below the smallest number.

    Parameters
    ----------
    count : float64 array or float
        A whole number; below 0 the probability is 0.
    rate : float64 array
        Expected counts, above 0.

    Examples
    --------
    >>> log_at_most(1, np.array([1.0, 5000.0])).round(3).tolist()
    [-0.307, -4991.483]
    """
    count, rate = np.broadcast_arrays(np.asarray(count, np.float64), rate)
    probability = pdtr(np.maximum(count, 0), rate)
    # P(k) + P(k-1) + ... = P(k) (1 + k/mu + k(k-1)/mu^2 + ...), nearly a geometric series so far below the rate.
    series = _log_chance(count, rate) - np.log1p(-np.minimum(count / rate, 0.999))
    with np.errstate(divide="ignore"):
        return np.where(count < 0, -np.inf, np.where(probability > FAINTEST, np.log(probability), series))


def log_at_least(count: NDArray[np.float64] | float, rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the probability of at least so many counts, also where it is far below the smallest number.

    Parameters
    ----------
    count : float64 array or float
        A whole number; up to 0 the probability is 1.
    rate : float64 array
        Expected counts, above 0.

    Examples
    --------
    >>> log_at_least(np.array([1.0, 1000.0]), np.array([1.0, 1.0])).round(3).tolist()
    [-0.459, -5913.127]
    """
    count, rate = np.broadcast_arrays(np.asarray(count, np.float64), rate)
    probability = pdtrc(np.maximum(count - 1, 0), rate)
    series = _log_chance(count, rate) - np.log1p(-np.minimum(rate / (count + 1), 0.999))
    with np.errstate(divide="ignore"):
        return np.where(count < 1, 0.0, np.where(probability > FAINTEST, np.log(probability), series))


def _log_chance(count: NDArray[np.float64], rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the Poisson probability of exactly so many counts, at least 0 of them."""
    count = np.maximum(count, 0)
    return xlogy(count, rate) - rate - gammaln(count + 1)


def expected_deviance(rate: NDArray[np.floating], limits: Censoring = NONE) -> NDArray[np.float64]:
    """The shot-noise floor: the mean deviance of counts that are really drawn at this rate and censored like that.

    It is summed over the Poisson distribution at closely spaced rates and interpolated between them, not simulated,
    so that it has no noise of its own.

    Parameters
    ----------
    rate : float array
        Expected counts per pixel; at least LOWEST_RATE is assumed, as in `deviance`.
    limits : Censoring
        What the scan cannot tell apart.

    Returns
    -------
    floor : float64 array of the same shape
        1.15 at one count a pixel, 1 at many, less where few counts are told apart.

    Examples
    --------
    >>> expected_deviance(np.array([0.05, 1, 3, 1e5])).round(3).tolist()
    [0.303, 1.147, 1.095, 1.0]
    >>> expected_deviance(np.array([0.05, 1]), Censoring(1, np.inf)).round(3).tolist()
    [0.016, 0.863]
    """
    roots, floor, _ = _table(limits)
    return np.interp(np.sqrt(np.maximum(rate, LOWEST_RATE)), roots, floor)


def expected_counts(
    counts: NDArray[np.floating], flags: NDArray[np.uint8], rate: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The counts, and in the place of a censored one the mean of what it may have been, given the rate.

    E[n | n <= most, mu] and E[n | n >= limit, mu]: sums and means of these are right where the rates are, which those
    of the numbers that stand for a colour bar's ends are not.

    Parameters
    ----------
    counts, flags, rate
        As for `deviance`, but that a rate may be as small as it likes.

    Returns
    -------
    expected : float64 array of the same shape

    Examples
    --------
    >>> expected_counts(np.float32([7, 0.5, 99]), np.uint8([0, 1, 2]), np.array([3, 0.25, 90])).round(2).tolist()
    [7.0, 0.2, 103.93]
    """
    expected = counts.astype(np.float64)
    low, high = flags & CLIPPED_LOW > 0, flags & CLIPPED_HIGH > 0
    # LOWEST_RATE would be a bias here; only a logarithm must not be that of 0.
    mu = np.maximum(rate, np.finfo(np.float32).tiny).astype(np.float64)
    expected[low] = _mean_at_most(_most(expected[low]), mu[low])
    expected[high] = _mean_at_least(_fewest(expected[high]), mu[high])
    return expected


def residuals(
    counts: NDArray[np.floating], flags: NDArray[np.uint8], rate: NDArray[np.floating], limits: Censoring = NONE
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many counts each pixel holds beyond its rate, as far as it is known, and the variance of that by chance.

    n - mu with variance mu; of a censored pixel E[n | what was observed, mu] - mu, whose mean over all that could have
    been observed is 0 too. Sums of both over many pixels tell of a bias.

    Parameters
    ----------
    counts, flags, rate
        As for `deviance`.
    limits : Censoring
        What the scan cannot tell apart, from `censoring`.

    Returns
    -------
    residual, variance : float64 arrays of the same shape
        Counts, and counts squared.

    Examples
    --------
    >>> residual, variance = residuals(np.float32([5]), np.uint8([0]), np.float32([3]))
    >>> residual.tolist(), variance.tolist()
    ([2.0], [3.0])
    """
    mu = np.maximum(rate, LOWEST_RATE).astype(np.float64)
    residual = expected_counts(counts, flags, mu) - mu
    if limits == NONE:
        return residual, mu
    roots, _, share = _table(limits)
    return residual, mu * np.interp(np.sqrt(mu), roots, share)


def _mean_at_most(count: NDArray[np.float64] | float, rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the counts up to this one."""
    return rate * np.exp(log_at_most(np.subtract(count, 1), rate) - log_at_most(count, rate))


def _mean_at_least(count: NDArray[np.float64] | float, rate: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the counts from this one on."""
    return rate * np.exp(log_at_least(np.subtract(count, 1), rate) - log_at_least(count, rate))


@cache
def _table(limits: Censoring) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Square roots of rates, their expected deviance, and the variance of their residual divided by the rate."""
    # In the square root of the rate every Poisson distribution is equally wide, about 1/2.
    ends = [np.sqrt(end) + np.linspace(-5, 5, 101) for end in limits if LARGE_RATE < end < np.inf]
    roots = np.concatenate([np.geomspace(LOWEST_RATE, 1, 150) ** 0.5, np.arange(1, LARGE_RATE**0.5, 0.05)[1:], *ends])
    roots = np.unique(roots)
    rate = roots**2
    floor, variance = np.zeros_like(rate), np.zeros_like(rate)
    if limits.low >= 0:
        _add(log_at_most(limits.low, rate), _mean_at_most(limits.low, rate) - rate, floor, variance)
    if np.isfinite(limits.high):
        _add(log_at_least(limits.high, rate), _mean_at_least(limits.high, rate) - rate, floor, variance)
    for index, mu in enumerate(rate):
        # Ten standard deviations: all counts that happen.
        reach = 10 * np.sqrt(mu) + 20
        told_apart = np.arange(max(limits.low + 1, np.floor(mu - reach)), min(limits.high, np.ceil(mu + reach)))
        chance = np.exp(_log_chance(told_apart, mu))
        beyond = told_apart - mu
        floor[index] += 2 * (chance * (xlogy(told_apart, told_apart / mu) - beyond)).sum()
        variance[index] += (chance * beyond**2).sum()
    return roots, floor, variance / rate


def _add(
    log_chance: NDArray[np.float64],
    residual: NDArray[np.float64],
    floor: NDArray[np.float64],
    variance: NDArray[np.float64],
) -> None:
    """What one kind of censored pixel adds to the expected deviance and to the variance."""
    chance = np.exp(log_chance)
    floor -= 2 * chance * np.where(chance > 0, log_chance, 0)
    variance += chance * residual**2
