"""Cut a scan out of its file: the plot area of a figure with its colour bar, or a frame."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scatterheal.errors import ScanError
from scatterheal.pattern.found import FoundDetector
from scatterheal.pattern.geometry import Geometry
from scatterheal.reading.bitmaps import EPS, Rgb, eps_page, read_bitmaps
from scatterheal.reading.detectors import find_detector
from scatterheal.reading.frames import Counts, read_frame
from scatterheal.reading.plot_area import (
    BarLabels,
    Box,
    bar_colours,
    bar_labels,
    colour_bar,
    has_paper_margin,
    is_bar,
    plot_area,
)

# Detectors write these into pixels without a measurement, and of other negative numbers at most so many: whole ones, or
# such as so large a share of the pixels has, where they were multiplied with the counts.
CODES, FURTHER_CODES, REPEATED = (-1, -2), 2, 0.001


class Crop(NamedTuple):
    """All that a scan's file says of its image but the image itself: most of crop.json."""

    whole: tuple[int, int]
    """Height and width of the bitmap or frame before it was cropped."""
    box: Box
    """Where the image is in its bitmap or frame."""
    colour_bar: Rgb | None = None
    """The colour bar's colours from its low to its high end, one for each of its pixels, (n, 3), or None."""
    bar_labels: BarLabels = BarLabels()
    """What the file's own text says about the colour bar."""
    header: Geometry | None = None
    """What a frame's file says of it, the beam centre in pixels of the whole frame; None: a figure."""
    detector: FoundDetector | None = None
    """The detector whose gaps the whole frame has."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "whole": list(self.whole),
            "box": self.box._asdict(),
            "colour_bar": None if self.colour_bar is None else self.colour_bar.tolist(),
            "bar_labels": self.bar_labels._asdict(),
            "header": self.header and self.header.to_json(),
            "detector": self.detector and self.detector._asdict(),
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Crop:
        """What `to_json` gave, read back; crop.json holds more.

        Examples
        --------
        >>> crop = Crop((4, 6), Box(0, 1, 5, 4), bar_labels=BarLabels((0.0, 3.0)))
        >>> Crop.from_json(crop.to_json()) == crop
        True
        """
        bar, labels, header, detector = (plain[key] for key in ("colour_bar", "bar_labels", "header", "detector"))
        return cls(
            tuple(plain["whole"]),
            Box(**plain["box"]),
            None if bar is None else np.array(bar, np.uint8),
            BarLabels(labels["limits"] and tuple(labels["limits"]), labels["scale"]),
            header and Geometry.from_json(header),
            detector and FoundDetector(**detector),
        )


class Cropped(NamedTuple):
    """What is left of a scan's file."""

    image: Rgb | Counts
    """The colours of the plot area, uint8 (height, width, 3); or the frame's counts, float32, negative where the
    detector has a code and NaN where the file's own mask says that nothing was measured."""
    crop: Crop


def crop_scan(
    path: Path,
    kind: Literal["figure", "frame"],
    crop: tuple[int, int, int, int] | Literal["auto"] = "auto",
    inside: str | None = None,
    frame: int | Literal["sum"] | None = None,
) -> Cropped:
    """Read a scan and cut out what is to be healed, at the resolution that the file really holds.

    Parameters
    ----------
    path : Path
        The scan's image.
    kind : {"figure", "frame"}
        How to read it. Of the bitmaps that an EPS embeds, the largest is the plot and an elongated one
        the colour bar; in a picture of a whole figure, white margin and all, both are looked for.
    crop : (left, top, right, bottom) or "auto"
        A box in pixels of the bitmap or frame; or the plot area that is found, of a frame the whole.
    inside, frame
        Frames: see `scatterheal.reading.frames.read_frame`.

    Raises
    ------
    ScanError
        The file cannot be read, no plot area can be told from the margin, the crop reaches outside, or
        what a frame keeps holds no counts at all, or negative values that are no codes.
    """
    if kind == "frame":
        counts, header, masked = read_frame(path, inside, frame)
        if masked is not None:
            counts = np.where(masked, np.float32(np.nan), counts)
        box = Box(0, 0, counts.shape[1], counts.shape[0]) if crop == "auto" else _checked(crop, counts)
        detector = find_detector(counts, header.detector)
        image = np.ascontiguousarray(box.of(counts))
        if not (image > 0).any():
            what = "measured pixel is zero" if (image >= 0).any() else "pixel is negative or masked in the file"
            raise ScanError(f"{path}: every {what}; choose another frame or file, or another crop")
        _check_subtracted(path, image)
        return Cropped(image, Crop(counts.shape, box, header=header, detector=detector))
    bitmaps = read_bitmaps(path)
    largest = max(range(len(bitmaps)), key=lambda k: bitmaps[k].shape[0] * bitmaps[k].shape[1])
    picture = bitmaps[largest]
    labels = BarLabels()
    if path.suffix.lower() in EPS and not has_paper_margin(picture):
        found = Box(0, 0, picture.shape[1], picture.shape[0])
        bar = next((k for k in range(len(bitmaps)) if k != largest and is_bar(bitmaps[k])), None)
        colours = None if bar is None else bar_colours(bitmaps[bar])
        if bar is not None:
            labels = bar_labels(eps_page(path.read_bytes()), bar)
        box = found if crop == "auto" else _checked(crop, picture)
    else:
        box = plot_area(picture) if crop == "auto" else _checked(crop, picture)
        colours = colour_bar(picture, box)
    return Cropped(np.ascontiguousarray(box.of(picture)), Crop(picture.shape[:2], box, colours, labels))


def _check_subtracted(path: Path, image: NDArray[np.float32]) -> None:
    """Refuse a frame of which something was subtracted: what is left is no count, and has no Poisson likelihood."""
    negative = image[np.isfinite(image) & (image < 0) & ~np.isin(image, CODES)]
    different, times = np.unique(negative, return_counts=True)
    whole = (different == np.round(different)).all() or times.max() >= REPEATED * image.size
    if len(different) > FURTHER_CODES or not whole:
        raise ScanError(
            f"{path}: {len(negative)} pixels are negative, down to {different[0]:g}, and no codes, as where a "
            "background was subtracted; heal the counts as measured, and subtract afterwards"
        )


def _checked(crop: tuple[int, int, int, int], image: NDArray) -> Box:
    box = Box(*crop)
    height, width = image.shape[:2]
    if box.left < 0 or box.top < 0 or box.right > width or box.bottom > height:
        raise ScanError(f"crop: {list(crop)} reaches outside the image of {width} x {height} pixels; correct it")
    return box
