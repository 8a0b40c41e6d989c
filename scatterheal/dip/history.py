"""What is noted of a training on the way: what it painted at each check and how well, and so whether it is to go on."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from scatterheal.compute.checkpoint import State
from scatterheal.dip.loop import Painting
from scatterheal.settings.models import Fit
from scatterheal.validation import stopping

# The held-out score is smoothed over so many checks before its lowest is looked for, and the middle one of so many is a
# run's standing among others.
SMOOTH = 3
# No variance is believed before this share of the iterations.
WARM_UP = 0.1


class History:
    """The curves and paintings of a training, a network a fold, up to the last iteration that was looked at.

    Parameters
    ----------
    chosen : Fit
        The run's hyperparameters.
    folds : int
    state : dict, optional
        From `state`, to go on from; by default nothing is trained yet.
    """

    def __init__(self, chosen: Fit, folds: int, state: State | None = None) -> None:
        self.chosen = chosen
        noted = state or {
            **{"seen": -1, "curve": {"iteration": []}, "cells": {}, "losses": [[] for _ in range(folds)]},
            **{"running": {"iteration": [], "variance": []}, "average": None},
        }
        self.seen: int = noted["seen"]
        # The lists are made longer here, and stay what they are in the state, to which a training may have to go back.
        self.curve: dict[str, list[float]] = copy.deepcopy(noted["curve"])
        self._losses: list[list[float]] = copy.deepcopy(noted["losses"])
        self._running: dict[str, list[float]] = copy.deepcopy(noted["running"])
        self.cells: dict[int, list[NDArray[np.float32]]] = {
            checked: [np.asarray(cells) for cells in of_folds] for checked, of_folds in noted["cells"].items()
        }
        self._variance = stopping.MovingVariance()
        if noted["average"] is not None:
            self._variance.average, self._variance.variance = noted["average"].numpy(), noted["variance"]
        self.stop = self._stop_at(self.trained) if self.curve["iteration"] else stopping.Stopping(0, np.nan, True)

    @property
    def trained(self) -> int:
        """Iterations made so far, up to the last check; -1 before the first."""
        return int(self.curve["iteration"][-1]) if self.curve["iteration"] else -1

    @property
    def ended(self) -> bool:
        """Whether it has been trained as far as it would be alone."""
        return not self.stop.falling or self.trained == self.chosen.iterations

    @property
    def scores(self) -> NDArray[np.float64]:
        """(folds, checks): the held-out score of each."""
        return np.array([self.curve[f"score_{k}"] for k in range(len(self._losses))])

    def note(self, paintings: Sequence[Painting]) -> bool:
        """Note what each fold painted, and say whether this is a check."""
        chosen, self.seen = self.chosen, paintings[0].iteration
        for of_fold, painting in zip(self._losses, paintings, strict=True):
            of_fold += painting.loss.tolist()
        if chosen.stop == "variance" and self.seen > 0:
            self._running["iteration"].append(self.seen)
            self._running["variance"].append(self._variance.update(paintings[0].latest.ravel()))
        return self.seen % chosen.check_every == 0 or self.seen == chosen.iterations

    def check(self, paintings: Sequence[Painting], scores: Sequence[float]) -> None:
        """Note how well each fold painted its hidden pixels, and decide whether to go on."""
        self.curve["iteration"].append(self.seen)
        self.cells[self.seen] = [painting.cells for painting in paintings]
        for k, (losses, score) in enumerate(zip(self._losses, scores, strict=True)):
            self.curve.setdefault(f"loss_{k}", []).append(float(np.mean(losses)) if losses else np.nan)
            self.curve.setdefault(f"score_{k}", []).append(score)
            losses.clear()
        self.stop = self._stop_at()

    def nearest(self, until: float = np.inf) -> list[int]:
        """Up to three checks, the nearest first, to the iteration that is taken were it to end here, or at another."""
        taken = self._stop_at(until).iteration
        made = [checked for checked in self.cells if checked <= until]
        return sorted(made, key=lambda checked: abs(checked - taken))[:SMOOTH]

    def state(self) -> State:
        """All of it."""
        average = self._variance.average
        return {
            "seen": self.seen,
            "curve": copy.deepcopy(self.curve),
            "losses": copy.deepcopy(self._losses),
            "running": copy.deepcopy(self._running),
            "cells": {
                checked: [torch.from_numpy(cells) for cells in of_folds] for checked, of_folds in self.cells.items()
            },
            "average": None if average is None else torch.from_numpy(average),
            "variance": self._variance.variance,
        }

    def _stop_at(self, until: float = np.inf) -> stopping.Stopping:
        """Whether it was to go on at an iteration, and which one was it so far."""
        chosen, (curve, running) = self.chosen, (_up_to(until, made) for made in (self.curve, self._running))
        if chosen.stop == "hidden":
            of_folds = [curve[f"score_{k}"] for k in range(len(self._losses))]
            return stopping.best_iteration(curve["iteration"], of_folds, chosen.patience, SMOOTH)
        if chosen.stop == "variance" and running["iteration"]:
            start = WARM_UP * chosen.iterations
            return stopping.first_valley(running["iteration"], running["variance"], chosen.patience, start)
        return stopping.Stopping(int(curve["iteration"][-1]), np.nan, True)


def _up_to(until: float, made: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """The part of a curve that was made up to an iteration."""
    count = sum(iteration <= until for iteration in made["iteration"])
    return {name: values[:count] for name, values in made.items()}
