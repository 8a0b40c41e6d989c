"""Pictures for people: mask overlays, contact sheets, evolution strips, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import FuncNorm, ListedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from scatterheal.bitmaps import Rgb
from scatterheal.bits import REASONS
from scatterheal.colours import ColourTable
from scatterheal.config import spelled
from scatterheal.intensity import Intensity
from scatterheal.scale import Scale, scale_of, to_unit
from scatterheal.storage import replacing

# Perceptually uniform, dark where there is nothing.
COLOUR_MAP = "inferno"
DOTS_PER_INCH = 120
# Grey of pixels of which nothing is known.
UNKNOWN = np.uint8(128)
# What makes the last rows of a contact sheet.
OTHERS = "other methods"
# A contact sheet breaks longer rows, so that it stays readable and no viewer refuses it.
LONGEST_ROW = 10
REASON_COLOURS = {
    "gap": "#4c9be8",
    "beamstop": "#e8584c",
    "holder": "#f2a93b",
    "hot_or_dead": "#e03fd8",
    "stripe": "#57c785",
    "user": "#b58df1",
    "outside": "#9a9a9a",
    "unreadable": "#d8d840",
}


class Tile(NamedTuple):
    """One run on a contact sheet."""

    row: str
    """The value of the axis that makes the rows (the learning rate), or which kind of method it is."""
    settings: str
    """The values of the other axes, one to a line."""
    rank: int
    """1 is the best."""
    score: float
    collapsed: bool
    image: Rgb
    pruned: int | None = None
    """After so many iterations it was let go; None: it was not."""


class Look(NamedTuple):
    """How the numbers of a scan are drawn."""

    top: float = 1.0
    """Counts: what gets the brightest colour of `COLOUR_MAP`, on a scale of log(1 + n)."""
    table: ColourTable | None = None
    """A figure's own colour map, which its healing keeps."""
    limits: tuple[float, float] = (0.0, 1.0)
    """A figure: the values at the two ends of its map."""
    scale: str = "linear"
    """A figure: log10 where its limits are log10 of counts."""


def look_of(intensity: NDArray[np.float32], meaning: Mapping[str, Any]) -> Look:
    """The look of a scan: of a figure its own colours, of a frame a scale of counts.

    Parameters
    ----------
    intensity : float32 array (height, width)
        What the scan says; it sets the scale of counts.
    meaning : mapping
        From `scatterheal.intensity`.
    """
    if table := meaning.get("table"):
        colours = ColourTable(np.uint8(table["colours"]), np.array(table["edges"]))
        return Look(table=colours, limits=tuple(meaning["limits"]), scale=meaning["scale"])
    return Look(scale_of(intensity, "counts").high)


def labels(hyperparameters: Mapping[str, Any], axes: Sequence[str]) -> tuple[str, str]:
    """What a tile's row and its title say: the learning rate where the grid has several, and the other axes.

    Examples
    --------
    >>> labels({"method": "dip", "lr": 0.01, "param_noise": False, "seed": 0}, ["lr", "param_noise"])
    ('lr 0.01', 'param_noise false')
    >>> labels({"method": "dip", "start": "radial"}, ["start"])
    ('networks', 'start radial')
    >>> labels({"method": "telea"}, ["lr"])
    ('other methods', 'telea')
    >>> labels({"method": "dip"}, [])
    ('networks', 'dip')
    """
    if hyperparameters["method"] != "dip":
        return OTHERS, hyperparameters["method"]
    spelt = {axis: f"{axis} {spelled(hyperparameters[axis])}" for axis in axes}
    return spelt.pop("lr", "networks"), "\n".join(spelt.values()) if axes else "dip"


def four_digits(score: float) -> str:
    """A score with four significant digits, zeros at its end included.

    Examples
    --------
    >>> four_digits(1.04), four_digits(0.59), four_digits(123456.7)
    ('1.040', '0.5900', '123457')
    """
    decimals = 3 - int(np.floor(np.log10(score))) if 0 < score < np.inf else 3
    return f"{score:.{max(decimals, 0)}f}"


def render(image: NDArray, look: Look) -> Rgb:
    """Colours to look at.

    Parameters
    ----------
    image : uint8 or float32 array (height, width, 3) in 0..255, or float32 array (height, width)
        Colours, which stay as they are; or counts or values, NaN where nothing is known.
    look : Look
        How to draw counts and values.

    Examples
    --------
    >>> render(np.float32([[0, 50]]), Look(top=50)).tolist()
    [[[0, 0, 3], [252, 254, 164]]]
    """
    if image.ndim == 3:
        return np.clip(np.round(image), 0, 255).astype(np.uint8)
    if look.table is None:
        return colormaps[COLOUR_MAP](to_unit(np.nan_to_num(image), Scale("counts", 0, look.top)), bytes=True)[..., :3]
    low, high = look.limits
    known = np.isfinite(image)
    values = np.where(known, image, low)
    if look.scale == "log10":
        # Less than one count has no place on a logarithmic bar but its low end.
        values = np.where(known, np.log10(np.maximum(values, 10.0 ** (low - 1))), low)
    entry = np.searchsorted(look.table.edges, (values - low) / (high - low), side="right") - 1
    drawn = look.table.colours[np.clip(entry, 0, len(look.table.colours) - 1)]
    return np.where(known[..., None], drawn, UNKNOWN).astype(np.uint8)


def mask_overlay(
    path: Path,
    picture: Rgb,
    reasons: NDArray[np.uint8],
    hidden: NDArray[np.bool_] | None,
    centre: tuple[float, float] | None,
    title: str,
) -> None:
    """Draw the mask over the scan, one colour a reason, with the hidden regions of one fold outlined.

    Parameters
    ----------
    path : Path
        The PNG to write.
    picture : uint8 array (height, width, 3)
        The cropped scan.
    reasons : uint8 array (height, width)
        Bits of `scatterheal.masks`.
    hidden : bool array (height, width) or None
        Valid pixels that no training sees, where they are chosen already.
    centre : (x, y) or None
        The beam centre.
    title : str
        Above the picture.
    """
    blended = picture.astype(float)
    patches = []
    for name, bit in REASONS.items():
        where = reasons & bit > 0
        if where.any():
            colour = REASON_COLOURS[name]
            blended[where] = 0.15 * blended[where] + 0.85 * 255 * np.array(to_rgb(colour))
            patches.append(Patch(color=colour, label=f"{name.replace('_', ' ')} {_share(where)}"))
    if hidden is not None:
        patches.append(Patch(fill=False, edgecolor="black", label=f"hidden in the first fold {hidden.mean():.1%}"))
    # As many columns of the legend as the picture is wide.
    # Every pixel of the scan is at least one of the picture, since coordinates are read off here.
    long_side = float(np.clip(max(picture.shape[:2]) / DOTS_PER_INCH, 7, 20))
    columns = max(min(int(long_side * picture.shape[1] / max(picture.shape[:2]) / 1.6), 4), 1)
    below = 0.5 + 0.2 * -(-len(patches) // columns)
    figure, (axes,) = _panels(1, picture.shape[:2], long_side, below=below, left=0.55)
    axes.xaxis.set_major_locator(MaxNLocator(10))
    axes.yaxis.set_major_locator(MaxNLocator(10))
    axes.tick_params(labelsize=8)
    axes.imshow(blended.astype(np.uint8), interpolation="nearest")
    axes.autoscale(False)
    # Two lines, so that one of them is seen on any colour.
    for colour, thickness in (("black", 2.2), ("white", 0.9)):
        if hidden is not None:
            axes.contour(hidden, levels=[0.5], colors=colour, linewidths=thickness)
        if centre is not None:
            axes.plot(*centre, "+", color=colour, markersize=12, markeredgewidth=thickness + 0.8)
    axes.set_title(f"{title}: {(reasons > 0).mean():.1%} missing", fontsize=11)
    figure.legend(handles=patches, loc="lower center", ncols=columns, fontsize=8, frameon=False)
    _save(figure, path)


def contact_sheet(path: Path, tiles: Sequence[Tile], title: str) -> None:
    """Draw every run: networks first, one row a learning rate, then the other methods; in each row the best run first.

    Parameters
    ----------
    path : Path
        The PNG to write.
    tiles : sequence of Tile
        All runs.
    title : str
        Above the sheet.
    """
    ordered = sorted(tiles, key=lambda tile: tile.rank)
    lines: list[list[Tile]] = []
    for row in sorted(dict.fromkeys(tile.row for tile in ordered), key=lambda row: row == OTHERS):
        of_row = [tile for tile in ordered if tile.row == row]
        lines += [of_row[k : k + LONGEST_ROW] for k in range(0, len(of_row), LONGEST_ROW)]
    height, width = tiles[0].image.shape[:2]
    scale = min(2.2 / width, 2.8 / height)
    wide, high = 2.3, scale * height
    label = 0.16 * (1 + max(tile.settings.count("\n") + 1 for tile in tiles)) + 0.12
    size = (max(wide * max(map(len, lines)), 4.2) + 0.5, (high + label) * len(lines) + 0.4)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    figure.suptitle(title, y=1 - 0.08 / size[1], va="top", fontsize=11)
    for number, of_line in enumerate(lines, start=1):
        below = size[1] - 0.35 - (high + label) * number
        for column, tile in enumerate(of_line):
            left = 0.45 + wide * column + (wide - 0.1 - scale * width) / 2
            place = (left / size[0], below / size[1], scale * width / size[0], high / size[1])
            _draw_tile(figure.add_axes(place), tile)
        middle = (below + high / 2) / size[1]
        figure.text(0.22 / size[0], middle, of_line[0].row, rotation=90, va="center", ha="center", fontsize=9)
    _save(figure, path)


def _draw_tile(axes: Axes, tile: Tile) -> None:
    """One run: its image, and above it rank, score and settings."""
    _show(axes, tile.image)
    best = tile.rank == 1 and not tile.collapsed
    score = "collapsed" if tile.collapsed else f"score {four_digits(tile.score)}"
    pruned = "" if tile.pruned is None else f", pruned at {tile.pruned}"
    axes.set_title(
        f"#{tile.rank}  {score}{pruned}\n{tile.settings}".rstrip(),
        fontsize=7.5,
        color="#0a7a35" if best else "#888888" if tile.collapsed else "black",
        fontweight="bold" if best else "normal",
        pad=4,
    )
    for edge in axes.spines.values():
        edge.set(visible=best, color="#0fa34a", linewidth=3)


def evolution(path: Path, snapshots: Sequence[tuple[int, float, Rgb]], taken: int, scan: Rgb, title: str) -> None:
    """Draw how the best run's image came to be (the report's Figure 8).

    Parameters
    ----------
    path : Path
        The PNG to write.
    snapshots : sequence of (iteration, score, image)
        In order.
    taken : int
        The iteration that the run is scored by.
    scan : uint8 array (height, width, 3)
        The scan with its holes, drawn first.
    title : str
        Above the strip.
    """
    figure, panels = _panels(len(snapshots) + 1, scan.shape[:2], long_side=3.0, above=0.65)
    figure.suptitle(title, y=1 - 0.06 / figure.get_figheight(), va="top", fontsize=10)
    _show(panels[0], scan)
    panels[0].set_title("scan", fontsize=9)
    for axes, (iteration, score, image) in zip(panels[1:], snapshots, strict=True):
        _show(axes, image)
        mark = ", taken" if iteration == taken else ""
        axes.set_title(f"iteration {iteration}{mark}\nscore {four_digits(score)}", fontsize=9)
    _save(figure, path)


def as_counted(picture: Rgb, healed: NDArray[np.float32], missing: NDArray[np.bool_], look: Look) -> Rgb:
    """A healed scan as it might have been counted, for the eye alone: with shot noise drawn in its holes.

    Expected counts are smooth and counts are not, so that on a picture of few counts the smooth holes stand out,
    however right they are.

    Parameters
    ----------
    picture : uint8 array (height, width, 3)
        The healed scan; its valid pixels stay as they are here.
    healed : float32 array (height, width)
        Expected counts where they were missing.
    missing : bool array (height, width)
    look : Look

    Returns
    -------
    picture : uint8 array (height, width, 3)
        Always the same for the same scan.

    Examples
    --------
    >>> healed, missing = np.float32([[4, 2.5]]), np.array([[False, True]])
    >>> look = Look(top=4)
    >>> bool((as_counted(render(healed, look), healed, missing, look) == render(np.float32([[4, 2]]), look)).all())
    True
    """
    drawn = np.random.default_rng(0).poisson(np.where(missing, np.maximum(healed, 0), 0)).astype(np.float32)
    return np.where(missing[..., None], render(drawn, look), picture)


def before_after(
    path: Path,
    panels: Sequence[tuple[str, Rgb]],
    title: str,
    look: Look | None,
) -> None:
    """Draw the scan, its mask and its healing side by side (the report's Figure 6), in two rows where they get larger.

    Parameters
    ----------
    path : Path
        The PNG to write.
    panels : sequence of (name, uint8 array (height, width, 3))
        Scan, mask, healed, of counts the same with shot noise in the holes and, where it is known, truth.
    title : str
        Above the panels.
    look : Look or None
        What the colour bar shows; None: there is none.
    """
    shape = panels[0][1].shape[:2]
    # On a page twice as wide as high.
    rows = max((1, 2), key=lambda rows: min(2 * shape[0] / (-(-len(panels) // rows) * shape[1]), 1 / rows))
    figure, axes = _panels(len(panels), shape, long_side=4.2, above=0.65, right=0.9, rows=rows)
    figure.suptitle(title, y=1 - 0.06 / figure.get_figheight(), va="top", fontsize=10)
    for area, (name, image) in zip(axes, panels, strict=True):
        _show(area, image)
        area.set_title(name, fontsize=9)
    if look is not None:
        last, wide = axes[-1].get_position(), figure.get_figwidth()
        beside = figure.add_axes((last.x1 + 0.1 / wide, last.y0, 0.12 / wide, last.height))
        _draw_bar(figure, beside, look)
    _save(figure, path)


def colours(path: Path, image: Rgb, intensity: Intensity, title: str) -> None:
    """Draw a figure, what its colours say, and, where some are off its colour map, how far they are from it.

    Parameters
    ----------
    path : Path
        The PNG to write.
    image : uint8 array (height, width, 3)
        The plot area.
    intensity : Intensity
        With `inverted`; without it only the luminance is drawn.
    title : str
        Above the panels.
    """
    look = look_of(intensity.values, intensity.meaning)
    inverted = intensity.inverted
    off = inverted.off if inverted else np.zeros(image.shape[:2], bool)
    count, right = (3, 0.9) if off.any() else (2, 0.1)
    figure, axes = _panels(count, image.shape[:2], long_side=4.2, above=0.65, right=right)
    figure.suptitle(f"{title}: {intensity.meaning['how']}", y=1 - 0.06 / figure.get_figheight(), va="top", fontsize=9)
    _show(axes[0], image)
    axes[0].set_title("the file's colours", fontsize=9)
    if inverted is None:
        axes[1].imshow(intensity.values, cmap="gray", vmin=0, vmax=255)
        axes[1].set_title("luminance: not monotone in intensity", fontsize=9)
    else:
        _show(axes[1], render(intensity.values, look))
        grey = "grey: off the map" if off.any() else "all on the map"
        axes[1].set_title(f"their {intensity.meaning['unit']}, drawn again; {grey}", fontsize=9)
    if inverted and off.any():
        # Pale where a colour is on the map, so that what is off stands out.
        shown = axes[2].imshow(inverted.residual, cmap="magma_r", vmin=0, vmax=2 * inverted.tolerance)
        axes[2].set_title(f"distance from the map; {_share(off)} off", fontsize=9)
        last, wide = axes[2].get_position(), figure.get_figwidth()
        bar = figure.colorbar(
            shown, cax=figure.add_axes((last.x1 + 0.1 / wide, last.y0, 0.12 / wide, last.height)), extend="max"
        )
        bar.set_label("Lab distance (CIE76)", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    _save(figure, path)


def _share(where: NDArray[np.bool_]) -> str:
    """The share of pixels, or how many they are where that would read as none."""
    share, count = f"{where.mean():.2%}", int(where.sum())
    return share if share != "0.00%" else f"{count} pixel" if count == 1 else f"{count} pixels"


def _draw_bar(figure: Figure, beside: Axes, look: Look) -> None:
    if look.table is not None:
        norm = Normalize(*look.limits)
        bar = figure.colorbar(ScalarMappable(norm, ListedColormap(look.table.colours / 255)), cax=beside)
        bar.set_label("log10 counts" if look.scale == "log10" else "the figure's values", fontsize=8)
    else:
        norm = FuncNorm((lambda n: np.log1p(np.maximum(n, 0)), np.expm1), vmin=0, vmax=look.top)
        bar = figure.colorbar(ScalarMappable(norm, COLOUR_MAP), cax=beside, extend="max")
        ticks = [0, *(step * 10**decade for decade in range(8) for step in (1, 2, 5))]
        ticks = [n for n in ticks if n <= look.top]
        bar.set_ticks(ticks, labels=[f"{n:,}" for n in ticks])
        bar.minorticks_off()
        bar.set_label("counts", fontsize=8)
    beside.tick_params(labelsize=7)


def _panels(
    count: int,
    shape: tuple[int, int],
    long_side: float,
    above: float = 0.4,
    below: float = 0.1,
    right: float = 0.1,
    left: float = 0.1,
    rows: int = 1,
) -> tuple[Figure, list[Axes]]:
    """Equal axes side by side, each as large as its image needs (inches)."""
    # No panel gets narrower or lower than its title needs.
    height, width = (max(long_side * side / max(shape), 1.6) for side in shape)
    gap, between = 0.1, 0.45
    columns = -(-count // rows)
    size = (left + columns * (width + gap) - gap + right, rows * (height + between) - between + above + below)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    axes = []
    for k in range(count):
        x, y = left + k % columns * (width + gap), below + (rows - 1 - k // columns) * (height + between)
        axes.append(figure.add_axes((x / size[0], y / size[1], width / size[0], height / size[1])))
    for area in axes:
        area.set_xticks([])
        area.set_yticks([])
    return figure, axes


def _show(axes: Axes, image: Rgb) -> None:
    axes.imshow(image, interpolation="antialiased")
    axes.set_xticks([])
    axes.set_yticks([])


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as part:
        # Without the date and version that matplotlib writes into a PNG, the same run gives the same bytes.
        figure.savefig(part, metadata={"Software": None})
