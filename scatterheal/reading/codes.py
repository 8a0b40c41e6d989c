"""Which large number in a frame is no count but a program's way to say that a pixel has none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# So large a share of a frame's pixels has a code, and no fewer pixels than these: a single one is hot.
SHARE, FEWEST = 0.001, 50
# A code is so many counts: no sparse frame's one or two are. A count is the smallest value, or the least step.
LARGE = 255
# Counts near it are fewer by this factor. Near are those that differ by this share; of the largest number of a frame
# those down to half of it, since round saturated pixels it is nearly as bright.
RARER, NEAR, NEAR_THE_LARGEST = 10, 0.02, 0.5
# It is so many times the mean of the others.
FAR = 3
# Candidates are told from so many pixels.
SAMPLE = 200_000


def large_codes(values: NDArray) -> list[float]:
    """Values that many pixels have, far above nearly all others, and with next to none near them.

    Programs that convert frames keep the largest number of the file's first type, 65535 of 16 bits in a frame of 32, or
    scale it with the counts.

    Parameters
    ----------
    values : real array (height, width)

    Returns
    -------
    codes : list of float
        The largest first.

    Examples
    --------
    >>> frame = np.random.default_rng(0).poisson(20, (200, 200)); frame[90:94] = 65535
    >>> large_codes(frame), large_codes(0.5 * frame), large_codes(np.minimum(frame, 25))
    ([65535.0], [32767.5], [])
    """
    flat: NDArray[np.float64] = values[np.isfinite(values) & (values > 0)].astype(np.float64)
    if not flat.size:
        return []
    sample = flat[:: max(flat.size // SAMPLE, 1)]
    often, times = np.unique(sample, return_counts=True)
    count = np.concatenate([[flat.min()], np.diff(often)]).min()
    up_to = np.concatenate([[0], np.cumsum(times)])
    beside = (
        up_to[np.searchsorted(often, (1 + NEAR) * often, "right")] - up_to[np.searchsorted(often, (1 - NEAR) * often)]
    )
    # Half as often as asked of the whole is no accident of the sample.
    likely = (times >= 0.5 * SHARE * sample.size) & (times >= 0.5 * RARER * (beside - times))
    codes: list[float] = []
    for value in often[likely & (often / count >= LARGE)][::-1]:
        others = flat[(flat != value) & ~np.isin(flat, codes)]
        near = int(np.count_nonzero(np.abs(others / value - 1) <= (NEAR_THE_LARGEST if value == flat.max() else NEAR)))
        have = int((flat == value).sum())
        if have >= max(SHARE * values.size, FEWEST, RARER * near) and others.size and value > FAR * others.mean():
            codes.append(float(value))
    return codes
