"""What the numbers of an image are: the content of intensity.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal.pattern.units import Unit


class ColourTable(NamedTuple):
    """A colour map, from its low to its high end."""

    colours: NDArray[np.uint8]
    """The colour of each entry, (n, 3)."""
    edges: NDArray[np.float64]
    """Entry k stands for edges[k] <= position < edges[k + 1], in shares 0..1 of the map's length, (n + 1,)."""


class ColourScale(NamedTuple):
    """How the colours of a figure became values, and how well they fit."""

    limits: tuple[float, float]
    """The values at the two ends of the map; their log10 where the scale is log10."""
    scale: Literal["linear", "log10"]
    table: ColourTable
    off_share: float
    """Share of the pixels whose colour is not on the map."""
    clipped_low_share: float
    """Share of the pixels at the low end of the map."""
    clipped_high_share: float
    """Share of the pixels at its high end."""
    residual_median: float
    """Median distance of the colours to the map, Lab (CIE76)."""
    tolerance: float
    """The largest distance that is still on the map, Lab."""


class Meaning(NamedTuple):
    """What the numbers of an image are, and how that is known."""

    unit: Unit
    """colours: the values are luminance, and the image is healed as a picture."""
    how: str
    """Where the numbers come from, in words."""
    not_whole_share: float | None = None
    """A frame: the share of its counts that are not whole."""
    colour_scale: ColourScale | None = None
    """A figure whose colours became values."""

    @property
    def limits(self) -> tuple[float, float] | None:
        """The range of a figure's values, or None."""
        return self.colour_scale and self.colour_scale.limits

    def to_json(self) -> dict[str, Any]:
        """Plain values, without what does not apply.

        Examples
        --------
        >>> Meaning("counts", "counts of the file", not_whole_share=0.0).to_json()
        {'unit': 'counts', 'how': 'counts of the file', 'not_whole_share': 0.0}
        """
        plain: dict[str, Any] = {"unit": self.unit, "how": self.how}
        if self.not_whole_share is not None:
            plain["not_whole_share"] = self.not_whole_share
        if self.colour_scale:
            scale = self.colour_scale
            table = {"colours": scale.table.colours.tolist(), "edges": scale.table.edges.tolist()}
            plain |= {**scale._asdict(), "limits": list(scale.limits), "table": table}
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Meaning:
        """What `to_json` gave, read back.

        Examples
        --------
        >>> Meaning.from_json({"unit": "colours", "how": "luminance"})
        Meaning(unit='colours', how='luminance', not_whole_share=None, colour_scale=None)
        """
        scale = None
        if "table" in plain:
            colours, edges = (plain["table"][key] for key in ColourTable._fields)
            of_map = {key: plain[key] for key in ColourScale._fields}
            of_map |= {
                "limits": tuple(plain["limits"]),
                "table": ColourTable(np.array(colours, np.uint8), np.array(edges)),
            }
            scale = ColourScale(**of_map)
        return cls(plain["unit"], plain["how"], plain.get("not_whole_share"), scale)
