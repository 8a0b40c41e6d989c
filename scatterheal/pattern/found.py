"""What was found of a scan by itself: beam centre, parts of the instrument, detector; the content of found.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

# A beam centre with a larger standard deviation, pixels, is a hint for where to look and no measurement.
UNSURE = 3.0


class FoundDetector(NamedTuple):
    """A detector told by its frame."""

    name: str
    """pyFAI's name."""
    sure: str
    """What speaks for it, in words and numbers."""


class BeamCentre(NamedTuple):
    """Where the beam meets the detector."""

    x: float
    """Pixels of the cropped image, as y."""
    y: float
    how: str
    """How that is known: "given", or what it was found by."""
    sd: float | None = None
    """Standard deviation, pixels; None: nothing was measured."""

    @property
    def is_unsure(self) -> bool:
        """Whether it is no more than a hint."""
        return self.sd is not None and self.sd > UNSURE


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the instrument that was found, and its outline: a circle, a box or a polygon."""

    part: Literal["beamstop", "holder", "outside"]
    looks: str
    """What it looks like, in words."""
    centre: tuple[float, float] | None = None
    """x, y of a circle, pixels."""
    radius: float | None = None
    """Of a circle, pixels."""
    box: tuple[int, int, int, int] | None = None
    """left, top, right, bottom, pixels."""
    polygon: tuple[tuple[float, float], ...] | None = None
    """x, y of each corner, pixels."""
    transmission: float
    """Share of the scattering that comes through."""
    evidence: float
    """How sure it is; see the function that found it."""
    runner_up: float | None = None
    """A holder that was found as a band: the evidence of the next best direction."""
    pixels: int
    """How many it hides."""


class Found(NamedTuple):
    """What was found of a scan by itself, and what of that was given instead."""

    centre: BeamCentre | None
    problem: str | None = None
    """Why there is no centre."""
    parts: tuple[Part, ...] = ()
    kind: Literal["figure", "frame"] = "figure"
    detector: FoundDetector | str | None = None
    """Of a frame: what it was found to be, the name that was given, or None where none fits."""

    @property
    def beam_centre(self) -> tuple[float, float] | None:
        """x, y of the beam, pixels, or None where there is none; also one that is not sure."""
        return self.centre and self.centre[:2]

    @property
    def sure_beam_centre(self) -> tuple[float, float] | None:
        """x, y of the beam, pixels, or None where it is too unsure to be passed on.

        Examples
        --------
        >>> [Found(BeamCentre(3.0, 4.0, "symmetry", sd)).sure_beam_centre for sd in (0.5, 50.0)]
        [(3.0, 4.0), None]
        """
        return None if self.centre is None or self.centre.is_unsure else self.beam_centre

    def to_json(self) -> dict[str, Any]:
        """Plain values, without what does not apply.

        Examples
        --------
        >>> Found(BeamCentre(3.0, 4.0, "given")).to_json()
        {'centre': {'x': 3.0, 'y': 4.0, 'how': 'given'}, 'parts': []}
        >>> Found(None, "no pattern", kind="frame").to_json()
        {'centre': {'problem': 'no pattern'}, 'parts': [], 'detector': None}
        """
        if self.centre is None:
            centre: dict[str, Any] = {"problem": self.problem}
        else:
            sd = {} if self.centre.sd is None else {"sd": self.centre.sd}
            centre = {"x": self.centre.x, "y": self.centre.y, **sd, "how": self.centre.how}
        parts = [{key: value for key, value in asdict(part).items() if value is not None} for part in self.parts]
        plain: dict[str, Any] = {"centre": centre, "parts": parts}
        if self.kind == "frame":
            detector = self.detector
            plain["detector"] = detector._asdict() if isinstance(detector, FoundDetector) else detector
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Found:
        """What `to_json` gave, read back."""
        centre, detector = plain["centre"], plain.get("detector")
        return cls(
            None if "problem" in centre else BeamCentre(**centre),
            centre.get("problem"),
            tuple(_part(record) for record in plain["parts"]),
            "frame" if "detector" in plain else "figure",
            FoundDetector(**detector) if isinstance(detector, dict) else detector,
        )


def _part(plain: Mapping[str, Any]) -> Part:
    """A part as JSON has it, its points as tuples again."""
    points = {key: tuple(plain[key]) for key in ("centre", "box") if key in plain}
    if "polygon" in plain:
        points["polygon"] = tuple(map(tuple, plain["polygon"]))
    return Part(**{**plain, **points})
