"""The axis of a ring's orientation, and Hermans' parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scatterheal.physics.profiles import COVERED, Curve

if TYPE_CHECKING:
    import pandas as pd


class Orientation(NamedTuple):
    """How a ring's intensity is gathered round an axis."""

    axis: float
    """Direction of most intensity, degrees from x (columns) towards y (rows), 0..180."""
    axis_error: float
    """Its standard deviation."""
    hermans: float
    """f = (3 <cos^2 phi> - 1) / 2 with phi from that axis: 1 where all intensity lies on it, 0 for an even ring."""
    hermans_error: float
    """Its standard deviation."""
    hermans_across: float
    """The same with phi from the direction at right angles to the axis, which is the fibre's where the ring is a
    reflection from the fibre's equator: -1/2 where all intensity lies on that."""
    hermans_across_error: float
    """Its standard deviation."""


def orientation(profile: pd.DataFrame) -> Orientation | None:
    """Hermans' orientation parameter of I(chi), about the pattern's own axis of symmetry.

    The axis is that of the intensity's second harmonic. With phi from it, <cos^2 phi> is the mean weighted with
    I(chi) |sin phi|, as for a pattern that is one section of a body of revolution about the axis. Directions that were
    not measured are left out.

    Parameters
    ----------
    profile : DataFrame
        From `azimuthal_profile`.

    Returns
    -------
    orientation : Orientation or None
        None where fewer than half of the directions are measured or nothing stands above the background.

    References
    ----------
    J. J. Hermans, P. H. Hermans, D. Vermaas, A. Weidinger, Recl. Trav. Chim. Pays-Bas 65 (1946) 427-447.

    Examples
    --------
    >>> import pandas as pd
    >>> chi = np.arange(0.5, 360)
    >>> even, arcs = (pd.DataFrame({"chi": chi, "intensity": i, "error": 0 * chi})
    ...               for i in (chi**0, np.cos(np.radians(chi - 30)) ** 2))
    >>> found = orientation(arcs)
    >>> [round(value, 3) for value in (found.axis, found.hermans, found.hermans_across)]
    [30.0, 0.4, -0.2]
    >>> abs(orientation(even).hermans) < 1e-4
    True
    """
    measured = profile[np.isfinite(profile.intensity)]
    chi, intensity, error = (
        np.radians(measured.chi.to_numpy()),
        measured.intensity.to_numpy(),
        measured.error.to_numpy(),
    )
    if len(measured) < COVERED * len(profile) or intensity.sum() <= 0:
        return None
    harmonic = (intensity * np.exp(2j * chi)).sum()
    axis = np.angle(harmonic) / 2
    axis_error = np.sqrt(((error * np.sin(2 * (chi - axis))) ** 2).sum()) / (2 * np.abs(harmonic))
    along, along_error = _hermans(chi - axis, intensity, error)
    across, across_error = _hermans(chi - axis + np.pi / 2, intensity, error)
    return Orientation(
        float(np.degrees(axis) % 180), float(np.degrees(axis_error)), along, along_error, across, across_error
    )


def _hermans(phi: Curve, intensity: Curve, error: Curve) -> tuple[float, float]:
    """Hermans' f and its standard deviation, about an axis that is taken as known."""
    weight, squared = np.abs(np.sin(phi)), np.cos(phi) ** 2
    total = (intensity * weight).sum()
    mean = (intensity * weight * squared).sum() / total
    spread = np.sqrt(((error * weight * (squared - mean)) ** 2).sum()) / total
    return float((3 * mean - 1) / 2), float(1.5 * spread)
