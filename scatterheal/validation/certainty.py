"""How sure each healed pixel is, and whether that holds: all that is said of one healing."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.pixels import BEAMSTOP
from scatterheal.pattern.units import luminance
from scatterheal.validation.calibration import Calibration, Fold, calibrate, reach, sd_image
from scatterheal.validation.coverage import Coverage, coverage


class Certainty(NamedTuple):
    """How sure each pixel of a healed scan is."""

    rate: NDArray[np.float32]
    """(height, width): what is as sure as that: what heals the scan, of colours their luminance."""
    sd: NDArray[np.float32]
    """(height, width): of a healed pixel the standard deviation of its expected count (or value), of a valid one that
    of its count; NaN where nothing tells."""
    beyond: NDArray[np.bool_]
    """(height, width): missing pixels behind the beamstop, or farther from a valid one than any hidden pixel was."""
    distance: NDArray[np.float32]
    """(height, width): to the nearest valid pixel, pixels; 0 at valid ones."""
    calibration: Calibration
    coverage: Coverage


def certainty(
    scan: Pattern,
    reasons: NDArray[np.integer],
    hidden: NDArray[np.integer],
    models: NDArray[np.float32],
    spreads: NDArray[np.float32],
    model: NDArray[np.float32],
    spread: NDArray[np.float32],
    apart: NDArray[np.float32],
) -> Certainty:
    """Say how sure each healed pixel is, by what the same run said of the pixels that were hidden from it.

    Parameters
    ----------
    scan : Pattern
    reasons : integer array (height, width)
        Why each pixel is missing.
    hidden : integer array (folds, height, width)
        The valid pixels that each fold did not see.
    models : float32 array (folds, height, width) or (folds, height, width, 3)
        What the run says without each fold's hidden pixels, in the scan's unit.
    spreads : float32 array (folds, height, width)
        Their standard deviations while they were trained; 0 of a method that is no network.
    model : float32 array (height, width) or (height, width, 3)
        What heals the scan: the same run, of all valid pixels.
    spread, apart : float32 arrays (height, width)
        From `scatterheal.dip.refit.refit`: its standard deviation while it was trained, and between its seeds.

    Returns
    -------
    Certainty
        Of colours: of their luminance, 0..255.
    """
    image = scan.image
    unit: Literal["counts", "values"] = "counts" if scan.scale.unit == "counts" else "values"
    if image.ndim == 3:
        image, model = luminance(image), luminance(model.clip(0, 255).astype(np.uint8))
        models = np.stack([luminance(of_fold.clip(0, 255).astype(np.uint8)) for of_fold in models])
    valid, unseen = ~scan.missing, hidden > 0
    folds = [Fold(*of_fold) for of_fold in zip(models, spreads, unseen, strict=True)]
    calibration = calibrate(image, scan.flags, folds, unit)
    distance, beyond = reach(valid, list(unseen))
    # No copy of the beamstop lies where the beam is: what is painted there goes beyond all that is known.
    beyond |= reasons & BEAMSTOP > 0
    sd = sd_image(calibration, model, spread, apart, image, scan.flags, valid, beyond)
    return Certainty(model, sd, beyond, distance, calibration, coverage(image, scan.flags, folds, unit))
