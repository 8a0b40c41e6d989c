"""Pictures of what healing does to physics, and of how sure it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import LogFormatter, PercentFormatter
from numpy.typing import NDArray

from scatterheal.pictures import DOTS_PER_INCH
from scatterheal.storage import replacing
from scatterheal.uncertainty import LEVELS, Coverage

if TYPE_CHECKING:
    import pandas as pd

# Three of Okabe and Ito's colours, which colour-blind people tell apart; the lines' widths and dashes differ too.
STYLES: dict[str, dict[str, Any]] = {
    "before": {"color": "#000000", "linewidth": 0.9, "zorder": 3},
    "after": {"color": "#D55E00", "linewidth": 2.0, "zorder": 2},
    "truth": {"color": "#0072B2", "linewidth": 1.2, "linestyle": (0, (4, 2)), "zorder": 4},
}
NAMES = {"before": "before, valid pixels", "after": "after healing", "truth": "truth"}
SHADE = "#009E73"
# A mean over fewer pixels says too little to set a scale by.
FEW_PIXELS = 20
BINS = 20


def radial(path: Path, table: pd.DataFrame, summary: Mapping[str, Any], title: str, unit: str) -> None:
    """Draw I(q) before and after healing, and in truth where it is known, with their ratio below.

    Parameters
    ----------
    path : Path
        The PNG to write.
    table, summary : DataFrame, mapping
        `radial` and `summary` of `scatterheal.profiles.Comparison`.
    title : str
        Above the picture.
    unit : {"counts", "values"}
        What the intensity is.
    """
    figure, (upper, lower) = _figure((7, 5.6), 2, 1, sharex=True, height_ratios=(3, 1))
    known_q = bool(table.q.notna().any())
    x = (table.q if known_q else table.radius).to_numpy()
    reference = "truth" if "truth_intensity" in table else "before"
    sure = (table.before_pixels >= FEW_PIXELS).to_numpy()
    largest = [0.02]
    for state in _states(table):
        intensity, error = (table[f"{state}_{what}"].to_numpy() for what in ("intensity", "error"))
        _line(upper, x, intensity, error, state, NAMES[state])
        if state != reference:
            base = table[f"{reference}_intensity"].to_numpy()
            base = np.where(base > 0, base, np.nan)
            # Before and after share most of their pixels and of their noise.
            _line(lower, x, intensity / base, 0 * base if reference == "before" else error / base, state)
            away = np.abs(intensity / base - 1)[sure & np.isfinite(base)]
            largest.append(1.5 * float(np.quantile(away, 0.98)) if away.size else 0)
    _mark_ring((upper, lower), summary["ring"], known_q)
    shown = table.before_intensity[sure & (table.before_intensity > 0)]
    upper.set_yscale("log")
    upper.yaxis.set_major_formatter(LogFormatter())
    upper.yaxis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(1.2, 0.4)))
    upper.tick_params(which="minor", labelsize=7)
    if len(shown):
        upper.set_ylim(shown.min() / 1.6, shown.max() * 1.6)
    lower.set_ylim(1 - min(max(largest), 1), 1 + min(max(largest), 1))
    lower.axhline(1, **STYLES[reference])
    upper.set_ylabel(f"I ({unit} per pixel)")
    lower.set_ylabel(f"I / I {reference}")
    lower.set_xlabel("q (1/nm)" if known_q else "distance from the beam (pixels)")
    upper.legend(fontsize=8, frameon=False)
    factors = {key.replace("_", " to "): value for key, value in summary["r_factor"].items() if value is not None}
    upper.set_title("R factor " + ", ".join(f"{key} {value:.2%}" for key, value in factors.items()), fontsize=8)
    _save(figure, path, title)


def azimuthal(path: Path, table: pd.DataFrame, summary: Mapping[str, Any], title: str, unit: str) -> None:
    """Draw I(chi) on the strongest ring before and after healing, and in truth, with Hermans' parameter of each.

    Parameters
    ----------
    path : Path
        The PNG to write.
    table, summary : DataFrame, mapping
        `azimuthal` and `summary` of `scatterheal.profiles.Comparison`.
    title : str
        Above the picture.
    unit : {"counts", "values"}
        What the intensity is.
    """
    figure, axes = _figure((7, 4.2))
    for state in _states(table):
        intensity, error = (table[f"{state}_{what}"].to_numpy() for what in ("intensity", "error"))
        _line(axes, table.chi.to_numpy(), intensity, error, state, _with_hermans(state, summary))
    missing = table.before_intensity.isna().to_numpy() if len(table) else np.zeros(0, bool)
    step = 360 / max(len(table), 1)
    for k, chi in enumerate(table.chi[missing]):
        axes.axvspan(
            chi - step / 2,
            chi + step / 2,
            color="#bbbbbb",
            alpha=0.35,
            linewidth=0,
            label="" if k else "missing before",
        )
    axes.axhline(0, color="#888888", linewidth=0.6)
    axes.set_xlim(-180, 180)
    axes.set_xticks(range(-180, 181, 45))
    axes.set_xlabel("azimuth chi from x towards y (degrees)")
    ring = summary["ring"]
    above = " above its background" if ring and ring["inner"] is not None else ""
    axes.set_ylabel(f"I{above} ({unit} per pixel)")
    if ring:
        at = f"q = {ring['q']:.4g} 1/nm" if ring["q"] else f"r = {ring['radius']:.1f} pixels"
        what = "ring" if ring["kind"] == "ring" else "most anisotropic radii, no ring"
        axes.set_title(f"{what}: {at}, width {ring['width']:.1f} pixels", fontsize=8)
        axes.legend(fontsize=8, frameon=False)
    else:
        axes.set_title("valid pixels go nowhere half round the beam", fontsize=8)
    _save(figure, path, title)


def nothing(path: Path, why: str, title: str) -> None:
    """Draw why a scan has no such picture.

    Parameters
    ----------
    path : Path
        The PNG to write.
    why, title : str
    """
    figure, axes = _figure((5, 1.4), 1, 1)
    axes.axis("off")
    axes.text(0.5, 0.5, f"not drawn: {why}", ha="center", va="center", fontsize=9)
    _save(figure, path, title)


def calibration(path: Path, found: Coverage, title: str) -> None:
    """Draw whether hidden pixels lie where their predicted distributions say, and how often intervals hold them.

    Parameters
    ----------
    path : Path
        The PNG to write.
    found : Coverage
        From `scatterheal.uncertainty.coverage`.
    title : str
        Above the picture.
    """
    figure, (left, right) = _figure((9, 3.9), 1, 2, width_ratios=(1, 1.1))
    share = np.histogram(found.pit, BINS, (0, 1))[0] / max(len(found.pit), 1) * BINS
    chance = np.sqrt(BINS / max(len(found.pit), 1))
    left.axhspan(1 - 2 * chance, 1 + 2 * chance, color=SHADE, alpha=0.25, linewidth=0, label="even, 2 sd of chance")
    left.stairs(share, np.linspace(0, 1, BINS + 1), **STYLES["after"], label=f"{len(found.pit):,} hidden pixels")
    left.set_xlim(0, 1)
    left.set_ylim(0, max(1.5, 1.1 * share.max()))
    left.set_xlabel("place in the predicted distribution (PIT)")
    left.set_ylabel("density")
    left.legend(fontsize=8, frameon=False, loc="lower center")
    sides = sorted(found.table.side.unique())
    # Wanted: 68 +- 3 % and 95 +- 2 %.
    for level, around, marker, colour in zip(LEVELS, (0.03, 0.02), "os", ("#D55E00", "#0072B2"), strict=True):
        right.axhspan(level - around, level + around, color=SHADE, alpha=0.2, linewidth=0)
        for place, side in enumerate(sides):
            within = found.table[found.table.side == side][f"within_{level * 100:.0f}"]
            beside = place + 0.12 * (np.arange(len(within)) - (len(within) - 1) / 2)
            right.plot(
                beside, within, marker, color=colour, markersize=5, label="" if place else f"{level:.0%} interval"
            )
    right.set_xticks(range(len(sides)), ["pixels" if side == 1 else f"sums over\n{side} x {side}" for side in sides])
    right.set_xlim(-0.6, len(sides) - 0.4)
    right.set_ylim(0.5, 1)
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.set_ylabel("hidden counts inside; a dot each fold")
    right.legend(fontsize=8, frameon=False, loc="center", bbox_to_anchor=(0.5, 0.66))
    _save(figure, path, title)


def sd_map(
    path: Path,
    sd: NDArray[np.float32],
    rate: NDArray[np.float32],
    valid: NDArray[np.bool_],
    beyond: NDArray[np.bool_],
    title: str,
) -> None:
    """Draw how sure each healed pixel is: its sd as a share of its rate, over the valid pixels in grey.

    Parameters
    ----------
    path : Path
        The PNG to write.
    sd, rate : float32 arrays (height, width)
        Standard deviation of the healed pixels' rates, and the rates.
    valid : bool array (height, width)
        The pixels that were not healed.
    beyond : bool array (height, width)
        Healed pixels that nothing validates; they are outlined.
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
    healed = share[~valid]
    low, high_end = np.quantile(healed, [0.02, 0.98]) if healed.size else (0.01, 0.1)
    norm = LogNorm(max(low, 1e-3), max(high_end, 1.5 * low, 2e-3))
    shown = axes.imshow(share, cmap="viridis", norm=norm, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    legend: list[Patch | Line2D] = [Patch(color="#606060", label="valid")]
    if beyond.any():
        for colour, thickness in (("black", 2.2), ("white", 0.9)):
            axes.contour(beyond, levels=[0.5], colors=colour, linewidths=thickness)
        legend.append(Patch(fill=False, edgecolor="black", label="not validated"))
    bar = figure.colorbar(shown, cax=beside, extend="both")
    ticks = [step * 10**decade for decade in range(-3, 2) for step in (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)]
    ticks = [tick for tick in ticks if norm.vmin <= tick <= norm.vmax]
    bar.set_ticks(ticks, labels=[f"{tick:.3g} %" for tick in np.multiply(ticks, 100)])
    bar.minorticks_off()
    bar.set_label("sd of the healed rate / rate", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    figure.legend(handles=legend, loc="lower left", ncols=2, fontsize=8, frameon=False)
    _save(figure, path, title)


def _figure(size: tuple[float, float], *grid: int, **kwargs: Any) -> tuple[Figure, Any]:
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


def _states(table: pd.DataFrame) -> list[str]:
    """Which of before, after and truth a table has."""
    return [state for state in STYLES if f"{state}_intensity" in table]


def _line(
    axes: Axes,
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    error: NDArray[np.floating],
    state: str,
    label: str | None = None,
) -> None:
    """A curve with a band of one standard deviation on both sides."""
    style = STYLES[state]
    axes.plot(x, y, label=label, **style)
    axes.fill_between(
        x, y - error, y + error, color=style["color"], alpha=0.15, linewidth=0, zorder=style["zorder"] - 2
    )


def _mark_ring(areas: Sequence[Axes], ring: Mapping[str, Any] | None, known_q: bool) -> None:
    """Shade the radii over which I(chi) is taken."""
    if ring is None:
        return
    scale = ring["q"] / ring["radius"] if known_q else 1.0
    for axes in areas:
        axes.axvspan(
            scale * ring["low"],
            scale * ring["high"],
            color=SHADE,
            alpha=0.18,
            linewidth=0,
            label="strongest ring" if ring["kind"] == "ring" else "most anisotropic radii",
        )


def _with_hermans(state: str, summary: Mapping[str, Any]) -> str:
    """The legend of one I(chi): its f, and how far that is from the truth."""
    found = summary["orientation"].get(state)
    if found is None:
        return f"{NAMES[state]}: too little is measured for f"
    sure = found["hermans_error"]
    text = f"{NAMES[state]}: f = {found['hermans']:.4f}" + (f" ± {sure:.4f}" if sure else "")
    error = summary.get("orientation_error_percent", {}).get(state)
    return text if error is None else f"{text} ({error:+.2f} %)"


def _save(figure: Figure, path: Path, title: str) -> None:
    figure.suptitle(title, fontsize=10)
    with replacing(path) as part:
        # Without the date and version that matplotlib writes into a PNG, the same run gives the same bytes.
        figure.savefig(part, metadata={"Software": None})
