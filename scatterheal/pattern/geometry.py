"""What is known of how a scan was measured: by its file's header, by a geometry file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Geometry(NamedTuple):
    """How a scan was measured, in SI units; None where nobody says it, or nonsense."""

    exposure_time: float | None = None
    """Seconds; of a sum, of all its frames together."""
    pixel_size: tuple[float, float] | None = None
    """Height and width of a pixel, metres."""
    wavelength: float | None = None
    """Metres."""
    distance: float | None = None
    """From sample to detector, metres."""
    beam_centre: tuple[float, float] | None = None
    """x, y in pixels, pixel centres at integers; of the whole frame as its file says it, else of the cropped image."""
    count_cutoff: float | None = None
    """A pixel of one frame with this many counts or more is saturated."""
    detector: str | None = None
    """The detector's name in the file."""

    def updated(self, other: Geometry) -> Geometry:
        """The same with what another source knows better.

        Examples
        --------
        >>> known = Geometry(wavelength=1e-10, distance=7.0).updated(Geometry(distance=2.0))
        >>> known.wavelength, known.distance
        (1e-10, 2.0)
        """
        return self._replace(**{key: value for key, value in other._asdict().items() if value is not None})

    def seen_from(self, left: int, top: int) -> Geometry:
        """The same for an image that begins at this pixel of the whole frame.

        Examples
        --------
        >>> Geometry(beam_centre=(100.5, 90.0)).seen_from(left=10, top=20).beam_centre
        (90.5, 70.0)
        """
        if self.beam_centre is None:
            return self
        x, y = self.beam_centre
        return self._replace(beam_centre=(x - left, y - top))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return self._asdict()

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Geometry:
        """What `to_json` gave, read back.

        Examples
        --------
        >>> Geometry.from_json({"pixel_size": [1e-4, 2e-4], "beam_centre": None}).pixel_size
        (0.0001, 0.0002)
        """
        pairs = {key: plain[key] and tuple(plain[key]) for key in ("pixel_size", "beam_centre") if key in plain}
        return cls(**{**plain, **pairs})
