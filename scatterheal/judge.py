"""What a method has painted: its scores on hidden pixels, and the scan with its holes filled by it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from scatterheal import scores
from scatterheal.exposure import Exposure
from scatterheal.scale import to_unit


def judge(
    scan: Exposure, models: NDArray[np.float32], hidden: NDArray[np.uint8], truth: NDArray | None = None
) -> dict[str, Any]:
    """Score what a method says of each fold's hidden pixels.

    Parameters
    ----------
    scan : Exposure
    models : float32 array (folds, height, width) or (folds, height, width, 3)
        What it says of all pixels, in the scan's unit.
    hidden : uint8 array (folds, height, width)
        The pixels that it did not see.
    truth : array like the scan's image, optional

    Returns
    -------
    metrics : dict
        From `scatterheal.scores`; with a truth also truth_error, the median relative error of the hidden pixels (of
        counts), and truth_mse, the mean squared error of the missing ones in the image's range.
    """
    each = []
    for model, hidden_of in zip(models, hidden, strict=True):
        known = ~scan.missing & (hidden_of == 0)
        if scan.scale.unit == "counts":
            each.append(scores.score_counts(scan.image, scan.flags, model, known, hidden_of, scan.centre))
        else:
            unit = (to_unit(image, scan.scale) for image in (model, scan.image))
            each.append(scores.score_values(*unit, known, hidden_of))
    metrics = scores.combine(each)
    if truth is not None:
        apart = np.mean([to_unit(model, scan.scale) - to_unit(truth, scan.scale) for model in models], axis=0)
        # A figure's truth says nothing where its colour is off the map.
        squares = apart[scan.missing] ** 2
        metrics["truth_mse"] = float(squares[np.isfinite(squares)].mean())
        if scan.scale.unit == "counts":
            off = [np.abs(model / truth - 1)[where > 0] for model, where in zip(models, hidden, strict=True)]
            metrics["truth_error"] = float(np.nanmedian(np.concatenate(off)))
    return metrics


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
