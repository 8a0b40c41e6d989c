"""I(q) and I(chi), before and after healing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import NDArray

from scatterheal.pictures.style import new_figure, save_titled

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
# Steps of ticks, of which 1 is always a multiple where the step is not longer.
ROUND = (1, 2, 2.5, 5, 10)


def radial(path: Path, table: pd.DataFrame, summary: Mapping[str, Any], title: str, unit: str) -> None:
    """Draw I(q) before and after healing, and in truth where it is known, with their ratio below.

    Without geometry it is I(r), of the distance from the beam in pixels.

    Parameters
    ----------
    path : Path
        The PNG to write.
    table, summary : DataFrame, mapping
        `radial` and `summary` of `scatterheal.physics.compare.Comparison`.
    title : str
        Above the picture.
    unit : {"counts", "values"}
        What the intensity is.
    """
    figure, (upper, lower) = new_figure((7, 6), 2, 1, sharex=True, height_ratios=(5, 2))
    known_q = bool(table.q.notna().any())
    x = (table.q if known_q else table.radius).to_numpy()
    reference = "truth" if "truth_intensity" in table else "before"
    intensities, ratios = [], [np.array([0.98, 1.02])]
    for state in _states(table):
        intensity, error = (table[f"{state}_{what}"].to_numpy() for what in ("intensity", "error"))
        _line(upper, x, intensity, error, state, NAMES[state])
        intensities.append(intensity)
        if state != reference:
            base = table[f"{reference}_intensity"].to_numpy()
            base = np.where(base > 0, base, np.nan)
            # Before and after share most of their pixels and of their noise.
            _line(lower, x, intensity / base, 0 * base if reference == "before" else error / base, state)
            ratios.append(intensity / base)
    for axes in (upper, lower):
        _shade_missing(axes, x, table)
    _mark_ring((upper, lower), summary["ring"], known_q)
    _logarithmic(upper, np.concatenate(intensities), 8)
    _logarithmic(lower, np.concatenate(ratios), 6)
    lower.axhline(1, **STYLES[reference])
    upper.set_ylabel(f"I({'q' if known_q else 'r'}) ({unit} per pixel)")
    lower.set_ylabel(f"I / I {reference}")
    lower.set_xlabel("q (1/nm)" if known_q else "distance r from the beam (pixels)")
    figure.legend(*upper.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    factors = {key.replace("_", " to "): value for key, value in summary["r_factor"].items() if value is not None}
    upper.set_title(
        "R factor where measured before: " + ", ".join(f"{key} {value:.2%}" for key, value in factors.items()),
        fontsize=8,
    )
    save_titled(figure, path, title)


def azimuthal(path: Path, table: pd.DataFrame, summary: Mapping[str, Any], title: str, unit: str) -> None:
    """Draw I(chi) on the strongest ring before and after healing, and in truth, with Hermans' parameter of each.

    Parameters
    ----------
    path : Path
        The PNG to write.
    table, summary : DataFrame, mapping
        `azimuthal` and `summary` of `scatterheal.physics.compare.Comparison`.
    title : str
        Above the picture.
    unit : {"counts", "values"}
        What the intensity is.
    """
    figure, axes = new_figure((7, 4.2))
    for state in _states(table):
        intensity, error = (table[f"{state}_{what}"].to_numpy() for what in ("intensity", "error"))
        _line(axes, table.chi.to_numpy(), intensity, error, state, _with_hermans(state, summary))
    _shade_missing(axes, table.chi.to_numpy(), table)
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
        axes.set_title(f"{what}: {at}, full width {ring['width']:.1f} pixels", fontsize=8)
        figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    else:
        axes.set_title("valid pixels go nowhere half round the beam", fontsize=8)
    save_titled(figure, path, title)


def nothing(path: Path, why: str, title: str) -> None:
    """Draw why a scan has no such picture.

    Parameters
    ----------
    path : Path
        The PNG to write.
    why, title : str
    """
    figure, axes = new_figure((5, 1.4), 1, 1)
    axes.axis("off")
    axes.text(0.5, 0.5, f"not drawn: {why}", ha="center", va="center", fontsize=9)
    save_titled(figure, path, title)


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


def _logarithmic(axes: Axes, values: NDArray[np.floating], most: int) -> None:
    """A logarithmic y axis over the full range of all positive values, with at most so many labelled ticks."""
    positive = values[np.isfinite(values) & (values > 0)]
    low, high = (positive.min(), positive.max()) if positive.size else (0.5, 2.0)
    margin = max((high / low) ** 0.05, 1.02)
    low, high = low / margin, high * margin
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.set_yticks(ticks := _ticks(low, high, most), labels=[f"{tick:g}" for tick in ticks])
    axes.yaxis.set_minor_formatter(NullFormatter())


def _ticks(low: float, high: float, most: int) -> list[float]:
    """At most so many round numbers for a logarithmic axis, evenly apart on it or, on a short one, in themselves."""
    if high < 4 * low:
        even = np.asarray(MaxNLocator(most - 1, steps=ROUND).tick_values(low, high))
        return [tick for tick in even.tolist() if low <= tick <= high]
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))))
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        ticks = [tick for decade in decades for step in steps if low <= (tick := step * 10.0**decade) <= high]
        if len(ticks) <= most:
            break
    return ticks[:: -(-len(ticks) // most)]


def _shade_missing(axes: Axes, x: NDArray[np.floating], table: pd.DataFrame) -> None:
    """Grey where nothing was measured, so that all that is drawn there is an estimate."""
    step = np.diff(x).mean() if len(x) > 1 else 1.0
    missing = table.before_intensity.isna().to_numpy() if len(table) else np.zeros(0, bool)
    for k, at in enumerate(x[missing]):
        label = "" if k else "missing before"
        axes.axvspan(at - step / 2, at + step / 2, color="#bbbbbb", alpha=0.35, linewidth=0, label=label)


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
