"""Cut a scan out of its file: the plot area of a figure and its colour bar, or a whole frame."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label, regionprops

from scatterheal.bitmaps import EPS, Rgb, read_bitmaps
from scatterheal.errors import ScanError
from scatterheal.frames import Counts, read_counts

# A colour that differs from the margin's by more than this in one channel belongs to something drawn.
DRAWN = 40
# Frame lines are at most this thick, antialiasing and JPEG blur included.
FRAME = 4
MIN_SIDE = 24


class Box(NamedTuple):
    """Pixels left <= x < right, top <= y < bottom."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    def of(self, image: NDArray) -> NDArray:
        """The part of the image inside the box."""
        return image[self.top : self.bottom, self.left : self.right]


class Cropped(NamedTuple):
    """What is left of a scan's file."""

    image: Rgb | Counts
    """The colours of the plot area, uint8 (height, width, 3); or the frame's counts, float32."""
    box: Box
    """Where it is in its bitmap or frame."""
    colours: Rgb | None
    """The colour bar's colours from its low to its high end, (n, 3), or None."""
    whole: tuple[int, int]
    """Height and width of the bitmap or frame before it was cropped."""


def crop_scan(path: Path, kind: str, crop: tuple[int, int, int, int] | None = None) -> Cropped:
    """Read a scan and cut out what is to be healed, at the resolution that the file really holds.

    Parameters
    ----------
    path : Path
        The scan's image.
    kind : {"figure", "frame"}
        How to read it. Of the bitmaps that an EPS embeds, the largest is the plot and an elongated one
        the colour bar; in a picture of a whole figure, white margin and all, both are looked for.
    crop : (left, top, right, bottom), optional
        In pixels of the bitmap or frame, instead of the automatic plot area or the whole frame.

    Raises
    ------
    ScanError
        The file cannot be read, no plot area can be told from the margin, or the crop reaches outside.
    """
    if kind == "frame":
        counts = read_counts(path)
        box = _checked(crop, counts) if crop else Box(0, 0, counts.shape[1], counts.shape[0])
        return Cropped(np.ascontiguousarray(box.of(counts)), box, None, counts.shape)
    bitmaps = read_bitmaps(path)
    largest = max(bitmaps, key=lambda bitmap: bitmap.shape[0] * bitmap.shape[1])
    if path.suffix.lower() in EPS and not _has_paper_margin(largest):
        whole = Box(0, 0, largest.shape[1], largest.shape[0])
        bars = [bitmap for bitmap in bitmaps if bitmap is not largest and _is_bar(bitmap)]
        colours = bar_colours(bars[0]) if bars else None
        box = _checked(crop, largest) if crop else whole
    else:
        box = _checked(crop, largest) if crop else plot_area(largest)
        colours = colour_bar(largest, box)
    return Cropped(np.ascontiguousarray(box.of(largest)), box, colours, largest.shape[:2])


def _checked(crop: tuple[int, int, int, int], image: NDArray) -> Box:
    box = Box(*crop)
    height, width = image.shape[:2]
    if box.left < 0 or box.top < 0 or box.right > width or box.bottom > height:
        raise ScanError(f"crop: {list(crop)} reaches outside the image of {width} x {height} pixels; correct it")
    return box


def _has_paper_margin(picture: Rgb) -> bool:
    """Whether a bitmap shows a whole page: its rim is light and of one colour."""
    ring = _ring(picture)
    paper = np.median(ring, axis=0)
    return bool(paper.min() > 200 and (np.abs(ring - paper).max(axis=1) < DRAWN).mean() > 0.99)


def plot_area(picture: Rgb) -> Box:
    """The inside of the axes' frame: the largest solid rectangle on the margin's colour.

    Thin things (ticks, labels, title) vanish in a morphological opening, after holes have been filled
    so that a frame holds its rectangle together where the image has the margin's colour. What is
    left of the frame line is then peeled off.

    Parameters
    ----------
    picture : uint8 array (height, width, 3)
        The whole figure with its margin.

    Raises
    ------
    ScanError
        No such rectangle, or several of nearly the same size (subplots).

    Examples
    --------
    >>> figure = np.full((120, 200, 3), 255, np.uint8)
    >>> figure[20:100, 30:150] = 0          # the frame line
    >>> figure[21:99, 31:149] = (0, 90, 200)
    >>> plot_area(figure)
    Box(left=31, top=21, right=149, bottom=99)
    """
    solid = _solid_boxes(picture)
    height, width = picture.shape[:2]
    if not solid or solid[0].width * solid[0].height < 0.05 * height * width:
        raise ScanError("crop: no plot area found in the figure; give crop: [left, top, right, bottom]")
    if len(solid) > 1 and solid[1].width * solid[1].height > 0.4 * solid[0].width * solid[0].height:
        raise ScanError("crop: several plot areas in the figure; give the crop of one: [left, top, right, bottom]")
    return _without_frame(picture, solid[0])


def colour_bar(picture: Rgb, plot: Box) -> Rgb | None:
    """The colours of the colour bar beside, above or below a plot area, low end first, or None.

    Parameters
    ----------
    picture : uint8 array (height, width, 3)
        The whole figure.
    plot : Box
        Its plot area.
    """
    for box in _solid_boxes(picture):
        apart = box.left >= plot.right or box.right <= plot.left or box.top >= plot.bottom or box.bottom <= plot.top
        long_enough = max(box.width, box.height) > 0.3 * min(plot.width, plot.height)
        bar = _without_frame(picture, box).of(picture)
        if apart and long_enough and bar.size and _is_bar(bar):
            return bar_colours(bar)
    return None


def bar_colours(bar: Rgb) -> Rgb:
    """The colours along a colour bar, from its low end (bottom or left) to its high end.

    Parameters
    ----------
    bar : uint8 array (height, width, 3)
        The bar without its frame.

    Examples
    --------
    >>> bar = np.zeros((4, 1, 3), np.uint8); bar[:, 0, 0] = [30, 20, 10, 0]
    >>> bar_colours(bar)[:, 0].tolist()
    [0, 10, 20, 30]
    """
    upright = bar.shape[0] >= bar.shape[1]
    along = np.median(bar, axis=1 if upright else 0).astype(np.uint8)
    return along[::-1] if upright else along


def _is_bar(bitmap: Rgb) -> bool:
    """Whether a bitmap is a colour bar: elongated, of one colour across, of many along."""
    height, width = bitmap.shape[:2]
    if max(height, width) < 4 * min(height, width):
        return False
    across = np.median(bitmap, axis=1 if height >= width else 0, keepdims=True)
    even = np.abs(bitmap - across).mean() < 8
    return bool(even and len(np.unique(across.reshape(-1, 3), axis=0)) >= 8)


def _ring(picture: Rgb) -> Rgb:
    """The outermost pixels, (n, 3)."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def _solid_boxes(picture: Rgb) -> list[Box]:
    """Boxes of all solid rectangles on the margin's colour, the largest first."""
    colours, share = np.unique(_ring(picture), axis=0, return_counts=True)
    drawn = np.abs(picture.astype(int) - colours[share.argmax()]).max(axis=2) > DRAWN
    # Twice the thickness of text strokes at common sizes, odd so that edges stay where they are.
    thin = max(5, min(picture.shape[:2]) // 60) | 1
    core = ndimage.minimum_filter(ndimage.binary_fill_holes(drawn), thin, mode="constant")
    solid = ndimage.maximum_filter(core, thin, mode="constant")
    boxes = [
        Box(left, top, right, bottom)
        for region in regionprops(label(solid))
        for top, left, bottom, right in [region.bbox]
        if region.extent > 0.9 and max(bottom - top, right - left) >= MIN_SIDE
    ]
    return sorted(boxes, key=lambda box: -box.width * box.height)


def _without_frame(picture: Rgb, box: Box) -> Box:
    """Peel off the frame line: outer rows and columns that are nearer to the line than to the inside."""
    inside = box.of(picture)
    peeled = []
    for depth_first in (inside.swapaxes(0, 1), inside, inside.swapaxes(0, 1)[::-1], inside[::-1]):
        lines = np.median(depth_first[: 2 * FRAME], axis=1).astype(int)
        frame, content = lines[0], lines[-1]
        nearer_frame = np.abs(lines - frame).sum(axis=1) < np.abs(lines - content).sum(axis=1)
        peeled.append(int(np.argmin(nearer_frame)) if not nearer_frame[FRAME:].any() else 0)
    left, top, right, bottom = peeled
    return Box(box.left + left, box.top + top, box.right - right, box.bottom - bottom)
