"""One run on one scan: trained once without each fold's hidden pixels, stopped and scored by these."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from scatterheal import memory, stopping
from scatterheal.canvas import View
from scatterheal.deviance import deviance, expected_deviance
from scatterheal.errors import ScanError
from scatterheal.exposure import Exposure
from scatterheal.fit import Painting, fit
from scatterheal.judge import judge
from scatterheal.scale import to_unit
from scatterheal.scene import Prepared, painted, prepare, taken, view_of
from scatterheal.thinning import thin
from scatterheal.uncertainty import pool

log = logging.getLogger(__name__)

# The held-out score is smoothed over so many checks before its lowest is looked for.
SMOOTH = 3
# No variance is believed before this share of the iterations.
WARM_UP = 0.1
# How far a painting still moved: between the checks nearest to these shares of the iterations that it is of.
MEMBERS = (0.5, 0.625, 0.75, 0.875, 1.0)


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
    """The hyperparameters that this scan could take."""


def inpaint(
    scan: Exposure,
    hidden: NDArray[np.uint8],
    hyperparameters: Mapping[str, Any],
    device: torch.device,
    truth: NDArray | None = None,
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

    Returns
    -------
    Inpainted

    Raises
    ------
    ScanError
        A fold leaves no pixel to train on, or there is less memory than a training takes.
    """
    chosen = taken(hyperparameters, scan.scale.unit, scan.centre is not None)
    view = view_of(scan, chosen)
    folds = [_Fold(scan, of_fold, {**chosen, "seed": chosen["seed"] + k}, view) for k, of_fold in enumerate(hidden)]
    memory.check(folds[0].prepared.scene, chosen, device)
    every = 1 if chosen["stop"] == "variance" else chosen["check_every"]
    variance = stopping.MovingVariance()
    curve: dict[str, list[float]] = {"iteration": []}
    losses: list[list[float]] = [[] for _ in folds]
    cells: dict[int, list[NDArray[np.float32]]] = {}
    running: dict[str, list[float]] = {"iteration": [], "variance": []}
    for paintings in zip(*(fold.train(device, every) for fold in folds), strict=True):
        iteration = paintings[0].iteration
        for of_fold, painting in zip(losses, paintings, strict=True):
            of_fold += painting.loss.tolist()
        if chosen["stop"] == "variance" and iteration > 0:
            running["iteration"].append(iteration)
            running["variance"].append(variance.update(paintings[0].latest.ravel()))
        if iteration % chosen["check_every"] and iteration != chosen["iterations"]:
            continue
        curve["iteration"].append(iteration)
        cells[iteration] = [painting.cells for painting in paintings]
        for k, (fold, painting) in enumerate(zip(folds, paintings, strict=True)):
            curve.setdefault(f"loss_{k}", []).append(float(np.mean(losses[k])) if losses[k] else np.nan)
            losses[k] = []
            curve.setdefault(f"score_{k}", []).append(fold.score(painting.cells))
        stop = _stop(chosen, curve, running, len(folds))
        if not stop.falling:
            break
    iteration = min(cells, key=lambda checked: (abs(checked - stop.iteration), checked))
    log.info("after %d of %d iterations: %s", iteration, max(cells), "stopped" if not stop.falling else "the end")
    members = [[cells[checked][k] for checked in _members(cells, iteration)] for k in range(len(folds))]
    models, spreads = zip(
        *(_model_and_spread(of_fold, fold.prepared, scan) for of_fold, fold in zip(members, folds, strict=True)),
        strict=True,
    )
    mean_score = np.mean([curve[f"score_{k}"] for k in range(len(folds))], axis=0)
    snapshots = {
        checked: (float(score), painted(cells[checked][0], folds[0].prepared, scan))
        for checked, score in zip(curve["iteration"], mean_score, strict=True)
        if checked % chosen["snapshot_every"] == 0 or checked == iteration
    }
    metrics = {
        **judge(scan, np.stack(models), hidden, truth),
        "iterations": iteration,
        "still_falling": bool(stop.falling and chosen["stop"] != "end"),
        "cost": float(iteration * folds[0].prepared.scene.canvas.rows * folds[0].prepared.scene.canvas.columns)
        * chosen["channels"] ** 2,
    }
    return Inpainted(np.stack(models), np.stack(spreads), iteration, curve, snapshots, metrics, chosen)


class Refitted(NamedTuple):
    """What networks say that saw all valid pixels."""

    model: NDArray[np.float32]
    """Like the scan's image and in its unit: the mean of their paintings; of counts that is the geometric one."""
    spread: NDArray[np.float32]
    """(height, width): the standard deviation of each image over the second half of its training, their mean square."""
    apart: NDArray[np.float32]
    """(height, width): the standard deviation of their images, smoothed; 0 of a single one."""


def refit(
    scan: Exposure, hyperparameters: Mapping[str, Any], iterations: int, seeds: Sequence[int], device: torch.device
) -> Refitted:
    """Train on all valid pixels, for as many iterations as the hidden pixels told, once with each seed.

    Parameters
    ----------
    scan, hyperparameters, device
        As for `inpaint`.
    iterations : int
    seeds : sequence of int

    Returns
    -------
    Refitted
    """
    chosen = taken(hyperparameters, scan.scale.unit, scan.centre is not None) | {"iterations": iterations}
    prepared = prepare(scan, ~scan.missing, chosen)
    memory.check(prepared.scene, chosen, device)
    cells, images, squares = [], [], []
    for seed in seeds:
        paintings = {
            painting.iteration: painting.cells
            for painting in fit(prepared.scene, {**chosen, "seed": seed}, device, chosen["check_every"])
        }
        members = [paintings[checked] for checked in _members(paintings, iterations)]
        image, spread = _model_and_spread(members, prepared, scan)
        cells.append(members[-1])
        images.append(_grey(image))
        squares.append(spread.astype(np.float64) ** 2)
    # Paintings, not images: of counts the logarithms.
    model = painted(np.mean(cells, axis=0), prepared, scan)
    apart = pool(np.stack(images))[1] if len(images) > 1 else np.zeros_like(images[0])
    return Refitted(model, np.sqrt(np.mean(squares, axis=0)).astype(np.float32), apart)


def check_by_thinning(
    scan: Exposure, hyperparameters: Mapping[str, Any], iterations: int, device: torch.device
) -> dict[str, float] | None:
    """A check of overfitting without any hole: fit one half of every pixel's counts, and look at the other half.

    Parameters
    ----------
    scan, hyperparameters, device
        As for `inpaint`.
    iterations : int
        Of the fit; half of the counts overfit sooner than all of them.

    Returns
    -------
    ratios : dict or None
        Deviance over its floor of the half that was seen and of the one that was not: the nearer to each other, the
        less noise was fitted. None where the scan has no whole counts to halve.
    """
    valid = ~scan.missing
    whole = scan.scale.unit == "counts" and (scan.image[valid] % 1 == 0).all()
    if not whole or scan.flags[valid].any():
        return None
    seen, unseen = thin(np.where(valid, scan.image, 0), 0.5, hyperparameters["seed"])
    rate = refit(scan._replace(image=seen), hyperparameters, iterations, [hyperparameters["seed"]], device).model
    floor = expected_deviance(rate[valid]).mean()
    return {
        name: float(deviance(half[valid], scan.flags[valid], rate[valid]).mean() / floor)
        for name, half in (("seen", seen), ("unseen", unseen))
    }


def _members(paintings: Collection[int], iteration: int) -> list[int]:
    """The checks of which a painting's spread is taken; the last is the painting itself."""
    return sorted({min(paintings, key=lambda checked: abs(checked - share * iteration)) for share in MEMBERS})


def _model_and_spread(
    members: Sequence[NDArray[np.float32]], prepared: Prepared, scan: Exposure
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    images = [painted(cells, prepared, scan) for cells in members]
    grey = np.stack([_grey(image) for image in images])
    return images[-1], pool(grey)[1] if len(grey) > 1 else np.zeros_like(grey[0])


def _grey(image: NDArray[np.float32]) -> NDArray[np.float32]:
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

    def train(self, device: torch.device, every: int) -> Iterator[Painting]:
        return fit(self.prepared.scene, self.chosen, device, every)

    def score(self, cells: NDArray[np.float32]) -> float:
        """Mean deviance, or squared error, of the hidden pixels."""
        seen = self.reads @ cells
        if self.chosen["loss"] == "mse":
            return float(((seen - self.values) ** 2).mean(dtype=np.float64))
        return float(deviance(self.values, self.flags, np.exp(self.start + seen[:, 0])).mean())


def _stop(
    chosen: Mapping[str, Any], curve: Mapping[str, list[float]], running: Mapping[str, list[float]], folds: int
) -> stopping.Stopping:
    """Whether to go on, and which iteration is the one so far."""
    last = curve["iteration"][-1]
    if chosen["stop"] == "hidden":
        of_folds = [curve[f"score_{k}"] for k in range(folds)]
        return stopping.best_iteration(curve["iteration"], of_folds, chosen["patience"], SMOOTH)
    if chosen["stop"] == "variance" and running["iteration"]:
        start = WARM_UP * chosen["iterations"]
        return stopping.first_valley(running["iteration"], running["variance"], chosen["patience"], start)
    return stopping.Stopping(last, np.nan, True)
