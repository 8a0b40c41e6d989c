"""The methods that are no network: one row each.

The configuration's choices, its reference and `scatterheal.methods.baselines.heal` go by these rows. They are plain
data and lie here, below the methods, since config.yaml names them: reading it must import none of them.
"""

from __future__ import annotations

from typing import NamedTuple


class Baseline(NamedTuple):
    """What is known of a method before it is imported."""

    function: str
    """Where it lies, as module:function. All of them take the same: float32 values (height, width), anything in missing
    pixels; the known pixels; the beam centre (x, y) or None; whether the values are counts. They return float32
    (height, width), the same for the same input."""
    needs_centre: bool = False
    """Whether it heals nothing without the beam centre."""
    is_smooth: bool = False
    """Whether it says something of its own of known pixels too; if not they stay as they are."""
    package: str | None = None
    """What it imports that need not be installed."""
    extra: str | None = None
    """The extra of scatterheal that installs it."""


BASELINES = {
    "polar_smooth": Baseline("scatterheal.methods.polar_smooth:polar_smooth", needs_centre=True, is_smooth=True),
    "pyfai": Baseline("scatterheal.methods.pyfai:pyfai", needs_centre=True),
    "liu2017": Baseline("scatterheal.methods.liu2017:liu2017", needs_centre=True),
    "radial_mean": Baseline("scatterheal.methods.polar_smooth:radial_mean", needs_centre=True, is_smooth=True),
    "biharmonic": Baseline("scatterheal.methods.smoothest:biharmonic"),
    "biharmonic_smooth": Baseline("scatterheal.methods.smoothest:biharmonic_smooth", is_smooth=True),
    "telea": Baseline("scatterheal.methods.opencv:telea", package="cv2", extra="opencv"),
    "navier_stokes": Baseline("scatterheal.methods.opencv:navier_stokes", package="cv2", extra="opencv"),
}
