"""What every method that is no network takes and gives: see `scatterheal.settings.methods.Baseline`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""(height, width): counts, or values."""
Known = NDArray[np.bool_]
"""(height, width): the pixels to go by."""
Centre = tuple[float, float]
"""x, y of the beam, pixels."""
