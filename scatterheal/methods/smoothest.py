"""The smoothest surface through the pixels at the holes' edges."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scatterheal.methods.arrays import Centre, Image, Known

# Standard deviation, pixels, of the smoothing before biharmonic_smooth: its holes' edges are noise otherwise.
SMOOTHING = 1.5


def to_log(filled: Image, is_counts: bool) -> Image:
    """The scale on which methods without a notion of counts work: log(1 + n) of counts, else the values."""
    return np.log1p(filled) if is_counts else filled


def from_log(healed: Image, is_counts: bool) -> Image:
    """Back from that scale."""
    return np.expm1(healed) if is_counts else healed


def biharmonic(filled: Image, known: Known, centre: Centre | None, is_counts: bool) -> Image:
    """The smoothest surface through the pixels at the holes' edges."""
    from skimage.restoration import inpaint_biharmonic

    healed = inpaint_biharmonic(to_log(filled, is_counts).astype(np.float64), ~known)
    return np.where(known, filled, from_log(healed, is_counts))


def biharmonic_smooth(filled: Image, known: Known, centre: Centre | None, is_counts: bool) -> Image:
    """The same through a local mean of the known pixels."""
    share = ndimage.gaussian_filter(known.astype(np.float32), SMOOTHING)
    mean = ndimage.gaussian_filter(np.where(known, filled, 0), SMOOTHING) / np.maximum(share, 1e-6)
    return biharmonic(np.where(known, mean, filled), known, centre, is_counts)
