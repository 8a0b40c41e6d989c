"""The plot area of a figure, its colour bar, and what the labels of the bar say."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label, regionprops

from scatterheal.errors import ScanError
from scatterheal.reading.bitmaps import Page, Rgb
from scatterheal.settings.models import MOST_DECADES

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


class BarLabels(NamedTuple):
    """What the text of a figure's file says about its colour bar."""

    limits: tuple[float, float] | None = None
    """The values at the bar's low and high end (their log10 where the labels are powers of ten), or None."""
    scale: Literal["log10"] | None = None
    """log10 where labels or title say that values are log10 of counts, or None where nothing does."""


def has_paper_margin(picture: Rgb) -> bool:
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
        bar = _bar_without_frame(picture, box).of(picture)
        if apart and long_enough and bar.size and is_bar(bar):
            return bar_colours(bar)
    return None


def _bar_without_frame(picture: Rgb, box: Box) -> Box:
    """Peel off a colour bar's frame line, at its ends no more than at its sides: a dark end looks like the line."""
    bar = _without_frame(picture, box)
    if box.height >= box.width:
        line = max(bar.left - box.left, box.right - bar.right)
        return bar._replace(top=min(bar.top, box.top + line), bottom=max(bar.bottom, box.bottom - line))
    line = max(bar.top - box.top, box.bottom - bar.bottom)
    return bar._replace(left=min(bar.left, box.left + line), right=max(bar.right, box.right - line))


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
    along = np.median(_middle(bar), axis=1).astype(np.uint8)
    return along[::-1] if bar.shape[0] >= bar.shape[1] else along


def bar_labels(page: Page, bar: int) -> BarLabels:
    """The range and scale of a colour bar, from the text round it.

    The range comes from the numbers to the right of an upright bar, when at least three of them lie on one
    line from height to value to within half a per cent of the bar; nothing is guessed otherwise.

    Parameters
    ----------
    page : Page
        Where the file's bitmaps and texts stand.
    bar : int
        Which of the bitmaps is the colour bar.

    Examples
    --------
    >>> from scatterheal.reading.bitmaps import Text
    >>> texts = [Text(str(value), 22, 10 + 40 * value, 9) for value in (0, 1, 2)]
    >>> bar_labels(Page([(10, 10, 20, 110)], texts), 0)
    BarLabels(limits=(0.0, 2.5), scale=None)
    """
    left, bottom, right, top = page.bitmaps[bar]
    # What stands below the bar's foot labels the plot's own axis.
    says_log = any(re.search(r"log_?\{?10|\(log\.", text.text) for text in page.texts if text.middle > bottom)
    scale: Literal["log10"] | None = "log10" if says_log else None
    labels = [
        (text.middle, match)
        for text in page.texts
        if 0 < text.left - right < 2 * text.size
        and abs(text.middle - (bottom + top) / 2) < (top - bottom) / 2 + text.size
        for match in [re.fullmatch(r"(?P<power>10\^)?(?P<number>[-+]?\d+(\.\d*)?)", text.text)]
        if match
    ]
    # A number above the bar ("x10^4", "1e4", "+1.2e3") multiplies all of its labels or is added to them.
    multiplied = any(
        re.search(r"\d", text.text)
        and text.left > left - 8 * text.size
        and 0.5 * text.size < text.middle - top < 4 * text.size
        for text in page.texts
    )
    if multiplied or len(labels) < 3 or len({bool(match["power"]) for _, match in labels}) > 1:
        return BarLabels(None, scale)
    heights = np.array([height for height, _ in labels])
    values = np.array([float(match["number"]) for _, match in labels])
    slope, offset = np.polyfit(heights, values, 1)
    small = 0.005 * slope * (top - bottom)
    if slope <= 0 or np.abs(slope * heights + offset - values).max() > small:
        return BarLabels(None, scale)
    # A label at the bar's end names it; text is placed less exactly than that.
    ends = [
        float(nearest if abs(nearest - end) < small else end)
        for end in (slope * bottom + offset, slope * top + offset)
        for nearest in [values[np.abs(values - end).argmin()]]
    ]
    # Nobody counts that far: the logarithm that a text speaks of is another one.
    scale = scale if ends[1] <= MOST_DECADES else None
    return BarLabels((round(ends[0], 6), round(ends[1], 6)), "log10" if labels[0][1]["power"] else scale)


def is_bar(bitmap: Rgb) -> bool:
    """Whether a bitmap is a colour bar: elongated, of one colour across, of many along."""
    height, width = bitmap.shape[:2]
    if max(height, width) < 4 * min(height, width):
        return False
    middle = _middle(bitmap)
    across = np.median(middle, axis=1, keepdims=True)
    even = np.abs(middle - across).mean() < 8
    return bool(even and len(np.unique(across.reshape(-1, 3), axis=0)) >= 8)


def _middle(bar: Rgb) -> Rgb:
    """The middle half of a bar's width, along its first axis: JPEG smears its frame and the paper into the sides."""
    upright = bar if bar.shape[0] >= bar.shape[1] else bar.swapaxes(0, 1)
    width = upright.shape[1]
    return upright[:, width // 4 : width - width // 4]


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
        # JPEG smears a pixel more into some of each side.
        if region.area > 0.9 * (bottom - top - 2) * (right - left - 2) and max(bottom - top, right - left) >= MIN_SIDE
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
