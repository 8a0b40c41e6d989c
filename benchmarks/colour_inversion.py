"""How well a figure's colours turn back into counts.

python benchmarks/colour_inversion.py

The demo figure, whose counts are known, needs nothing else. The real scans are taken where they lie beside
the repository (tests/scans names them): one of them exists both as a figure and as the frame that it shows,
which is the proof; the others tell how many colours are off the map or clipped, and whether
their values look like log10 of whole counts.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from skimage.color import rgb2lab

from scatterheal.app import simulate
from scatterheal.pattern.meaning import ColourTable
from scatterheal.reading import colour_maps, crop, frames, plot_area
from scatterheal.settings.models import Scan
from scatterheal.settings.reading import read_scans, scan_files

ROOT = Path(__file__).parents[1]


def shown_in_figure(counts: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """The counts of HDPE_85_low.fig at the pixels of HDPE_85_low.eps.

    MATLAB kept every second row and column of the frame, flipped it up-down and sampled it at the nearest
    pixel; with this mapping all 385 284 pixels agree.
    """
    kept = counts[1::2, 1::2][::-1]
    rows, columns = (((np.arange(n) + 0.5) * size / n).astype(int) for n, size in zip(shape, kept.shape, strict=True))
    return kept[np.ix_(rows, columns)]


def compare(name: str, inverted: colour_maps.Inverted, limits: tuple[float, float], truth: NDArray[np.float32]) -> None:
    """One row: how many counts are exactly right, and by how much the others are wrong."""
    values = colour_maps.to_values(inverted, limits, "log10")
    clipped = inverted.clipped_low | inverted.clipped_high
    open_ = ~inverted.off & ~clipped
    wrong = open_ & (values != truth)
    error = np.abs(values[wrong] / np.maximum(truth[wrong], 1) - 1)
    low, high = inverted.clipped_low & ~inverted.off, inverted.clipped_high & ~inverted.off
    # At the low end stands half of the most that the colour may mean.
    held = (2 * values >= truth)[low].all() and (values <= truth)[high].all()
    print(
        f"| {name} | {inverted.off.mean():.2%} | {low.mean():.2%} | {high.mean():.3%} "
        f"| {held} | {(values == truth)[open_].mean():.3%} | {np.median(error) if wrong.any() else 0:.2%} "
        f"| {error.max() if wrong.any() else 0:.2%} | {values[open_].sum() / truth[open_].sum() - 1:+.4%} |"
    )


def known_counts(scans: dict[str, Scan]) -> None:
    """Figures whose counts are known."""
    print("| figure | off | clipped low | clipped high | clipped bounds hold | exactly right, unclipped ", end="")
    print("| median error of the others | largest | bias of the sum |")
    print("|---|---|---|---|---|---|---|---|---|")
    cropped = crop.crop_scan(ROOT / "scans" / "demo_saxs.png", "figure", "auto")
    expected = simulate.saxs_pattern()
    drawn = np.random.default_rng(1).poisson(expected).astype(np.float32)
    # The plot area starts 52 pixels from the left and 34 from the top, see simulate.demo_figure.
    left, top, right, bottom = cropped.crop.box
    inside = plot_area.Box(left - 52, top - 34, right - 52, bottom - 34)
    inverted = colour_maps.invert(cropped.image, colour_maps.colour_table(cropped.crop.colour_bar))
    radius, _ = simulate.radius_and_azimuth(simulate.FIGURE_SHAPE, simulate.FIGURE_CENTRE)
    drawn[27:35] = drawn[115:123] = 0
    drawn[radius < 5] = 0
    holder = np.zeros(drawn.shape, bool)
    holder[89:, 101:106] = True  # A tenth of the counts there, no whole numbers.
    compare(
        "demo_saxs.png",
        inverted._replace(off=inverted.off | inside.of(holder)),
        simulate.COLOUR_RANGE,
        inside.of(drawn),
    )
    if scans:
        scan = scans["HDPE_85_low"]
        cropped = crop.crop_scan(scan.image, scan.kind, scan.crop)
        counts = frames.read_frame(scans["HDPE_85_low_frame"].image).counts
        inverted = colour_maps.invert(cropped.image, colour_maps.colour_table(cropped.crop.colour_bar))
        compare(scan.image.name, inverted, cropped.crop.bar_labels.limits, shown_in_figure(counts, inverted.off.shape))


def real_figures(scans: dict[str, Scan]) -> None:
    """All real figures: what their colours tell."""
    print(
        "\n| figure | range in the file | scale in the file | off | exact | residual, median | 99 % | clipped low ",
        end="",
    )
    print("| clipped high | whole counts | by chance |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for scan in scans.values():
        if scan.kind == "frame":
            continue
        cropped = crop.crop_scan(scan.image, scan.kind, scan.crop)
        table, labels = colour_maps.colour_table(cropped.crop.colour_bar), cropped.crop.bar_labels
        inverted = colour_maps.invert(cropped.image, table)
        whole = whole_counts(inverted, table, labels.limits) if labels.limits else "- | -"
        print(
            f"| {scan.image.name} | {labels.limits} | {labels.scale} | {inverted.off.mean():.2%} "
            f"| {(inverted.residual == 0).mean():.1%} | {np.median(inverted.residual):.2f} "
            f"| {np.percentile(inverted.residual, 99):.2f} | {inverted.clipped_low.mean():.1%} "
            f"| {inverted.clipped_high.mean():.3%} | {whole} |"
        )


def whole_counts(inverted: colour_maps.Inverted, table: ColourTable, limits: tuple[float, float]) -> str:
    """Shares of unclipped pixels, and of entries, below 30 counts whose interval holds a whole count: two cells."""
    low, high = limits

    def holds(lower: NDArray, upper: NDArray) -> NDArray[np.bool_]:
        first, beyond = (
            np.ceil(10 ** (low + (high - low) * edge.astype(float)) * (1 - 1e-6)) for edge in (lower, upper)
        )
        return beyond > first

    top = (np.log10(30) - low) / (high - low)
    few = ~inverted.off & ~inverted.clipped_low & (inverted.upper < top)
    entries = table.edges[1:] < top
    entries[0] = False
    by_chance = holds(table.edges[:-1][entries], table.edges[1:][entries]).mean()
    return f"{holds(inverted.lower[few], inverted.upper[few]).mean():.1%} | {by_chance:.1%}"


def jpeg(scan: Scan) -> None:
    """A JPEG with the colours of parula: whether its inversion is monotone."""
    print(f"\n| {scan.image.name} by | off | along the bar: rank correlation | largest step back, entries ", end="")
    print("| residual on the bar, median | radial profile: rank correlation with luminance ", end="")
    print("| position against the row above, entries: median | 99 % |")
    print("|---|---|---|---|---|---|---|---|")
    cropped = crop.crop_scan(scan.image, scan.kind, scan.crop)
    luminance = rgb2lab(cropped.image)[..., 0]
    rows, columns = np.indices(luminance.shape)
    radius = np.hypot(columns - scan.centre[0], rows - scan.centre[1]).astype(int)
    bar = cropped.crop.colour_bar
    above = None
    for name, table in {
        "the map that its colour bar shows (parula)": colour_maps.colour_table(bar),
        "its colour bar, pixel by pixel": ColourTable(bar, np.linspace(0, 1, len(bar) + 1)),
    }.items():
        inverted = colour_maps.invert(cropped.image, table)
        along = colour_maps.invert(bar[None], table)
        position = along.position[0][~along.off[0]]
        known = ~inverted.off & ~inverted.clipped_low
        number = np.bincount(radius[known])
        there = number > 20
        profiles = (np.bincount(radius[known], shown[known])[there] for shown in (inverted.position, luminance))
        apart = "| - | - |"
        if above is not None:
            entries = 256 * np.abs(inverted.position - above)
            apart = f"| {np.nanmedian(entries):.1f} | {np.nanpercentile(entries, 99):.1f} |"
        above = inverted.position
        print(
            f"| {name} | {inverted.off.mean():.2%} | {spearmanr(np.arange(len(position)), position).statistic:.5f} "
            f"| {max(0, -np.diff(position).min() * 256):.0f} | {np.median(along.residual):.2f} "
            f"| {spearmanr(*(profile / number[there] for profile in profiles)).statistic:.4f} {apart}"
        )


def main() -> None:
    """Print the tables."""
    scans = {}
    if (ROOT.parent / "shared" / "scans").is_dir():
        scans, _ = read_scans(scan_files(str(ROOT / "tests" / "scans")))
    known_counts(scans)
    if scans:
        real_figures(scans)
        jpeg(scans["latest_0009102"])


if __name__ == "__main__":
    main()
