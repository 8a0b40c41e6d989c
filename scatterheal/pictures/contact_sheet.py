"""All runs of a scan on one sheet, the best first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from scatterheal.pictures.style import DOTS_PER_INCH, save, show
from scatterheal.reading.bitmaps import Rgb
from scatterheal.settings.runs import spelled

# What makes the last rows of a contact sheet.
OTHERS = "other methods"
# A contact sheet breaks longer rows, so that it stays readable and no viewer refuses it.
LONGEST_ROW = 10


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
    save(figure, path)


def _draw_tile(axes: Axes, tile: Tile) -> None:
    """One run: its image, and above it rank, score and settings."""
    show(axes, tile.image)
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
