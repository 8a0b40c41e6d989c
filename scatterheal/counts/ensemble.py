"""Mean and spread of an ensemble."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from scatterheal.errors import ScanError

# A few members scatter by chance; the mean square of their spread over this many pixels (Gaussian sd) does less.
POOLED = 2.0


def pool(rates: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and spread of an ensemble.

    Parameters
    ----------
    rates : float32 array (members, height, width)
        Expected counts, or values, from fits that differ in their seed, in how long they ran, or in what they saw.

    Returns
    -------
    rate, spread : float32 arrays (height, width)
        Their mean, and their standard deviation, smoothed over about `POOLED` pixels.

    Raises
    ------
    ScanError
        Fewer than two members.

    Examples
    --------
    >>> rate, spread = pool(np.float32([np.full((4, 4), 3), np.full((4, 4), 5)]))
    >>> rate[0, 0].item(), round(spread[0, 0].item(), 3)
    (4.0, 1.414)
    """
    if len(rates) < 2:
        raise ScanError(f"an ensemble of {len(rates)} has no spread; fit at least two (other seeds)")
    variance = ndimage.gaussian_filter(rates.var(axis=0, ddof=1, dtype=np.float64), POOLED)
    return rates.mean(axis=0, dtype=np.float64).astype(np.float32), np.sqrt(variance).astype(np.float32)
