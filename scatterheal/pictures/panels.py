"""A scan and what became of it, side by side: before and after, and how its image came to be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scatterheal.pictures.contact_sheet import four_digits
from scatterheal.pictures.look import Look
from scatterheal.pictures.style import draw_bar, in_a_row, save, show
from scatterheal.reading.bitmaps import Rgb


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
    figure, panels = in_a_row(len(snapshots) + 1, scan.shape[:2], long_side=3.0, above=0.65)
    figure.suptitle(title, parse_math=False, y=1 - 0.06 / figure.get_figheight(), va="top", fontsize=10)
    show(panels[0], scan)
    panels[0].set_title("scan", fontsize=9)
    for axes, (iteration, score, image) in zip(panels[1:], snapshots, strict=True):
        show(axes, image)
        mark = ", taken" if iteration == taken else ""
        axes.set_title(f"iteration {iteration}{mark}\nscore {four_digits(score)}", fontsize=9)
    save(figure, path)


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
    figure, axes = in_a_row(len(panels), shape, long_side=4.2, above=0.65, right=0.9, rows=rows)
    figure.suptitle(title, parse_math=False, y=1 - 0.06 / figure.get_figheight(), va="top", fontsize=10)
    for area, (name, image) in zip(axes, panels, strict=True):
        show(area, image)
        area.set_title(name, fontsize=9)
    if look is not None:
        last, wide = axes[-1].get_position(), figure.get_figwidth()
        beside = figure.add_axes((last.x1 + 0.1 / wide, last.y0, 0.12 / wide, last.height))
        draw_bar(figure, beside, look)
    save(figure, path)
