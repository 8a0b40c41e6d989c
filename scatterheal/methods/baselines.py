"""The methods that are no network, by name."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib.util import find_spec
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scatterheal.errors import ScanError
from scatterheal.methods.arrays import Centre, Image, Known
from scatterheal.pattern.units import PSEUDO_COUNTS
from scatterheal.settings.methods import BASELINES


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
        One of `scatterheal.settings.methods.BASELINES`.
    image : float32 array (height, width), or float32 or uint8 array (height, width, 3)
        Counts (negative ones count as 0), values, or colours 0..255, each channel of which is healed on its own.
        Anything, also NaN, in missing pixels.
    known : bool array (height, width)
        The pixels to go by.
    centre : (x, y) or None
        Of the beam, pixels; some methods need it.
    unit : {"counts", "values", "colours"}
        What the numbers are.

    Returns
    -------
    healed : float32 array like image
        In known pixels the method's own smooth image where it makes one, else the image.
        Not negative where the unit is counts. The same input gives the same output.

    Raises
    ------
    ScanError
        No method of that name, one whose package is not installed, no known pixel, or no centre for a method that needs
        one.

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
    if method not in BASELINES:
        raise ScanError(f"methods: there is no {method!r}; use one of {', '.join(BASELINES)}")
    if not known.any():
        raise ScanError(f"methods: {method} has no known pixel to go by; make the mask smaller")
    if centre is None and BASELINES[method].needs_centre:
        raise ScanError(f"methods: {method} needs the beam centre; give centre: [x, y], or leave this method out")
    if image.ndim == 3:
        channels = [heal(method, channel, known, centre, "values") for channel in np.moveaxis(image, 2, 0)]
        return np.stack(channels, axis=2)
    function = _function(method)
    filled = np.where(known, image, image[known].min()).astype(np.float32)
    if unit == "counts":
        filled = np.maximum(filled, 0)
        return np.maximum(function(filled, known, centre, True), 0).astype(np.float32)
    low = float(filled.min())
    stretch = PSEUDO_COUNTS / max(float(filled.max()) - low, 1e-12)
    healed = function((filled - np.float32(low)) * np.float32(stretch), known, centre, False)
    healed = (healed / stretch + low).astype(np.float32)
    return healed if BASELINES[method].is_smooth else np.where(known, image, healed).astype(np.float32)


def _function(method: str) -> Callable[[Image, Known, Centre | None, bool], Image]:
    """A method's function; its module is imported now."""
    baseline = BASELINES[method]
    if baseline.package and find_spec(baseline.package) is None:
        remedy = f"pip install 'scatterheal[{baseline.extra}]', or leave this method out"
        raise ScanError(f"methods: {method} needs {baseline.package}, which is not installed; {remedy}")
    return pkgutil.resolve_name(baseline.function)
