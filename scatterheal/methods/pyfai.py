"""pyFAI's inpainting."""

from __future__ import annotations

import logging
import math

import numpy as np

from scatterheal.methods.arrays import Centre, Image, Known
from scatterheal.methods.polar_smooth import radial_mean

# Radii (the fewest) and azimuths of pyFAI's polar image, and the width of its radial bins, pixels (the most).
RADII, AZIMUTHS, BIN = 512, 512, 1.5


def pyfai(filled: Image, known: Known, centre: Centre, is_counts: bool) -> Image:
    """Each missing polar bin from the nearest valid ones of its ring."""
    for package in ("pyFAI", "silx"):
        logging.getLogger(package).setLevel(logging.CRITICAL)
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    pixel = 1e-4
    # pyFAI counts pixels from the outer edge of the first one.
    beam = {"poni1": (centre[1] + 0.5) * pixel, "poni2": (centre[0] + 0.5) * pixel}
    detector = Detector(pixel1=pixel, pixel2=pixel, max_shape=filled.shape)
    integrator = AzimuthalIntegrator(dist=1, **beam, detector=detector)
    data, mask = np.ascontiguousarray(filled), np.ascontiguousarray(~known, np.int8)
    farthest = np.hypot(*(max(at, side - at) for at, side in zip(centre[::-1], filled.shape, strict=True)))
    radii = max(RADII, math.ceil(farthest / BIN))
    healed = integrator.inpainting(data, mask, npt_rad=radii, npt_azim=AZIMUTHS, poissonian=False)
    # Its first polar bin may be empty: the pixel that the beam meets would be zero.
    y, x = np.ogrid[: filled.shape[0], : filled.shape[1]]
    empty = (healed <= 0) & (np.hypot(x - centre[0], y - centre[1]) < BIN)
    healed = np.where(empty, radial_mean(filled, known, centre), healed)
    return np.where(known, filled, healed)
