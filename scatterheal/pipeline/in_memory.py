"""A scan healed in one go, in memory: the stages of the workflow, by the functions that its scripts call."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from threading import RLock
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scatterheal.compute import limits
from scatterheal.compute.devices import on_threads
from scatterheal.compute.side_by_side import side_by_side
from scatterheal.dip.fold import folds_of
from scatterheal.dip.halving import halving, trainings
from scatterheal.dip.inpaint import Inpainted, Training
from scatterheal.dip.refit import Refitted
from scatterheal.dip.scene import settled, view_of, views_of
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.units import grey_levels
from scatterheal.pipeline.healing import refit_seeds, with_all_pixels, without_each_fold
from scatterheal.pipeline.prepare import Prepared
from scatterheal.pipeline.read_pattern import pattern_of
from scatterheal.settings.models import Config, Fit
from scatterheal.settings.runs import fit_of, hyperparameters_of, runs_of
from scatterheal.validation.certainty import Certainty, certainty
from scatterheal.validation.holdout import hide
from scatterheal.validation.judge import judge
from scatterheal.validation.metrics import Metrics
from scatterheal.validation.rank import chosen, rank

if TYPE_CHECKING:
    import torch

Progress = Callable[[float, str], None]
"""Told of each step: the share of all work that is done, and what is done now."""

# A training is looked at so many times on its way, to tell how far it is.
LOOKS = 10
# Many trainings side by side: their own lines and bars do not say whose they are.
QUIET = tuple(f"scatterheal.dip.{module}" for module in ("loop", "inpaint", "memory"))
# Threads and logs belong to the whole process: one healing at a time changes them.
ALONE = RLock()
# Shares of a budget: what comes after the trainings takes about this one, and other methods may begin in that.
AFTERWARDS, METHODS_FIRST = 0.15, 0.25


class Outcome(NamedTuple):
    """What became of a scan."""

    scan: Pattern
    hidden: NDArray[np.unsignedinteger]
    """(folds, height, width): the valid pixels by which the runs were judged."""
    ranking: pd.DataFrame
    run: str
    """What heals it,"""
    asked: dict[str, Any]
    """the hyperparameters of that,"""
    metrics: Metrics
    """and its scores on the hidden pixels."""
    refitted: Refitted
    sure: Certainty


class _Told(NamedTuple):
    """What one run or method says without each fold's hidden pixels."""

    models: NDArray[np.float32]
    spreads: NDArray[np.float32]
    metrics: Metrics
    taken: Mapping[str, Any]


def heal_in_memory(
    prepared: Prepared,
    config: Config,
    device: torch.device,
    budget: float | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Heal a scan as the workflow does: every run without each fold's hidden pixels, the best one with all valid ones.

    Parameters
    ----------
    prepared : Prepared
        From `scatterheal.pipeline.prepare`.
    config : Config
        From `scatterheal.settings.reading.read_config`.
    device : torch.device
        Where to train.
    budget : float, optional
        Seconds: the methods that are no network, then one network as far as that allows, fitted again once. What was
        reached by then depends on the machine. None: all runs to their end, to the bytes of the workflow.
    progress : callable, optional

    Returns
    -------
    Outcome

    Raises
    ------
    ScanError
        Nothing can be hidden or trained on, or there is less memory than a training takes.
    """
    began, tell = time.monotonic(), progress or (lambda share, what: None)
    scan = pattern_of(prepared.cropped.image, prepared.intensity, prepared.reasons)
    grey = grey_levels(prepared.intensity.values, prepared.intensity.meaning.unit)
    hidden = hide(prepared.reasons.reasons, grey, scan.centre, config.folds)
    runs = runs_of(config)
    methods = {run: asked for run, asked in runs.items() if asked["method"] != "dip"}
    networks = {run: settled(fit_of(asked), scan, device) for run, asked in runs.items() if run not in methods}
    told = _try_methods(scan, hidden, methods, began + METHODS_FIRST * budget if budget else np.inf, tell)
    if budget and networks:
        # The first of the grid, which the presets put there for that: the network that is best most often.
        first, refits = dict([next(iter(networks.items()))]), 1
        told |= _train_until(scan, hidden, first, device, began + (1 - AFTERWARDS) * budget, tell)
    else:
        told |= _train_all(scan, hidden, networks, config.search, device, tell)
        refits = config.refits
    # In the order in which the workflow ranks them.
    told = {run: told[run] for run in runs if run in told}
    ranking = rank({run: of_run.taken for run, of_run in told.items()}, {run: of.metrics for run, of in told.items()})
    best = chosen(ranking, config.heal_with)
    tell(0.7, f"{best}, with all valid pixels")
    iterations = told[best].metrics.get("iterations", 0)
    seeds = refit_seeds(runs[best], config.folds, refits)
    with _quietly_on_threads(_cores() if budget else 1):
        again = with_all_pixels(scan, runs[best], iterations, seeds, device, at_once=None if budget else _cores())
    tell(0.95, "how sure it is")
    of_best = told[best]
    sure = certainty(scan, prepared.reasons.reasons, hidden, of_best.models, of_best.spreads, *again)
    tell(1.0, "done")
    return Outcome(scan, hidden, ranking, best, runs[best], of_best.metrics, again, sure)


def _try_methods(
    scan: Pattern,
    hidden: NDArray[np.unsignedinteger],
    methods: Mapping[str, Mapping[str, Any]],
    until: float,
    tell: Progress,
) -> dict[str, _Told]:
    """The methods that are no network: the first one, and as many more as begin before this moment (monotonic)."""
    told: dict[str, _Told] = {}
    for k, (run, asked) in enumerate(methods.items()):
        if told and time.monotonic() > until:
            break
        tell(0.1 * k / len(methods), run)
        models = without_each_fold(asked["method"], scan, hidden)
        told[run] = _Told(models, np.zeros(hidden.shape, np.float32), judge(scan, models, hidden), asked)
    return told


def _train_all(
    scan: Pattern,
    hidden: NDArray[np.unsignedinteger],
    networks: Mapping[str, Fit],
    search: str,
    device: torch.device,
    tell: Progress,
) -> dict[str, _Told]:
    """Every network to its end, as many at a time as there are cores; or the best of them, by halving."""
    views, looks = views_of(scan, networks), count(1)

    def train(run: str) -> Inpainted:
        fit = networks[run]
        training = Training(scan, folds_of(scan, hidden, fit, views[run]), fit, device)
        for k in range(1, LOOKS + 1):
            training.advance(fit.iterations * k // LOOKS)
            tell(0.1 + 0.6 * next(looks) / (LOOKS * len(networks)), run)
        return training.result()

    with _quietly_on_threads(1):
        if search == "halving" and networks:
            tell(0.1, "all networks, the best of them to their end")
            left = dict(halving(trainings(scan, hidden, networks, device), device))
        else:
            left = dict(zip(networks, side_by_side(train, networks, device, at_once=_cores()), strict=True))
    return {run: _of_network(done, networks[run]) for run, done in left.items()}


def _train_until(
    scan: Pattern,
    hidden: NDArray[np.unsignedinteger],
    network: Mapping[str, Fit],
    device: torch.device,
    until: float,
    tell: Progress,
) -> dict[str, _Told]:
    """One network, for as long as there is time left, at this moment (monotonic), to fit it again with all pixels."""
    ((run, fit),) = network.items()
    with _quietly_on_threads(_cores()):
        began = time.monotonic()
        training = Training(scan, folds_of(scan, hidden, fit, view_of(scan, fit)), fit, device)
        while not training.ended:
            training.advance(training.trained + 1)
            now = time.monotonic()
            again = (now - began) / len(training.folds)
            tell(0.1 + 0.6 * min((now - began + again) / max(until - began, 0.1), 1), run)
            if now + again > until:
                break
        return {run: _of_network(training.result(), fit)}


def _of_network(left: Inpainted, fit: Fit) -> _Told:
    return _Told(left.models, left.spreads, left.metrics, hyperparameters_of(fit))


def _cores() -> int:
    """How many cores there are for this process."""
    return max(int(min(os.cpu_count() or 1, limits.cores())), 1)


@contextmanager
def _quietly_on_threads(threads: int) -> Iterator[None]:
    """Let each training compute on so many threads, quietly, and leave PyTorch and the logs as they were."""
    with ALONE:
        loggers = [logging.getLogger(name) for name in QUIET]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            with on_threads(threads):
                yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
