"""How sure each healed pixel is, and whether that holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from scatterheal.pictures.curves import ROUND, SHADE, STYLES
from scatterheal.pictures.style import DOTS_PER_INCH, new_figure, save_titled
from scatterheal.validation.coverage import LEVELS, Coverage

if TYPE_CHECKING:
    import pandas as pd

BINS = 20


def draw_calibration(path: Path, found: Coverage, title: str) -> None:
    """Draw whether hidden pixels lie where their predicted distributions say, and how often intervals hold them.

    The bars of a share are one standard deviation of chance: that of as many independent draws, each inside with the
    probability that the interval promises.

    Parameters
    ----------
    path : Path
        The PNG to write.
    found : Coverage
        From `scatterheal.validation.coverage.coverage`.
    title : str
        Above the picture.
    """
    figure, (left, right) = new_figure((9, 4.1), 1, 2, width_ratios=(1, 1.1))
    share = np.histogram(found.pit, BINS, (0, 1))[0] / max(len(found.pit), 1) * BINS
    chance = np.sqrt(BINS / max(len(found.pit), 1))
    left.axhspan(
        1 - 2 * chance, 1 + 2 * chance, color=SHADE, alpha=0.25, linewidth=0, label="flat, give or take 2 sd of chance"
    )
    left.stairs(share, np.linspace(0, 1, BINS + 1), **STYLES["after"], label=f"{len(found.pit):,} hidden pixels")
    left.set_xlim(0, 1)
    left.set_ylim(0, max(1.5, 1.1 * share.max()))
    left.set_xlabel("place in the predicted distribution (PIT)")
    left.set_ylabel("density")
    sides = sorted(found.table.side.unique())
    # Wanted: 68 +- 3 % and 95 +- 2 %.
    for level, around, marker, colour in zip(LEVELS, (0.03, 0.02), "os", ("#D55E00", "#0072B2"), strict=True):
        goal = right.axhspan(level - around, level + around, color=SHADE, alpha=0.2, linewidth=0)
        for place, side in enumerate(sides):
            rows = found.table[found.table.side == side]
            beside = place + 0.12 * (np.arange(len(rows)) - (len(rows) - 1) / 2)
            right.errorbar(
                beside,
                rows[f"within_{level * 100:.0f}"],
                np.sqrt(level * (1 - level) / rows.judged),
                fmt=marker,
                color=colour,
                markersize=5,
                linewidth=1,
                label="" if place else f"{level:.0%} interval",
            )
    goal.set_label("goal")
    right.set_xticks(range(len(sides)), [_judged(found.table, side) for side in sides])
    right.set_xlim(-0.6, len(sides) - 0.4)
    right.set_ylim(min(0.5, right.get_ylim()[0]), 1.02)
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.set_xlabel("a dot each fold; bars: one sd of chance")
    right.set_ylabel("hidden counts inside")
    for axes in (left, right):
        axes.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    save_titled(figure, path, title)


def draw_sd(
    path: Path,
    sd: NDArray[np.float32],
    rate: NDArray[np.float32],
    valid: NDArray[np.bool_],
    title: str,
) -> None:
    """Draw how sure each healed pixel is: its sd as a share of its rate, over the valid pixels in grey.

    Parameters
    ----------
    path : Path
        The PNG to write.
    sd, rate : float32 arrays (height, width)
        Standard deviation of the healed pixels' rates, NaN where nothing validates it (hatched), and the rates.
    valid : bool array (height, width)
        The pixels that were not healed.
    title : str
        Above the picture.
    """
    height, width = valid.shape
    long_side = float(np.clip(max(valid.shape) / DOTS_PER_INCH, 5, 12))
    wide, high = (long_side * side / max(valid.shape) for side in (width, height))
    figure = Figure(figsize=(max(wide, 3.2) + 1.1, high + 0.8), dpi=DOTS_PER_INCH)
    FigureCanvasAgg(figure)
    size = figure.get_size_inches()
    axes = figure.add_axes((0.1 / size[0], 0.35 / size[1], wide / size[0], high / size[1]))
    beside = figure.add_axes(((0.2 + wide) / size[0], 0.35 / size[1], 0.14 / size[0], high / size[1]))
    grey = np.log1p(np.maximum(np.nan_to_num(rate), 0))
    axes.imshow(grey, cmap="gray", vmin=0, vmax=2 * max(float(np.quantile(grey, 0.995)), 1e-9))
    share = np.where(valid, np.nan, sd / np.maximum(rate, 1e-9))
    healed = share[np.isfinite(share)]
    # The scale starts at nothing and ends at a round number, so that both of its ends are labelled.
    highest = float(np.quantile(healed, 0.98)) if healed.size else 0.1
    ticks = np.asarray(MaxNLocator(5, steps=ROUND).tick_values(0, max(highest, 1e-3)))
    shown = axes.imshow(share, cmap="viridis", norm=Normalize(0, ticks[-1]), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    legend = [Patch(color="#606060", label="valid")]
    unknown = ~valid & np.isnan(sd)
    if unknown.any():
        axes.contourf(unknown, levels=[0.5, 1.5], colors=["#d0d0d0"], hatches=["/////"])
        legend.append(Patch(facecolor="#d0d0d0", edgecolor="black", hatch="/////", label="not validated"))
    bar = figure.colorbar(shown, cax=beside, extend="max" if healed.max(initial=0) > ticks[-1] else "neither")
    bar.set_ticks(ticks.tolist(), labels=[f"{tick:.3g} %" for tick in 100 * ticks])
    bar.set_label("sd of the healed rate / rate", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    figure.legend(handles=legend, loc="lower left", ncols=2, fontsize=8, frameon=False)
    save_titled(figure, path, title)


def _judged(table: pd.DataFrame, side: int) -> str:
    """A tick of the coverage: what was judged, and how many of them in the folds."""
    judged = table.judged[table.side == side]
    what = "pixels" if side == 1 else f"sums over\n{side} x {side}"
    fewest, most = f"{judged.min():,}", f"{judged.max():,}"
    return f"{what}\nn = {fewest}" + (f" to {most}" if most != fewest else "")
