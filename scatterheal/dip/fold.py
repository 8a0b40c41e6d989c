"""One training of a run, and the pixels that judge it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scatterheal.counts.deviance import deviance
from scatterheal.dip.scene import Prepared, prepare
from scatterheal.errors import ScanError
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.units import to_unit
from scatterheal.polar.canvas import View


class Fold:
    """One training, and the pixels that judge it."""

    def __init__(
        self,
        scan: Pattern,
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
