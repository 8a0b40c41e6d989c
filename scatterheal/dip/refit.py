"""The run that scored best, trained again on all valid pixels; and a check of overfitting that needs no hole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from scatterheal.compute.checkpoint import SideFile
from scatterheal.compute.side_by_side import side_by_side
from scatterheal.counts.deviance import deviance, expected_deviance
from scatterheal.counts.ensemble import pool
from scatterheal.counts.thinning import thin
from scatterheal.dip.fold import Fold
from scatterheal.dip.inpaint import Training
from scatterheal.dip.scene import painted, prepare
from scatterheal.dip.spread import grey, model_and_spread
from scatterheal.pattern.pattern import Pattern
from scatterheal.settings.models import Fit


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
    chosen: Fit,
    iterations: int,
    seeds: Sequence[int],
    device: torch.device,
    sides: Mapping[int, SideFile] | None = None,
    at_once: int | None = None,
) -> Refitted:
    """Train on all valid pixels, for as many iterations as the hidden pixels told, once with each seed.

    Parameters
    ----------
    scan, chosen, device
        As for `scatterheal.dip.inpaint.inpaint`.
    iterations : int
    seeds : sequence of int
    sides : mapping, optional
        Where the state of each seed's training is kept.
    at_once : int, optional
        On a CPU: so many of them side by side, each in a thread.

    Returns
    -------
    Refitted

    Raises
    ------
    ScanError
        There is less memory than a training takes.
    SystemExit
        The job was told to end.
    """
    # Nothing is hidden, and so nothing stops it.
    chosen = chosen.model_copy(update={"iterations": iterations, "stop": "end"})
    prepared, nothing = prepare(scan, ~scan.missing, chosen), np.zeros(scan.missing.shape, np.uint16)

    def trained(seed: int) -> tuple[NDArray, NDArray, NDArray]:
        fold = Fold(scan, nothing, chosen.model_copy(update={"seed": seed}), prepared)
        training = Training(scan, [fold], chosen, device, side=sides[seed] if sides else None)
        training.advance()
        (members,) = training.members()
        image, spread = model_and_spread(members, prepared, scan)
        return members[-1], grey(image), spread.astype(np.float64) ** 2

    cells, images, squares = zip(*side_by_side(trained, seeds, device, at_once), strict=True)
    # Paintings, not images: of counts the logarithms.
    model = painted(np.mean(cells, axis=0), prepared, scan)
    apart = pool(np.stack(images))[1] if len(images) > 1 else np.zeros_like(images[0])
    return Refitted(model, np.sqrt(np.mean(squares, axis=0)).astype(np.float32), apart)


def check_by_thinning(scan: Pattern, chosen: Fit, iterations: int, device: torch.device) -> dict[str, float] | None:
    """A check of overfitting without any hole: fit one half of every pixel's counts, and look at the other half.

    Parameters
    ----------
    scan, chosen, device
        As for `scatterheal.dip.inpaint.inpaint`.
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
    seen, unseen = thin(np.where(valid, scan.image, 0), 0.5, chosen.seed)
    rate = refit(scan._replace(image=seen), chosen, iterations, [chosen.seed], device).model
    floor = expected_deviance(rate[valid]).mean()
    return {
        name: float(deviance(half[valid], scan.flags[valid], rate[valid]).mean() / floor)
        for name, half in (("seen", seen), ("unseen", unseen))
    }
