"""What heals a scan: each method without each fold's hidden pixels, and the best of them with all valid ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scatterheal.compute.checkpoint import SideFile
from scatterheal.dip.refit import Refitted, refit
from scatterheal.dip.scene import settled
from scatterheal.methods import baselines
from scatterheal.pattern.pattern import Pattern
from scatterheal.settings.methods import BASELINES
from scatterheal.settings.runs import fit_of

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


def without_each_fold(method: str, scan: Pattern, hidden: NDArray[np.integer]) -> NDArray[np.float32]:
    """What a method that is no network says of a scan, once without each fold's hidden pixels.

    Parameters
    ----------
    method : str
    scan : Pattern
    hidden : integer array (folds, height, width)

    Returns
    -------
    models : float32 array (folds, height, width) or (folds, height, width, 3)
        Nothing but NaN where the method needs a beam centre that the scan has not: it comes last, and stops no other.
    """
    if scan.centre is None and BASELINES[method].needs_centre:
        log.warning("%s needs the beam centre, and this scan has none; give centre: [x, y]", method)
        return np.full((len(hidden), *scan.image.shape), np.nan, np.float32)
    known = [~scan.missing & (of_fold == 0) for of_fold in hidden]
    return np.stack([baselines.heal(method, scan.image, of_fold, scan.centre, scan.scale.unit) for of_fold in known])


def refit_seeds(asked: Mapping[str, Any], folds: int, refits: int) -> range:
    """The seeds of the refits: they count on from those of the folds.

    Examples
    --------
    >>> list(refit_seeds({"method": "dip", "seed": 5}, folds=2, refits=3)), list(refit_seeds({"method": "telea"}, 2, 3))
    ([7, 8, 9], [])
    """
    if asked["method"] != "dip":
        return range(0)
    first = asked["seed"] + folds
    return range(first, first + refits)


def with_all_pixels(
    scan: Pattern,
    asked: Mapping[str, Any],
    iterations: int,
    seeds: range,
    device: torch.device,
    sides: Mapping[int, SideFile] | None = None,
    at_once: int | None = None,
) -> Refitted:
    """What heals the scan: a run or a method, of all valid pixels.

    Parameters
    ----------
    scan : Pattern
    asked : mapping
        Its hyperparameters, from `scatterheal.settings.runs.runs_of`.
    iterations : int
        Of a network: for as long as its hidden pixels told.
    seeds : range
        From `refit_seeds`.
    device : torch.device
        Where to train.
    sides : mapping, optional
        Where the state of each seed's training is kept.
    at_once : int, optional
        On a CPU: so many of them side by side, each in a thread.
    """
    if asked["method"] == "dip":
        return refit(scan, settled(fit_of(asked), scan, device), iterations, seeds, device, sides, at_once)
    model = baselines.heal(asked["method"], scan.image, ~scan.missing, scan.centre, scan.scale.unit)
    nothing = np.zeros(scan.missing.shape, np.float32)
    return Refitted(model, nothing, nothing)
