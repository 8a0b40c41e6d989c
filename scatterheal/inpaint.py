"""One run on one scan, from its pixels to its healed image and its scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from scatterheal import fit, holdout, working
from scatterheal.errors import ScanError
from scatterheal.scale import Scale, from_unit, to_unit


class Inpainted(NamedTuple):
    """What a run leaves behind, at the scan's own resolution."""

    healed: NDArray
    """The scan with its missing pixels taken from the network; type and valid values as in the scan."""
    model: NDArray[np.float32]
    """The network's own image, in the scan's unit."""
    snapshots: dict[int, NDArray[np.float32]]
    """The network's image after 0, k, 2k, ... iterations, at the working size."""
    losses: NDArray[np.float32]
    """The training loss of every iteration."""
    metrics: dict[str, Any]
    """Scores; hidden_mse is the one to choose by."""


def inpaint(
    image: NDArray,
    missing: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
    hyperparameters: Mapping[str, Any],
    device: torch.device,
    scale: Scale,
    truth: NDArray | None = None,
) -> Inpainted:
    """Heal a scan with one set of hyperparameters, and score it on the hidden pixels.

    Parameters
    ----------
    image : uint8 array (height, width, 3) or float32 array (height, width)
        Colours of a figure, or counts or values.
    missing : bool array (height, width)
        The holes.
    hidden : bool array (height, width)
        Valid pixels that the training does not see.
    hyperparameters : mapping
        Every field of `scatterheal.config.Fit` but device.
    device : torch.device
        Where to train.
    scale : Scale
        Which numbers of the image become 0 and 1.
    truth : array like image, optional
        The scan without holes and noise, where it is known.

    Returns
    -------
    Inpainted

    Raises
    ------
    ScanError
        max_side is so small that no known pixel is left.
    """
    size = working.working_size(missing.shape, hyperparameters["max_side"])
    # What stands in missing pixels may be anything, also not a number: it must not reach its neighbours.
    known_values = np.where(missing if image.ndim == 2 else missing[..., None], 0, image)
    small = to_unit(working.shrink(known_values, size), scale)
    known = ~working.shrink_missing(missing | hidden, size)
    if not known.any():
        raise ScanError(
            f"fit.max_side: at {hyperparameters['max_side']} pixels every pixel touches a hole; use a larger one"
        )
    fitted = fit.fit(small, known, hyperparameters, device)

    unit = to_unit(known_values, scale)
    scores = {}
    # In the order of the iterations: the last painting is the run's own.
    for iteration, small_painting in fitted.snapshots.items():
        painted = working.enlarge(small_painting, missing.shape)
        scores[iteration] = holdout.score(painted, unit, ~(missing | hidden), hidden)
    metrics = {
        **scores[len(fitted.losses)]._asdict(),
        "hidden_pixels": int(hidden.sum()),
        "hidden_mse_after": {iteration: score.hidden_mse for iteration, score in scores.items()},
    }
    if truth is not None:
        # A figure's truth says nothing where its colour is off the map.
        squares = (painted - to_unit(truth, scale))[missing] ** 2
        metrics["truth_mse"] = float(squares[np.isfinite(squares)].mean())
    model = from_unit(painted, scale)
    return Inpainted(
        healed=overlay(image, missing, model),
        model=model,
        snapshots={iteration: from_unit(small, scale) for iteration, small in fitted.snapshots.items()},
        losses=fitted.losses,
        metrics=metrics,
    )


def overlay(image: NDArray, missing: NDArray[np.bool_], model: NDArray[np.float32]) -> NDArray:
    """The known pixels of the scan, bit by bit, and only the missing ones from the network.

    Parameters
    ----------
    image : uint8 array (height, width, 3) or float32 array (height, width)
    missing : bool array (height, width)
    model : float32 array like image

    Examples
    --------
    >>> model = np.float32([[[1, 1, 1], [2.6, 3, 300]]])
    >>> overlay(np.uint8([[[7, 8, 9], [0, 0, 0]]]), np.array([[False, True]]), model).tolist()
    [[[7, 8, 9], [3, 3, 255]]]
    """
    healed = image.copy()
    values = model[missing]
    if image.dtype == np.uint8:
        values = np.clip(np.round(values), 0, 255)
    healed[missing] = values.astype(image.dtype)
    return healed
