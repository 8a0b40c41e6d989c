"""What a detector's geometry says is missing: the gaps between its modules."""

from __future__ import annotations

import logging
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from scatterheal.errors import ScanError


def detector_gaps(name: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The gaps between the modules of a detector, from pyFAI's tables.

    Parameters
    ----------
    name : str
        pyFAI's name of the detector.
    shape : (height, width)
        Of the whole frame, before it is cropped.

    Raises
    ------
    ScanError
        A name that pyFAI does not know, or a detector of another shape than the frame.

    Examples
    --------
    >>> gaps = detector_gaps("Pilatus300k", (619, 487))
    >>> int(gaps.sum()) == 2 * 17 * 487
    True
    """
    # What these packages say on import and on failure (no OpenCL, the whole registry) helps nobody here.
    for package in ("pyFAI", "silx"):
        logging.getLogger(package).setLevel(logging.CRITICAL)
    from pyFAI.detectors import Detector, detector_factory

    try:
        detector = detector_factory(name)
    except RuntimeError as error:
        close = get_close_matches(name.lower(), Detector.registry, n=4)
        hint = f"did you mean {' or '.join(close)}?" if close else "see pyFAI's list of detectors"
        raise ScanError(f"detector: pyFAI knows no {name!r}; {hint}") from error
    if detector.shape != shape:
        raise ScanError(
            f"detector: {name} has {detector.shape} pixels (rows, columns), the frame {shape}; "
            "name the right detector, or leave it out: negative codes and dark stripes are found without it"
        )
    gaps = detector.calc_mask()
    return np.zeros(shape, bool) if gaps is None else np.asarray(gaps) != 0
