"""Which detector a frame is of, and where its gaps are."""

from __future__ import annotations

import logging
import math
import re
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scatterheal.errors import ScanError
from scatterheal.pattern.found import FoundDetector

Missing = NDArray[np.bool_]

# Chance that noise alone leaves all gaps of a detector empty.
FALSE_ALARM = 0.01


def detector_gaps(name: str, shape: tuple[int, int]) -> Missing:
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
    _quiet()
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
    # Not `dynamic_mask`, which writes the frame's codes into the detector's own mask.
    gaps = detector.calc_mask()
    return np.zeros(shape, bool) if gaps is None else np.asarray(gaps) != 0


def find_detector(counts: NDArray[np.float32], header_name: str | None) -> FoundDetector | None:
    """The detector that a frame comes from, by its shape, its empty gaps, and its name in the header.

    Of the detectors in pyFAI's tables with the frame's shape those are left whose gaps hold nothing
    here: codes, zeros or non-finite values. One that the header names is taken. Of others, the
    gaps must not be empty by chance: where a share p of the pixels along their edges is empty too,
    n independent gap pixels are all empty with the chance p^n. Of several such detectors that
    with the largest gaps is meant: a frame of one with smaller gaps holds counts in the difference.

    Parameters
    ----------
    counts : float32 array (height, width)
        The whole frame.
    header_name : str or None
        As in the file, such as "PILATUS3 S 1M, S/N 10-0120" or "Dectris EIGER2 CdTe 4M".

    Returns
    -------
    found : FoundDetector or None
        None where no detector of this shape fits: one whose gaps hold counts never does.

    Examples
    --------
    >>> counts = np.ones((619, 487), np.float32)
    >>> find_detector(counts, None) is None
    True
    >>> counts[195:212] = counts[407:424] = 0
    >>> find_detector(counts, None)
    FoundDetector(name='Pilatus300k', sure='its 16558 gap pixels hold nothing, 0.0 % of those beside them')
    >>> find_detector(counts, "PILATUS3 R 300K, S/N 3-0101").sure
    'named in the header; its 16558 gap pixels hold nothing, 0.0 % of those beside them'
    """
    empty = ~(np.isfinite(counts) & (counts > 0))
    named = _model(header_name or "")
    fitting = []
    for name in _names_of_shape(counts.shape):
        gaps = detector_gaps(name, counts.shape)
        if not empty[gaps].all():
            continue
        beside = ndimage.binary_dilation(gaps, np.ones((3, 3), bool)) & ~gaps
        share = float(empty[beside].mean()) if gaps.any() else 1.0
        sure = f"its {gaps.sum()} gap pixels hold nothing, {share:.1%} of those beside them".replace("%", " %")
        if named and _model(name) == named:
            sure = f"named in the header; {sure}" if gaps.any() else "named in the header; it has no gaps"
            return FoundDetector(name, sure)
        if share == 0 or gaps.sum() * math.log(share) < math.log(FALSE_ALARM):
            fitting.append((int(gaps.sum()), FoundDetector(name, sure)))
    return max(fitting)[1] if fitting else None


def _names_of_shape(shape: tuple[int, int]) -> list[str]:
    _quiet()
    from pyFAI.detectors import Detector

    return sorted({kind.__name__ for kind in Detector.registry.values() if getattr(kind, "MAX_SHAPE", None) == shape})


def _model(name: str) -> tuple[str, ...] | None:
    """Family, sensor and size of a Dectris detector, however its name is spelt.

    >>> _model("PILATUS3 X CdTe 300K-W, S/N 1"), _model("PilatusCdTe300kw"), _model("Dectris Eiger2 Si 4M")
    (('pilatus', 'cdte', '300kw'), ('pilatus', 'cdte', '300kw'), ('eiger2', '', '4m'))
    """
    # A digit right behind the family is its generation, unless it begins the size (Pilatus300k).
    found = re.search(r"(pilatus|eiger)(\d(?!\d*[mk]))?.*?(\d+[mk])[-_ ]*(w\b)?", name.lower())
    if not found:
        return None
    family, generation, size, wide = found.groups(default="")
    # Pilatus, Pilatus2 and Pilatus3 have the same modules.
    generation = "" if family == "pilatus" and generation in ("2", "3") else generation
    return family + generation, "cdte" if "cdte" in name.lower() else "", size + wide


def _quiet() -> None:
    """What these packages say on import and on failure (no OpenCL, the whole registry) helps nobody here."""
    for package in ("pyFAI", "silx"):
        logging.getLogger(package).setLevel(logging.CRITICAL)
