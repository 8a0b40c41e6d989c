"""What all pictures share: their size, titles and colour bars, and how they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import FuncNorm, ListedColormap, Normalize
from matplotlib.figure import Figure

from scatterheal.pictures.look import COLOUR_MAP, Look
from scatterheal.reading.bitmaps import Rgb
from scatterheal.storage import replacing

DOTS_PER_INCH = 120


def draw_bar(figure: Figure, beside: Axes, look: Look) -> None:
    """The colour bar of a scan's look."""
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


def in_a_row(
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


def show(axes: Axes, image: Rgb) -> None:
    """An image without ticks."""
    axes.imshow(image, interpolation="antialiased")
    axes.set_xticks([])
    axes.set_yticks([])


def save(figure: Figure, path: Path) -> None:
    """Write a picture, the same bytes for the same picture."""
    with replacing(path) as part:
        # Without the date and version that matplotlib writes into a PNG, the same run gives the same bytes.
        figure.savefig(part, metadata={"Software": None})


def new_figure(size: tuple[float, float], *grid: int, **kwargs: Any) -> tuple[Figure, Any]:
    """An empty picture with its axes."""
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(*grid, **kwargs)
    for area in np.ravel(axes):
        area.tick_params(labelsize=8)
        area.xaxis.label.set_size(9)
        area.yaxis.label.set_size(9)
        area.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save_titled(figure: Figure, path: Path, title: str) -> None:
    """Write a picture with a title above it."""
    figure.suptitle(title, fontsize=10)
    save(figure, path)
