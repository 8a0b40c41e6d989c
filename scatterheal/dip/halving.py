"""Successive halving: of all runs of a grid only those that do well on the hidden pixels are trained on."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from operator import methodcaller
from typing import NamedTuple

import torch
from numpy.typing import NDArray

from scatterheal.compute.checkpoint import SideFile
from scatterheal.compute.side_by_side import side_by_side
from scatterheal.dip.fold import folds_of
from scatterheal.dip.inpaint import Inpainted, Training
from scatterheal.dip.scene import views_of
from scatterheal.pattern.pattern import Pattern
from scatterheal.settings.models import Fit
from scatterheal.settings.runs import hyperparameters_of
from scatterheal.validation.rank import rank

log = logging.getLogger(__name__)

# From one rung to the next so many times fewer runs are trained, so many times as far: a long first rung, since all
# depends on who stays after it.
FEWER, FARTHER = 4, 2
# A search makes at most this share of the iterations of the whole grid; of a small grid as many as these runs make.
SHARE, FEWEST = 0.1, 2


class Rung(NamedTuple):
    """A stretch of training, after which most runs are let go."""

    runs: int
    """So many of them, the best so far,"""
    until: int
    """are trained on to this iteration."""


def rungs(runs: int, iterations: int, check_every: int) -> list[Rung]:
    """How many runs are trained how far: as far as a tenth of all iterations of the grid allows.

    Parameters
    ----------
    runs : int
        Of the grid.
    iterations : int
        Of each of them; the last rung goes so far.
    check_every : int
        All other rungs end at a multiple of this, where runs are scored.

    Returns
    -------
    list of Rung
        Each with a quarter of the runs of the one before, trained twice as far, and the last run to the end. The first
        is as long as possible with at most a tenth of all iterations, or those of two whole trainings, where that is
        more; it has at least one check, also where that is too much.

    References
    ----------
    .. [1] K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS
       (2016), arXiv:1502.07943.

    Examples
    --------
    >>> [tuple(rung) for rung in rungs(40, iterations=6000, check_every=100)]
    [(40, 300), (10, 600), (3, 1200), (1, 6000)]
    >>> [tuple(rung) for rung in rungs(4, iterations=600, check_every=10)]
    [(4, 200), (1, 600)]
    >>> [tuple(rung) for rung in rungs(2, iterations=600, check_every=10)]
    [(2, 600)]
    """
    most = max(SHARE * runs, FEWEST) * iterations
    # Whole checks, from the longest to a single one.
    firsts = range(max(iterations // check_every, 1) * check_every, 0, -check_every)
    plans = (_from_first(runs, min(first, iterations), iterations) for first in firsts)
    return next((plan for plan in plans if cost(plan) <= most), _from_first(runs, firsts[-1], iterations))


def _from_first(runs: int, until: int, iterations: int) -> list[Rung]:
    plan = []
    while runs > 1 and until < iterations:
        plan.append(Rung(runs, until))
        runs, until = math.ceil(runs / FEWER), until * FARTHER
    return [*plan, Rung(runs, iterations)]


def cost(plan: Sequence[Rung]) -> int:
    """Iterations of all runs together, where none ends by itself.

    Examples
    --------
    >>> cost([Rung(4, 200), Rung(1, 600)])
    1200
    """
    before = [0, *(rung.until for rung in plan)]
    return sum(rung.runs * (rung.until - last) for rung, last in zip(plan, before, strict=False))


def trainings(
    scan: Pattern,
    hidden: NDArray,
    runs: Mapping[str, Fit],
    device: torch.device,
    truth: NDArray | None = None,
    sides: Mapping[str, SideFile] | None = None,
) -> dict[str, Training]:
    """A training for each run; those on the same canvas share how it is read.

    Parameters
    ----------
    scan, hidden, device, truth
        As for `scatterheal.dip.inpaint.inpaint`.
    runs : mapping
        The hyperparameters of each, as `scatterheal.dip.scene.settled` gives them.
    sides : mapping, optional
        Where the state of each is kept.
    """
    views = views_of(scan, runs)
    made = {}
    for run, chosen in runs.items():
        # Of which the memory is told next.
        log.info(run)
        folds = folds_of(scan, hidden, chosen, views[run])
        made[run] = Training(scan, folds, chosen, device, truth, sides[run] if sides else None)
    return made


def halving(runs: dict[str, Training], device: torch.device) -> Iterator[tuple[str, Inpainted]]:
    """Train all runs a little, the best of them on, and the best of these to the end.

    After each rung the runs are ranked as at the end of all (`scatterheal.validation.rank`): by what they paint on the
    hidden pixels so far, collapsed runs last, those that tie within noise by what they cost; never by the training
    loss. Who stays goes on from where it is, so that it becomes to the byte what it would have become alone.

    Parameters
    ----------
    runs : dict
        Not trained yet. It is emptied: a run that ends leaves it, so that its networks need no memory any more.
    device : torch.device
        Where they are.

    Yields
    ------
    run : str
    done : Inpainted
        As soon as it is let go or has ended; in its metrics `pruned` says whether it would have gone on alone, and
        `trained` after how many iterations it did not.
    """
    longest = max(training.chosen.iterations for training in runs.values())
    check_every = max(training.chosen.check_every for training in runs.values())
    plan = rungs(len(runs), longest, check_every)
    for number, rung in enumerate(plan, start=1):
        log.info("rung %d of %d: %d runs to iteration %d", number, len(plan), len(runs), rung.until)
        side_by_side(methodcaller("advance", rung.until), runs.values(), device)
        standings = {run: training.standing(rung.until) for run, training in runs.items()}
        ranking = rank({run: hyperparameters_of(training.chosen) for run, training in runs.items()}, standings)
        # Not the score with which it is let go or ends: that is of one check.
        best, score = ranking.run[0], ranking.score[0]
        log.info("rung %d of %d: best is %s, %.6f by the middle one of its last checks", number, len(plan), best, score)
        stay = plan[number].runs if number < len(plan) else 0
        unlearned = 0
        for run in ranking.run[stay:]:
            done = _left_by(runs.pop(run))
            unlearned += done.metrics["pruned"] and done.iterations == 0
            yield run, done
        if unlearned:
            told = "%d of the %d were let go before they were better than at their start: raise iterations"
            log.warning(told, unlearned, len(ranking) - stay)


def _left_by(training: Training) -> Inpainted:
    done = training.result()
    return done._replace(metrics={**done.metrics, "pruned": not training.ended, "trained": training.trained})
