"""One run on one scan: trained once without each fold's hidden pixels, stopped and scored by these."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from scatterheal import fast, fit, memory
from scatterheal.canvas import View
from scatterheal.deviance import deviance
from scatterheal.devices import computes_in_16_bits
from scatterheal.errors import ScanError
from scatterheal.exposure import Exposure
from scatterheal.fit import Painting, Scene, State, due
from scatterheal.judge import judge
from scatterheal.record import Record
from scatterheal.resume import SideFile, keep_or_end, wanted
from scatterheal.scale import to_unit
from scatterheal.scene import Prepared, painted, prepare, taken, view_of
from scatterheal.uncertainty import pool

log = logging.getLogger(__name__)

ENGINES = {"reference": fit.fit, "fast": fast.fit}
# How far a painting still moved: between the checks nearest to these shares of the iterations that it is of.
MEMBERS = (0.5, 0.625, 0.75, 0.875, 1.0)


def train(
    scene: Scene,
    chosen: Mapping[str, Any],
    device: torch.device,
    every: int,
    state: State | None,
    wanted: Callable[[], bool] | None,
    sparing: bool,
    pool: tuple[int, int] | None = None,
) -> Iterator[Painting]:
    """Train by the engine that is asked for; where memory is short sparing of it, as the fast one alone can be."""
    of_engine = {"sparing": sparing or memory.SPARING.get(), "pool": pool} if chosen["engine"] == "fast" else {}
    return ENGINES[chosen["engine"]](scene, chosen, device, every, state, wanted, **of_engine)


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
    metrics: dict[str, Any]
    """From `judge`, and how it was stopped."""
    taken: dict[str, Any]
    """The hyperparameters that this scan and this computer could take."""


class Training:
    """One run on one scan, trained as far as one asks: a network a fold, side by side.

    Each network has weights and noise of its own, from its own seed: what else is trained before, after or in between
    changes nothing.

    Parameters
    ----------
    scan, hidden, hyperparameters, device, truth, view
        As for `inpaint`.
    side : SideFile, optional
        Where its state is kept, and taken from.
    """

    def __init__(
        self,
        scan: Exposure,
        hidden: NDArray[np.uint8],
        hyperparameters: Mapping[str, Any],
        device: torch.device,
        truth: NDArray | None = None,
        view: View | None = None,
        side: SideFile | None = None,
    ) -> None:
        self.scan, self.hidden, self.truth = scan, hidden, truth
        centred, has_16_bits = scan.centre is not None, computes_in_16_bits(device)
        self.chosen = taken(hyperparameters, scan.scale.unit, centred, has_16_bits)
        view = view or view_of(scan, self.chosen)
        seeds = range(self.chosen["seed"], self.chosen["seed"] + len(hidden))
        self.folds = [
            _Fold(scan, of_fold, {**self.chosen, "seed": seed}, view)
            for of_fold, seed in zip(hidden, seeds, strict=True)
        ]
        self._sparing = memory.check(self.folds[0].prepared.scene, self.chosen, device, len(hidden))
        self._device, self.side = device, side
        self._take_up(side.read() if side else None)

    def _take_up(self, state: State | None) -> None:
        """Be where a state says, or where nothing is trained yet."""
        self._before, self.record = state, Record(self.chosen, len(self.folds), state)

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
            The GPU's memory is too small (`scatterheal.memory.ran_out`). The training is where it was before.
        SystemExit
            The job was told to end.
        """
        if self.ended or self.trained >= until:
            return
        before = self._before["folds"] if self._before else [None] * len(self.folds)
        every = 1 if self.chosen["stop"] == "variance" else self.chosen["check_every"]
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
                    if self.trained < self.chosen["iterations"]:
                        return
        except RuntimeError:
            self._take_up(self._before)
            raise

    def standing(self, until: float = np.inf) -> dict[str, Any]:
        """The metrics by which it is to be compared with others, were it to end here, or had it ended at an iteration.

        The middle one of the checks nearest to the iteration that it would take: one poor painting is nobody's end, and
        one good one is none either, which would favour the runs that scatter.
        """
        told = [self._metrics(self._models(checked), checked) for checked in self.record.nearest(until)]
        told.sort(key=lambda metrics: (metrics["collapsed"], np.nan_to_num(metrics["score"], nan=np.inf)))
        return told[(len(told) - 1) // 2]

    def result(self) -> Inpainted:
        """What it leaves behind, ended here."""
        record, iteration = self.record, self.record.nearest()[0]
        how = "no further" if not self.ended else "the end" if record.stop.falling else "stopped"
        log.info("iteration %d of the %d that were made: %s", iteration, self.trained, how)
        members = spread_over(record.cells, iteration)
        models, spreads = zip(
            *(
                model_and_spread([record.cells[checked][k] for checked in members], fold.prepared, self.scan)
                for k, fold in enumerate(self.folds)
            ),
            strict=True,
        )
        snapshots = {
            checked: (float(score), painted(record.cells[checked][0], self.folds[0].prepared, self.scan))
            for checked, score in zip(record.curve["iteration"], record.scores.mean(axis=0), strict=True)
            if checked % self.chosen["snapshot_every"] == 0 or checked == iteration
        }
        metrics = self._metrics(np.stack(models), iteration)
        # Where it is trained on, its own curve becomes longer.
        curve = copy.deepcopy(record.curve)
        return Inpainted(np.stack(models), np.stack(spreads), iteration, curve, snapshots, metrics, self.chosen)

    def _look_at(self, paintings: Sequence[Painting]) -> None:
        """Note what was painted, and at a check how well."""
        if self.record.note(paintings):
            each = zip(self.folds, paintings, strict=True)
            self.record.check(paintings, [fold.score(painting.cells) for fold, painting in each])

    def _models(self, iteration: int) -> NDArray[np.float32]:
        each = zip(self.record.cells[iteration], self.folds, strict=True)
        return np.stack([painted(cells, fold.prepared, self.scan) for cells, fold in each])

    def _metrics(self, models: NDArray[np.float32], iteration: int) -> dict[str, Any]:
        canvas = self.folds[0].prepared.scene.canvas
        return {
            **judge(self.scan, models, self.hidden, self.truth),
            "iterations": iteration,
            "still_falling": bool(self.record.stop.falling and self.chosen["stop"] != "end"),
            "cost": float(iteration * canvas.rows * canvas.columns) * self.chosen["channels"] ** 2,
        }


def inpaint(
    scan: Exposure,
    hidden: NDArray[np.uint8],
    hyperparameters: Mapping[str, Any],
    device: torch.device,
    truth: NDArray | None = None,
    view: View | None = None,
    side: SideFile | None = None,
) -> Inpainted:
    """Train one network a fold, side by side, and score them on the pixels that they do not see.

    Parameters
    ----------
    scan : Exposure
    hidden : uint8 array (folds, height, width)
        Valid pixels that each fold's training does not see, from `scatterheal.holdout.hide`.
    hyperparameters : mapping
        Every field of `scatterheal.config.Fit` but device.
    device : torch.device
        Where to train.
    truth : array like the scan's image, optional
        The scan without holes and noise, where it is known.
    view : View, optional
        From `scatterheal.scene.views_of`, where several runs share it.
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
        The job was told to end (`scatterheal.resume.end_in_time`).
    """
    training = Training(scan, hidden, hyperparameters, device, truth, view, side)
    training.advance()
    return training.result()


def spread_over(paintings: Collection[int], iteration: int) -> list[int]:
    """The checks of which a painting's spread is taken; the last is the painting itself."""
    return sorted({min(paintings, key=lambda checked: abs(checked - share * iteration)) for share in MEMBERS})


def model_and_spread(
    members: Sequence[NDArray[np.float32]], prepared: Prepared, scan: Exposure
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The image of the last of some paintings, and the standard deviation of the images of all, smoothed."""
    images = [painted(cells, prepared, scan) for cells in members]
    brightness = np.stack([grey(image) for image in images])
    return images[-1], pool(brightness)[1] if len(images) > 1 else np.zeros_like(brightness[0])


def grey(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of a picture the brightness."""
    return image if image.ndim == 2 else image.mean(axis=2)


class _Fold:
    """One training, and the pixels that judge it."""

    def __init__(
        self,
        scan: Exposure,
        hidden: NDArray[np.uint8],
        chosen: Mapping[str, Any],
        view: View,
    ) -> None:
        known = ~scan.missing & (hidden == 0)
        if not known.any():
            raise ScanError("mask: nothing is left to train on beside the hidden pixels; make it smaller")
        self.chosen = chosen
        self.prepared: Prepared = prepare(scan, known, chosen, view)
        judged = hidden > 0
        self.reads = self.prepared.scene.reads[np.flatnonzero(judged)]
        if chosen["loss"] == "mse":
            self.values = to_unit(scan.image, scan.scale)[judged].reshape(judged.sum(), -1)
        else:
            self.values, self.flags = scan.image[judged], scan.flags[judged]
            self.start = self.prepared.start[judged]

    def score(self, cells: NDArray[np.float32]) -> float:
        """Mean deviance, or squared error, of the hidden pixels."""
        seen = self.reads @ cells
        if self.chosen["loss"] == "mse":
            return float(((seen - self.values) ** 2).mean(dtype=np.float64))
        return float(deviance(self.values, self.flags, np.exp(self.start + seen[:, 0])).mean())
