"""The run that scored best, trained again on all valid pixels; and a check of overfitting that needs no hole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from scatterheal.compute.checkpoint import SideFile, State, keep_or_end, wanted
from scatterheal.compute.devices import computes_in_16_bits
from scatterheal.compute.side_by_side import side_by_side
from scatterheal.counts.deviance import deviance, expected_deviance
from scatterheal.counts.ensemble import pool
from scatterheal.counts.thinning import thin
from scatterheal.dip.engines import train
from scatterheal.dip.loop import Painting, due
from scatterheal.dip.memory import check
from scatterheal.dip.scene import painted, prepare, taken
from scatterheal.dip.spread import grey, model_and_spread, spread_over
from scatterheal.pattern.pattern import Pattern


class Refitted(NamedTuple):
    """What networks say that saw all valid pixels."""

    model: NDArray[np.float32]
    """Like the scan's image and in its unit: the mean of their paintings; of counts that is the geometric one."""
    spread: NDArray[np.float32]
    """(height, width): the standard deviation of each image over the second half of its training, their mean square."""
    apart: NDArray[np.float32]
    """(height, width): the standard deviation of their images, smoothed; 0 of a single one."""


def refit(
    scan: Pattern,
    hyperparameters: Mapping[str, Any],
    iterations: int,
    seeds: Sequence[int],
    device: torch.device,
    sides: Mapping[int, SideFile] | None = None,
) -> Refitted:
    """Train on all valid pixels, for as many iterations as the hidden pixels told, once with each seed.

    Parameters
    ----------
    scan, hyperparameters, device
        As for `inpaint`.
    iterations : int
    seeds : sequence of int
    sides : mapping, optional
        Where the state of each seed's training is kept.

    Returns
    -------
    Refitted

    Raises
    ------
    SystemExit
        The job was told to end.
    """
    centred, has_16_bits = scan.centre is not None, computes_in_16_bits(device)
    chosen = taken(hyperparameters, scan.scale.unit, centred, has_16_bits) | {"iterations": iterations}
    prepared = prepare(scan, ~scan.missing, chosen)
    sparing = check(prepared.scene, chosen, device)

    def trained(seed: int) -> tuple[NDArray, NDArray, NDArray]:
        every = chosen["check_every"]
        side = sides[seed] if sides else None
        before = side.read() if side else None
        paintings = {done: cells.numpy() for done, cells in before["cells"].items()} if before else {}
        state = before["training"] if before else None
        of_seed = {**chosen, "seed": seed}
        for painting in train(prepared.scene, of_seed, device, every, state, wanted(side), sparing):
            if due(painting.iteration, every, chosen):
                paintings[painting.iteration] = painting.cells
            keep_or_end(side, partial(_refit_state, painting, paintings))
        members = [paintings[checked] for checked in spread_over(paintings, iterations)]
        image, spread = model_and_spread(members, prepared, scan)
        return members[-1], grey(image), spread.astype(np.float64) ** 2

    cells, images, squares = zip(*side_by_side(trained, seeds, device), strict=True)
    # Paintings, not images: of counts the logarithms.
    model = painted(np.mean(cells, axis=0), prepared, scan)
    apart = pool(np.stack(images))[1] if len(images) > 1 else np.zeros_like(images[0])
    return Refitted(model, np.sqrt(np.mean(squares, axis=0)).astype(np.float32), apart)


def _refit_state(painting: Painting, paintings: Mapping[int, NDArray[np.float32]]) -> State:
    cells = {done: torch.from_numpy(painted) for done, painted in paintings.items()}
    return {"training": painting.state(), "cells": cells}


def check_by_thinning(
    scan: Pattern, hyperparameters: Mapping[str, Any], iterations: int, device: torch.device
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
