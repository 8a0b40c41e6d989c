"""When to stop a training: by its score on hidden pixels, or by how much its output still changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scatterheal.errors import ScanError

# Scores whose difference is a smaller share of them are the same: at three counts a pixel and 90,000 hidden pixels
# a change of 3 % in the rate moves the deviance by about as much through noise alone.
TIE = 5e-4
# However far folds are apart, two scores that differ by more than this share are not the same: two folds, one of which
# fails, have a standard error as large as their mean difference.
FARTHEST_TIE = 1e-3


class Stopping(NamedTuple):
    """Which iteration is taken, and whether it may be too early to say."""

    iteration: int
    score: float
    """The curve's value there: the smoothed mean over the folds, or the running variance."""
    falling: bool
    """Whether the curve ends less than `patience` iterations later: go on, or train longer."""


def best_iteration(iterations: Sequence[float], scores: ArrayLike, patience: float, smooth: int = 1) -> Stopping:
    """The iteration to stop at, from the course of the held-out score.

    It is the first one whose score is as good as the lowest, within noise: the mean difference is less than
    0.05 % of the score, or than its own standard error over the folds, but never more than 0.1 %. The differences are
    taken fold by fold, since all iterations of a fold share the shot noise of its hidden pixels; with two folds this
    asks that both prefer the later iteration. A training that calls this at every check stops when `falling` is False:
    then for `patience` iterations nothing has become better by more than that.

    Parameters
    ----------
    iterations : ints (checks,)
        Rising.
    scores : floats (checks,) or (folds, checks)
        Held-out scores, lower is better. The first that is not finite and all after it are left out, and end
        the training.
    patience : float
        Iterations without a better score after which to stop.
    smooth : int
        Checks, an odd number, in a centred running mean; fewer at both ends of the curve.

    Returns
    -------
    Stopping

    Raises
    ------
    ScanError
        The first score is not finite.

    References
    ----------
    .. [1] L. Prechelt, "Early Stopping - But When?", in Neural Networks: Tricks of the Trade, Springer (1998).
    .. [2] L. Breiman, J. Friedman, R. Olshen, C. Stone, "Classification and Regression Trees", Wadsworth (1984): the
       simplest model within one standard error of the best.

    Examples
    --------
    >>> best_iteration([10, 20, 30, 40, 50], [2.0, 1.2, 1.0, 1.1, 1.3], patience=20)
    Stopping(iteration=30, score=1.0, falling=False)
    >>> best_iteration([10, 20, 30], [[2.0, 1.2, 1.1], [2.2, 1.3, 1.4]], patience=20)
    Stopping(iteration=20, score=1.25, falling=True)
    """
    every = np.atleast_2d(np.asarray(scores, float))
    finite = int(np.logical_and.accumulate(np.isfinite(every).all(axis=0)).sum())
    if finite == 0:
        raise ScanError("fit: its first held-out score is not a finite number; lower lr")
    curves = _smoothed(every[:, :finite], smooth)
    curve = curves.mean(axis=0)
    lowest = int(curve.argmin())
    worse = curves - curves[:, [lowest]]
    noise = worse.std(axis=0, ddof=1) / np.sqrt(len(worse)) if len(worse) > 1 else np.zeros(finite)
    tie = np.clip(noise, *np.multiply((TIE, FARTHEST_TIE), abs(curve[lowest])))
    chosen = int(np.argmax(worse.mean(axis=0) <= tie))
    falling = finite == every.shape[1] and iterations[finite - 1] - iterations[chosen] < patience
    return Stopping(int(iterations[chosen]), float(curve[chosen]), bool(falling))


def _smoothed(curves: NDArray[np.float64], checks: int) -> NDArray[np.float64]:
    """Running means over an odd number of checks, and over as many as there are on both sides near the ends."""
    last = curves.shape[1] - 1
    at = np.arange(last + 1)
    half = np.minimum(checks // 2, np.minimum(at, last - at))
    total = np.pad(curves.cumsum(axis=1), ((0, 0), (1, 0)))
    return (total[:, at + half + 1] - total[:, at - half]) / (2 * half + 1)


def first_valley(iterations: ArrayLike, variances: ArrayLike, patience: float, start: float) -> Stopping:
    """The iteration to stop at, from the running variance of the outputs.

    While the output approaches the pattern its variance falls, and it rises again when noise is fitted. The first
    minimum that stays one for `patience` iterations is taken, and none after it: late in a training the steps
    become small, and the variance with them. It is a guess for scans too small to hide anything: where noise is learned
    while the pattern still is, the variance only falls, and no minimum counts.

    Parameters
    ----------
    iterations : ints (updates,)
        Rising.
    variances : floats (updates,)
        From `MovingVariance`; NaN: not known yet.
    patience : float
        Iterations without a lower variance after which a minimum counts; the paper's 1000 is for 5000 iterations.
    start : float
        Minima before this iteration are those of warming up.

    Returns
    -------
    Stopping
        `falling` where no minimum counts yet; the iteration is then that of the lowest variance so far, or the
        last one where none is known.

    References
    ----------
    .. [1] H. Wang, T. Li, Z. Zhuang, T. Chen, H. Liang, J. Sun, "Early Stopping for Deep Image Prior", Transactions on
       Machine Learning Research (2023), arXiv:2112.06074.

    Examples
    --------
    >>> first_valley([1, 2, 3, 4, 5, 6, 7], [0.1, 9.0, 2.0, 1.0, 3.0, 4.0, 0.5], patience=2, start=2)
    Stopping(iteration=4, score=1.0, falling=False)
    """
    at = np.asarray(iterations)
    known = np.where((at >= start) & np.isfinite(variances), variances, np.inf)
    before = np.minimum.accumulate(np.concatenate([[np.inf], known[:-1]]))
    lowest = np.maximum.accumulate(np.where(known < before, np.arange(at.size), -1))
    lasted = (lowest >= 0) & (at - at[lowest] >= patience)
    chosen = lowest[np.argmax(lasted)] if lasted.any() else lowest[-1]
    return Stopping(int(at[chosen]), float(known[chosen]), not lasted.any())


class MovingVariance:
    """Variance of the outputs round their exponential average, on average over the pixels (ES-EMV).

    Parameters
    ----------
    weight : float
        Of the newest output, 0..1.

    References
    ----------
    .. [1] H. Wang et al., "Early Stopping for Deep Image Prior" (2023), arXiv:2112.06074, algorithm 2.

    Examples
    --------
    >>> variance = MovingVariance(weight=0.5)
    >>> [variance.update([float(level)]) for level in (0, 2, 1)]
    [0.0, 1.0, 0.5]
    """

    def __init__(self, weight: float = 0.1) -> None:
        self.weight = weight
        self.average: NDArray[np.float64] | None = None
        self.variance = 0.0

    def update(self, output: ArrayLike) -> float:
        """The variance after one more output (pixels,); 0 after the first."""
        newest = np.asarray(output, np.float64)
        if self.average is None:
            self.average = newest
        away = newest - self.average
        self.average = self.average + self.weight * away
        self.variance = (1 - self.weight) * (self.variance + self.weight * float(np.mean(away**2)))
        return self.variance
