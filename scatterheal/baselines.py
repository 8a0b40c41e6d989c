"""The methods that the Deep Image Prior has to beat: what heals holes in the field, and in image processing."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scatterheal.errors import ScanError
from scatterheal.liu2017 import liu2017
from scatterheal.polar_smooth import choose_kernels, polar_smooth, radial_mean
from scatterheal.scale import PSEUDO_COUNTS

Image = NDArray[np.float32]
Missing = NDArray[np.bool_]
Centre = tuple[float, float]

# Standard deviation, pixels, of the smoothing before biharmonic_smooth: its holes' edges are noise otherwise.
SMOOTHING = 1.5
# Radius, pixels, of the neighbourhood that OpenCV's two methods look at.
REACH = 5
# Radii (the fewest) and azimuths of pyFAI's polar image, and the width of its radial bins, pixels (the most).
RADII, AZIMUTHS, BIN = 512, 512, 1.5


def heal(
    method: str,
    image: NDArray,
    known: NDArray[np.bool_],
    centre: Centre | None,
    unit: Literal["counts", "values", "colours"] = "counts",
) -> Image:
    """What a method believes of an image's missing pixels.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    image : float32 array (height, width), or float32 or uint8 array (height, width, 3)
        Counts (negative ones count as 0), values, or colours 0..255, each channel of which is healed on its own.
        Anything, also NaN, in missing pixels.
    known : bool array (height, width)
        The pixels to go by.
    centre : (x, y) or None
        Of the beam, pixels; the methods in `NEED_CENTRE` need it.
    unit : {"counts", "values", "colours"}
        What the numbers are.

    Returns
    -------
    healed : float32 array like image
        In known pixels the method's own smooth image where it makes one (those in `SMOOTH`), else the image.
        Not negative where the unit is counts. The same input gives the same output.

    Raises
    ------
    ScanError
        No method of that name, no known pixel, or no centre for a method that needs one.

    References
    ----------
    biharmonic: Damelin and Hoang, Int. J. Math. Math. Sci. (2018) 3950312; by scikit-image.
    telea: Telea, J. Graph. Tools 9 (2004) 23-34. navier_stokes: Bertalmio, Bertozzi and Sapiro, CVPR (2001)
    355-362; both by OpenCV. pyfai: Ashiotis et al., J. Appl. Cryst. 48 (2015) 510-519.
    liu2017: Liu et al., IUCrJ 4 (2017) 455-465, see `scatterheal.liu2017`.

    Examples
    --------
    >>> image = np.float32([[1, 1, 5, 1, 1]] * 5); known = image == 1
    >>> heal("telea", image, known, None)[2].tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    if method not in METHODS:
        raise ScanError(f"methods: there is no {method!r}; use one of {', '.join(METHODS)}")
    if not known.any():
        raise ScanError(f"methods: {method} has no known pixel to go by; make the mask smaller")
    if centre is None and method in NEED_CENTRE:
        raise ScanError(f"methods: {method} needs the beam centre; give centre: [x, y], or leave this method out")
    if image.ndim == 3:
        channels = [heal(method, channel, known, centre, "values") for channel in np.moveaxis(image, 2, 0)]
        return np.stack(channels, axis=2)
    filled = np.where(known, image, image[known].min()).astype(np.float32)
    if unit == "counts":
        filled = np.maximum(filled, 0)
        return np.maximum(METHODS[method](filled, known, centre, True), 0).astype(np.float32)
    low = float(filled.min())
    stretch = PSEUDO_COUNTS / max(float(filled.max()) - low, 1e-12)
    healed = METHODS[method]((filled - np.float32(low)) * np.float32(stretch), known, centre, False)
    healed = (healed / stretch + low).astype(np.float32)
    return healed if method in SMOOTH else np.where(known, image, healed).astype(np.float32)


def _to_log(filled: Image, is_counts: bool) -> Image:
    """The scale on which methods without a notion of counts work: log(1 + n) of counts, else the values."""
    return np.log1p(filled) if is_counts else filled


def _from_log(healed: Image, is_counts: bool) -> Image:
    return np.expm1(healed) if is_counts else healed


def _biharmonic(filled: Image, known: Missing, centre: Centre | None, is_counts: bool) -> Image:
    """The smoothest surface through the pixels at the holes' edges."""
    from skimage.restoration import inpaint_biharmonic

    healed = inpaint_biharmonic(_to_log(filled, is_counts).astype(np.float64), ~known)
    return np.where(known, filled, _from_log(healed, is_counts))


def _biharmonic_smooth(filled: Image, known: Missing, centre: Centre | None, is_counts: bool) -> Image:
    """The same through a local mean of the known pixels."""
    share = ndimage.gaussian_filter(known.astype(np.float32), SMOOTHING)
    mean = ndimage.gaussian_filter(np.where(known, filled, 0), SMOOTHING) / np.maximum(share, 1e-6)
    return _biharmonic(np.where(known, mean, filled), known, centre, is_counts)


def _opencv(flag: str) -> Callable[[Image, Missing, Centre | None, bool], Image]:
    def inpaint(filled: Image, known: Missing, centre: Centre | None, is_counts: bool) -> Image:
        import cv2

        levels = _to_log(filled, is_counts)
        step = float(levels.max()) / 255 or 1.0
        levels = np.round(levels / step).astype(np.uint8)
        healed = cv2.inpaint(levels, (~known).astype(np.uint8), REACH, getattr(cv2, flag))
        return np.where(known, filled, _from_log(healed.astype(np.float32) * step, is_counts))

    return inpaint


def _pyfai(filled: Image, known: Missing, centre: Centre, is_counts: bool) -> Image:
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


def _polar_smooth(filled: Image, known: Missing, centre: Centre, is_counts: bool) -> Image:
    return polar_smooth(filled, known, centre, *choose_kernels(filled, known, centre))


def _radial_mean(filled: Image, known: Missing, centre: Centre, is_counts: bool) -> Image:
    return radial_mean(filled, known, centre)


def _liu2017(filled: Image, known: Missing, centre: Centre, is_counts: bool) -> Image:
    return liu2017(filled, known, centre)


METHODS = {
    "biharmonic": _biharmonic,
    "biharmonic_smooth": _biharmonic_smooth,
    "telea": _opencv("INPAINT_TELEA"),
    "navier_stokes": _opencv("INPAINT_NS"),
    "pyfai": _pyfai,
    "polar_smooth": _polar_smooth,
    "radial_mean": _radial_mean,
    "liu2017": _liu2017,
}
NEED_CENTRE = frozenset({"pyfai", "polar_smooth", "radial_mean", "liu2017"})
SMOOTH = frozenset({"biharmonic_smooth", "polar_smooth", "radial_mean"})
