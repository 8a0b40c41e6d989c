"""One training of a run, and the pixels that judge it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scatterheal.counts.deviance import deviance
from scatterheal.dip.scene import Prepared, prepare
from scatterheal.errors import ScanError
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.pixels import Bits
from scatterheal.pattern.units import to_unit
from scatterheal.polar.canvas import View
from scatterheal.settings.models import Fit


class Fold:
    """One training, and the pixels that judge it.

    Parameters
    ----------
    scan : Pattern
    hidden : integer array (height, width)
        The valid pixels that it does not see; none of them where nothing judges it.
    chosen : Fit
        The hyperparameters, with the seed of this training.
    prepared : Prepared
        The scan without its hidden pixels, as a network is fitted to it.
    """

    def __init__(
        self,
        scan: Pattern,
        hidden: Bits,
        chosen: Fit,
        prepared: Prepared,
    ) -> None:
        self.hidden, self.chosen, self.prepared = hidden, chosen, prepared
        judged = hidden > 0
        self.reads = self.prepared.scene.reads[np.flatnonzero(judged)]
        if chosen.loss == "mse":
            self.values = np.atleast_3d(to_unit(scan.image, scan.scale))[judged]
        else:
            self.values, self.flags = scan.image[judged], scan.flags[judged]
            assert prepared.start is not None, "counts are trained from a start"
            self.start = prepared.start[judged]

    def score(self, cells: NDArray[np.float32]) -> float:
        """Mean deviance, or squared error, of the hidden pixels; NaN where none is hidden."""
        if not self.reads.shape[0]:
            return np.nan
        seen = self.reads @ cells
        if self.chosen.loss == "mse":
            return float(((seen - self.values) ** 2).mean(dtype=np.float64))
        return float(deviance(self.values, self.flags, np.exp(self.start + seen[:, 0])).mean())


def folds_of(scan: Pattern, hidden: Bits, chosen: Fit, view: View) -> list[Fold]:
    """A training for each set of hidden pixels, each with a seed of its own.

    Parameters
    ----------
    scan : Pattern
    hidden : uint16 array (folds, height, width)
        From `scatterheal.validation.holdout.hide`.
    chosen : Fit
        As `scatterheal.dip.scene.settled` gives it.
    view : View
        From `scatterheal.dip.scene.view_of`.

    Raises
    ------
    ScanError
        A fold leaves no pixel to train on.
    """
    folds = []
    for k, of_fold in enumerate(hidden):
        known = ~scan.missing & (of_fold == 0)
        if not known.any():
            raise ScanError("mask: nothing is left to train on beside the hidden pixels; make it smaller")
        with_seed = chosen.model_copy(update={"seed": chosen.seed + k})
        folds.append(Fold(scan, of_fold, with_seed, prepare(scan, known, with_seed, view)))
    return folds
