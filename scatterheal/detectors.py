"""Pixels that a detector cannot measure: gaps between its modules, saturated and dead pixels."""

from __future__ import annotations

import logging
import math
import re
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, special

from scatterheal.errors import ScanError

Missing = NDArray[np.bool_]

# Chance that noise alone leaves all gaps of a detector empty, or makes one dead pixel in a whole frame.
FALSE_ALARM = 0.01
# A dead pixel holds less than this share of what surrounds it.
DEAD_SHARE = 0.1


class Found(NamedTuple):
    """A detector told by its frame."""

    name: str
    """pyFAI's name, for `detector_gaps`."""
    sure: str
    """What speaks for it, in words and numbers."""


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


def find_detector(counts: NDArray[np.float32], header_name: str | None) -> Found | None:
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
    found : Found or None
        None where no detector of this shape fits: one whose gaps hold counts never does.

    Examples
    --------
    >>> counts = np.ones((619, 487), np.float32)
    >>> find_detector(counts, None) is None
    True
    >>> counts[195:212] = counts[407:424] = 0
    >>> find_detector(counts, None)
    Found(name='Pilatus300k', sure='its 16558 gap pixels hold nothing, 0.0 % of those beside them')
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
            return Found(name, f"named in the header; {sure}" if gaps.any() else "named in the header; it has no gaps")
        if share == 0 or gaps.sum() * math.log(share) < math.log(FALSE_ALARM):
            fitting.append((int(gaps.sum()), Found(name, sure)))
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


def saturated(counts: NDArray[np.float32], count_cutoff: float) -> Missing:
    """Pixels that hold as many counts as the detector can tell.

    Parameters
    ----------
    counts : float32 array (height, width)
        One frame, not a sum.
    count_cutoff : float
        Counts from which on a pixel is saturated, from the file's header.

    Examples
    --------
    >>> saturated(np.float32([[1, 1048574, 1048575]]), 1048574).tolist()
    [[False, True, True]]
    """
    return counts >= count_cutoff


def dead_pixels(counts: NDArray[np.float32], missing: Missing) -> Missing:
    """Pixels, single or in clusters of up to six, that hold far too few counts for where they are.

    A candidate holds less than a tenth of the median of its 24 neighbours in a 5 x 5 window (12 of which must
    be known), and so few counts that a Poisson variable of that mean would do so once in a hundred whole
    frames. It is dead when its cluster has at most six pixels, when the same holds against the darkest known
    pixel beside the cluster, and when that one has half of the median: the edge of a shadow, a thin
    wire, the valley between two rings and the zeros of an oversampled speckle pattern go on or fade beside it.
    Where fewer than about 25 counts are usual none can be told; a few zeros of speckles smaller than
    four pixels look dead.

    Parameters
    ----------
    counts : float32 array (height, width)
        Photon counts.
    missing : bool array (height, width)
        Pixels that say nothing, such as gaps and codes.

    Returns
    -------
    dead : bool array (height, width)

    Examples
    --------
    >>> counts = np.full((9, 9), 100, np.float32); counts[4, 4] = 2
    >>> np.argwhere(dead_pixels(counts, counts < 0)).tolist()
    [[4, 4]]
    >>> wire = np.full((20, 20), 100, np.float32); wire[4, 4:] = 2
    >>> int(dead_pixels(wire, wire < 0).sum())
    0
    """
    known = ~missing & (counts >= 0) & np.isfinite(counts)
    # Unknown pixels rank behind all others.
    bright = np.where(known, counts, np.inf)
    neighbours = np.ones((5, 5), bool)
    neighbours[2, 2] = False
    median = ndimage.rank_filter(bright, rank=11, footprint=neighbours, mode="mirror")
    chance = FALSE_ALARM / counts.size
    # With fewer than 12 known neighbours the median is infinite, and no count too few for it.
    candidates = known & _too_few(counts, median, chance)
    clusters, count = ndimage.label(candidates, np.ones((3, 3), bool))
    small = np.bincount(clusters.ravel(), minlength=count + 1)[clusters] <= 6
    beside = ndimage.minimum_filter(np.where(candidates, np.inf, bright), 3, mode="mirror")
    darkest_beside = ndimage.minimum(beside, clusters, range(count + 1))[clusters]
    return candidates & small & _too_few(counts, darkest_beside, chance) & (darkest_beside > median / 2)


def _too_few(counts: NDArray[np.float32], usual: NDArray[np.float32], chance: float) -> Missing:
    """Whether counts lie below a tenth of what is usual, and below it by more than Poisson noise explains."""
    low = np.isfinite(usual) & (counts < DEAD_SHARE * usual)
    low[low] = special.pdtr(np.maximum(counts[low], 0), usual[low]) < chance
    return low


def _quiet() -> None:
    """What these packages say on import and on failure (no OpenCL, the whole registry) helps nobody here."""
    for package in ("pyFAI", "silx"):
        logging.getLogger(package).setLevel(logging.CRITICAL)
