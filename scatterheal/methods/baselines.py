"""The methods that are no network, by name."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scatterheal.errors import ScanError
from scatterheal.methods.liu2017 import liu2017
from scatterheal.methods.polar_smooth import choose_kernels, polar_smooth, radial_mean
from scatterheal.methods.pyfai import pyfai
from scatterheal.methods.smoothest import Centre, Image, Missing, biharmonic, biharmonic_smooth, opencv
from scatterheal.pattern.units import PSEUDO_COUNTS


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
    liu2017: Liu et al., IUCrJ 4 (2017) 455-465, see `scatterheal.methods.liu2017`.

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


def _polar_smooth(filled: Image, known: Missing, centre: Centre, is_counts: bool) -> Image:
    return polar_smooth(filled, known, centre, *choose_kernels(filled, known, centre))


def _radial_mean(filled: Image, known: Missing, centre: Centre, is_counts: bool) -> Image:
    return radial_mean(filled, known, centre)


def _liu2017(filled: Image, known: Missing, centre: Centre, is_counts: bool) -> Image:
    return liu2017(filled, known, centre)


METHODS = {
    "biharmonic": biharmonic,
    "biharmonic_smooth": biharmonic_smooth,
    "telea": opencv("INPAINT_TELEA"),
    "navier_stokes": opencv("INPAINT_NS"),
    "pyfai": pyfai,
    "polar_smooth": _polar_smooth,
    "radial_mean": _radial_mean,
    "liu2017": _liu2017,
}
NEED_CENTRE = frozenset({"pyfai", "polar_smooth", "radial_mean", "liu2017"})
SMOOTH = frozenset({"biharmonic_smooth", "polar_smooth", "radial_mean"})
