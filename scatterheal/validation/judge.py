"""What a method has painted: its scores on hidden pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.pixels import Bits
from scatterheal.pattern.units import to_unit
from scatterheal.validation import scores
from scatterheal.validation.metrics import Metrics


def judge(scan: Pattern, models: NDArray[np.float32], hidden: Bits, truth: NDArray | None = None) -> Metrics:
    """Score what a method says of each fold's hidden pixels.

    Parameters
    ----------
    scan : Pattern
    models : float32 array (folds, height, width) or (folds, height, width, 3)
        What it says of all pixels, in the scan's unit.
    hidden : uint16 array (folds, height, width)
        The pixels that it did not see.
    truth : array like the scan's image, optional

    Returns
    -------
    Metrics
        With a truth also truth_mse and, of counts, truth_error.
    """
    each = []
    for model, hidden_of in zip(models, hidden, strict=True):
        known = ~scan.missing & (hidden_of == 0)
        if scan.scale.unit == "counts":
            each.append(scores.score_counts(scan.image, scan.flags, model, known, hidden_of, scan.centre))
        else:
            in_unit = to_unit(model, scan.scale), to_unit(scan.image, scan.scale)
            each.append(scores.score_values(*in_unit, known, hidden_of))
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
