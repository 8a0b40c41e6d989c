"""What a file says of its frames: how many, and their headers in SI units without nonsense."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from scatterheal.pattern.geometry import Geometry

UNITS = {
    "": 1.0,
    **dict.fromkeys(("pixel", "pixels", "count", "counts", "x"), 1.0),
    **dict.fromkeys(("m", "metre", "meter", "s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("mm", "ms"), 1e-3),
    **dict.fromkeys(("um", "µm", "μm", "micron", "us", "µs"), 1e-6),
    **dict.fromkeys(("nm", "ns"), 1e-9),
    **dict.fromkeys(("a", "å", "angstrom", "angstroms"), 1e-10),
    "cm": 1e-2,
}
QUANTITY = re.compile(r"([-+]?\d+\.?\d*(?:e[-+]?\d+)?)(?:[\s_]*([a-zåµμ]+))?", re.IGNORECASE)


class Stack(NamedTuple):
    """An open file: its frames are read one by one."""

    frames: int
    """How many there are."""
    read: Callable[[int], NDArray]
    """Gives the frame of an index from 0 in the file's own type, codes and row order."""
    header: Geometry = Geometry()
    pixel_mask: NDArray | None = None
    """Bits as NXdetector defines them, one mask for all frames or one for each."""


def dectris_header(text: str, detector: str | None = None) -> Geometry:
    r"""The comment lines of Dectris' mini-CBF and TIFF headers.

    Parameters
    ----------
    text : str
        Lines such as ``# Exposure_time 10.0 s``; a wavelength without a unit is in angstrom.
    detector : str, optional
        Its name, where the lines have none.

    Examples
    --------
    >>> header = dectris_header("# Exposure_time 10.0 s\n# Pixel_size 172e-6 m x 172e-6 m\n# Beam_xy (0, 0) pixels")
    >>> header.exposure_time, header.pixel_size, header.beam_centre
    (10.0, (0.000172, 0.000172), None)
    """
    lines = dict(re.findall(r"^[#\s]*([A-Za-z_]+)[\s:=]+(.*)$", text, re.MULTILINE))
    return sound_header(
        exposure_time=_quantities(lines.get("Exposure_time"), 1)[0],
        pixel_size=_quantities(lines.get("Pixel_size"), 2)[::-1],
        wavelength=_quantities(lines.get("Wavelength"), 1, "a")[0],
        distance=_quantities(lines.get("Detector_distance"), 1)[0],
        beam_centre=_quantities(lines.get("Beam_xy"), 2),
        count_cutoff=_quantities(lines.get("Count_cutoff"), 1)[0],
        detector=lines.get("Detector", detector),
    )


def text_header(fields: dict[str, Any]) -> Geometry:
    """The header of what fabio reads: mini-CBF comments, or EDF keys in the ESRF's and pyFAI's way.

    Parameters
    ----------
    fields : dict
        fabio's header; upper and lower case do not matter. Numbers without a unit are in metres and seconds.

    Examples
    --------
    >>> text_header({"PSize_1": "1.72e-04", "psize_2": "0.15 mm", "WaveLength": "nan"}).pixel_size
    (0.00015, 0.000172)
    """
    if "_array_data.header_contents" in fields:
        return dectris_header(str(fields["_array_data.header_contents"]))
    low = {key.lower(): str(value) for key, value in fields.items()}

    def first(*keys: str) -> float | None:
        return next((_quantities(low[key], 1)[0] for key in keys if key in low), None)

    return sound_header(
        exposure_time=first("exposuretime", "exposure_time", "acq_expo_time"),
        # In the ESRF's keys axis 1 is the fast one, x; in pyFAI's it is y.
        pixel_size=(first("psize_2", "pixel1"), first("psize_1", "pixel2")),
        wavelength=first("wavelength"),
        distance=first("sampledistance", "dist"),
        beam_centre=from_edge((first("center_1"), first("center_2"))),
        count_cutoff=first("count_cutoff"),
        detector=low.get("detector", low.get("detectorname")),
    )


def from_edge(centre: tuple[float | None, ...]) -> tuple[float | None, ...]:
    """A point that counts from the outer edge of the first pixel, in pixels whose centres are at integers.

    Only 0, 0 is what nobody told, and stays.

    Examples
    --------
    >>> from_edge((100.5, 7.0)), from_edge((0.0, 0.0))
    ((100.0, 6.5), (0.0, 0.0))
    """
    if not any(centre):
        return centre
    return tuple(None if value is None else value - 0.5 for value in centre)


def sound_header(
    pixel_size: tuple[float | None, ...],
    beam_centre: tuple[float | None, ...],
    detector: str | None,
    **values: float | None,
) -> Geometry:
    """A header without its nonsense: detectors write 0, -1 or NaN for what nobody told them.

    Parameters
    ----------
    pixel_size : (height, width)
        Metres; without one of the two there is no size.
    beam_centre : (x, y)
        Pixels; negative ones stay, the beam may pass beside the detector.
    detector : str or None
        The detector's name, stripped of blanks and null characters.
    **values : float or None
        The other fields of `Geometry`; what is not finite and positive is left out.

    Examples
    --------
    >>> header = sound_header((1e-4, 1e-4), (-5.0, 3.0), " EIGER2 ", wavelength=-1.0, distance=0.35)
    >>> header.wavelength, header.distance, header.beam_centre, header.detector
    (None, 0.35, (-5.0, 3.0), 'EIGER2')
    """

    def positive(value: float | None) -> float | None:
        return value if value is not None and math.isfinite(value) and value > 0 else None

    height, width = (positive(size) for size in pixel_size)
    x, y = (value if value is not None and math.isfinite(value) else None for value in beam_centre)
    return Geometry(
        pixel_size=None if height is None or width is None else (height, width),
        # Only 0, 0 is what nobody told.
        beam_centre=(x, y) if x is not None and y is not None and (x or y) else None,
        detector=(detector or "").strip(" \0\r\n") or None,
        **{key: positive(value) for key, value in values.items()},
    )


def _quantities(text: str | None, count: int, unit: str = "") -> tuple[float | None, ...]:
    """The first numbers in a text in SI units, None for each that is not there; `unit` is meant where none stands.

    >>> _quantities("172e-6 m x 0.15 mm", 2), _quantities("not set", 1), _quantities("1.5", 1, "a")
    ((0.000172, 0.00015), (None,), (1.5e-10,))
    """
    found = [
        float(number) * UNITS.get((name or unit).lower(), math.nan) for number, name in QUANTITY.findall(text or "")
    ]
    return (*found, *[None] * count)[:count]
