"""One run on one scan: trained once without each fold's hidden pixels, stopped and scored by these."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from scatterheal.compute.checkpoint import SideFile, State, keep_or_end, wanted
from scatterheal.dip.engines import train
from scatterheal.dip.fold import Fold, folds_of
from scatterheal.dip.history import History
from scatterheal.dip.loop import Painting, due
from scatterheal.dip.memory import check
from scatterheal.dip.scene import painted, view_of
from scatterheal.dip.spread import model_and_spread, spread_over
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.pixels import Bits
from scatterheal.polar.canvas import View
from scatterheal.settings.models import Fit
from scatterheal.validation.judge import judge
from scatterheal.validation.metrics import Metrics

log = logging.getLogger(__name__)


class Inpainted(NamedTuple):
    """What a run leaves behind."""

    models: NDArray[np.float32]
    """(folds, height, width) or (folds, height, width, 3): the network's own image of each fold, in the scan's unit."""
    spreads: NDArray[np.float32]
    """(folds, height, width): the standard deviation of each image over the second half of its training."""
    iterations: int
    """The iteration that they are of."""
    curve: dict[str, list[float]]
    """iteration, loss and score of each check, of every fold: loss_0, score_0, ..."""
    snapshots: dict[int, tuple[float, NDArray[np.float32]]]
    """After 0, k, 2k, ... iterations: the mean score, and the first fold's image."""
    metrics: Metrics
    """From `judge`, and how it was stopped."""


class Training:
    """One run on one scan, trained as far as one asks: a network a fold, side by side.

    Each network has weights and noise of its own, from its own seed: what else is trained before, after or in between
    changes nothing.

    Parameters
    ----------
    scan : Pattern
    folds : sequence of Fold
        What is trained, and what judges it; from `scatterheal.dip.fold.folds_of`.
    chosen : Fit
        The hyperparameters that all of them share.
    device : torch.device
        Where to train.
    truth : array like the scan's image, optional
        The scan without holes and noise, where it is known.
    side : SideFile, optional
        Where its state is kept, and taken from.

    Raises
    ------
    ScanError
        There is less memory than it takes.
    """

    def __init__(
        self,
        scan: Pattern,
        folds: Sequence[Fold],
        chosen: Fit,
        device: torch.device,
        truth: NDArray | None = None,
        side: SideFile | None = None,
    ) -> None:
        self.scan, self.folds, self.chosen, self.truth = scan, folds, chosen, truth
        self._sparing = check(folds[0].prepared.scene, chosen, device, len(folds))
        self._device, self.side = device, side
        self._take_up(side.read() if side else None)

    def _take_up(self, state: State | None) -> None:
        """Be where a state says, or where nothing is trained yet."""
        self._before, self.record = state, History(self.chosen, len(self.folds), state)

    @property
    def trained(self) -> int:
        """Iterations made so far, up to the last check; -1 before the first."""
        return self.record.trained

    @property
    def ended(self) -> bool:
        """Whether it has been trained as far as it would be alone."""
        return self.record.ended

    def advance(self, until: float = np.inf) -> None:
        """Train on to the first check at or after an iteration, or until the training ends by itself.

        Raises
        ------
        RuntimeError
            The GPU's memory is too small (`scatterheal.compute.memory.ran_out`). The training is where it was before.
        SystemExit
            The job was told to end.
        """
        if self.ended or self.trained >= until:
            return
        before = self._before["folds"] if self._before else [None] * len(self.folds)
        every = 1 if self.chosen.stop == "variance" else self.chosen.check_every
        # The folds' steps come one after the other, and so can be done in the same memory.
        pool = torch.cuda.graph_pool_handle() if self._device.type == "cuda" else None
        trained = [
            train(fold.prepared.scene, fold.chosen, self._device, every, kept, wanted(self.side), self._sparing, pool)
            for fold, kept in zip(self.folds, before, strict=True)
        ]
        latest: dict[int, Painting] = {}

        def state() -> State:
            of_folds = [latest[k].state() if k in latest else kept for k, kept in enumerate(before)]
            return {"folds": of_folds, **self.record.state()}

        try:
            while True:
                for k, paintings in enumerate(trained):
                    # To where all folds are looked at; what is handed over on the way is for the state alone.
                    for painting in paintings:
                        latest[k] = painting
                        keep_or_end(self.side, state)
                        if painting.iteration > self.record.seen and due(painting.iteration, every, self.chosen):
                            break
                    else:
                        return
                self._look_at(list(latest.values()))
                here = self.ended or self.trained >= until
                if here:
                    # Who is not to go on now may wait for long, while others train.
                    keep_or_end(self.side, state, now=until < np.inf)
                    # Its networks need no memory until it goes on.
                    self._before = None if self.ended else state()
                    # One that has made all its iterations ends by itself, and its log says so.
                    if self.trained < self.chosen.iterations:
                        return
        except RuntimeError:
            self._take_up(self._before)
            raise

    def standing(self, until: float = np.inf) -> Metrics:
        """The metrics by which it is to be compared with others, were it to end here, or had it ended at an iteration.

        The middle one of the checks nearest to the iteration that it would take: one poor painting is nobody's end, and
        one good one is none either, which would favour the runs that scatter.
        """
        told = [self._metrics(self._models(checked), checked) for checked in self.record.nearest(until)]
        told.sort(key=lambda metrics: (metrics["collapsed"], np.nan_to_num(metrics["score"], nan=np.inf)))
        return told[(len(told) - 1) // 2]

    def members(self) -> list[list[NDArray[np.float32]]]:
        """Of each fold the painting that is taken were it to end here, last, after those that tell its spread."""
        cells, iteration = self.record.cells, self.record.nearest()[0]
        return [[cells[checked][k] for checked in spread_over(cells, iteration)] for k in range(len(self.folds))]

    def result(self) -> Inpainted:
        """What it leaves behind, ended here."""
        record, iteration = self.record, self.record.nearest()[0]
        how = "no further" if not self.ended else "the end" if record.stop.falling else "stopped"
        log.info("iteration %d of the %d that were made: %s", iteration, self.trained, how)
        each = zip(self.members(), self.folds, strict=True)
        models, spreads = zip(
            *(model_and_spread(members, fold.prepared, self.scan) for members, fold in each), strict=True
        )
        snapshots = {
            checked: (float(score), painted(record.cells[checked][0], self.folds[0].prepared, self.scan))
            for checked, score in zip(map(int, record.curve["iteration"]), record.scores.mean(axis=0), strict=True)
            if checked % self.chosen.snapshot_every == 0 or checked == iteration
        }
        metrics = self._metrics(np.stack(models), iteration)
        # Where it is trained on, its own curve becomes longer.
        curve = copy.deepcopy(record.curve)
        return Inpainted(np.stack(models), np.stack(spreads), iteration, curve, snapshots, metrics)

    def _look_at(self, paintings: Sequence[Painting]) -> None:
        """Note what was painted, and at a check how well."""
        if self.record.note(paintings):
            each = zip(self.folds, paintings, strict=True)
            self.record.check(paintings, [fold.score(painting.cells) for fold, painting in each])

    def _models(self, iteration: int) -> NDArray[np.float32]:
        each = zip(self.record.cells[iteration], self.folds, strict=True)
        return np.stack([painted(cells, fold.prepared, self.scan) for cells, fold in each])

    def _metrics(self, models: NDArray[np.float32], iteration: int) -> Metrics:
        canvas = self.folds[0].prepared.scene.canvas
        return {
            **judge(self.scan, models, np.stack([fold.hidden for fold in self.folds]), self.truth),
            "iterations": iteration,
            "still_falling": bool(self.record.stop.falling and self.chosen.stop != "end"),
            "cost": float(iteration * canvas.rows * canvas.columns) * self.chosen.channels**2,
        }


def inpaint(
    scan: Pattern,
    hidden: Bits,
    chosen: Fit,
    device: torch.device,
    truth: NDArray | None = None,
    view: View | None = None,
    side: SideFile | None = None,
) -> Inpainted:
    """Train one network a fold, side by side, and score them on the pixels that they do not see.

    Parameters
    ----------
    scan : Pattern
    hidden : uint16 array (folds, height, width)
        Valid pixels that each fold's training does not see, from `scatterheal.validation.holdout.hide`.
    chosen : Fit
        As `scatterheal.dip.scene.settled` gives it.
    device : torch.device
        Where to train.
    truth : array like the scan's image, optional
        The scan without holes and noise, where it is known.
    view : View, optional
        From `scatterheal.dip.scene.views_of`, where several runs share it.
    side : SideFile, optional
        Where the training's state is kept: it goes on from what an earlier start left there, to the same bytes on a
        CPU.

    Returns
    -------
    Inpainted

    Raises
    ------
    ScanError
        A fold leaves no pixel to train on, or there is less memory than a training takes.
    SystemExit
        The job was told to end (`scatterheal.compute.ending.end_in_time`).
    """
    folds = folds_of(scan, hidden, chosen, view or view_of(scan, chosen))
    training = Training(scan, folds, chosen, device, truth, side)
    training.advance()
    return training.result()
