"""What is missing and why, in colours over the scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from scatterheal.pattern.pixels import REASONS, Bits
from scatterheal.pictures.style import DOTS_PER_INCH, in_a_row, save
from scatterheal.reading.bitmaps import Rgb


def mask_overlay(
    path: Path,
    picture: Rgb,
    reasons: Bits,
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
    reasons : uint16 array (height, width)
        Bits of `scatterheal.pattern.pixels`.
    hidden : bool array (height, width) or None
        Valid pixels that no training sees, where they are chosen already.
    centre : (x, y) or None
        The beam centre.
    title : str
        Above the picture.
    """
    blended = picture.astype(float)
    patches = []
    for reason in REASONS:
        where = reasons & reason.bit > 0
        if where.any():
            blended[where] = 0.15 * blended[where] + 0.85 * 255 * np.array(to_rgb(reason.colour))
            # The last reason of a pixel has its colour.
            if (reasons[where] < 2 * reason.bit).any():
                patches.append(Patch(color=reason.colour, label=f"{reason.words} {share(where)}"))
    if hidden is not None:
        patches.append(Patch(fill=False, edgecolor="black", label=f"hidden in the first fold {hidden.mean():.1%}"))
    # As many columns of the legend as the picture is wide.
    # Every pixel of the scan is at least one of the picture, since coordinates are read off here.
    long_side = float(np.clip(max(picture.shape[:2]) / DOTS_PER_INCH, 7, 20))
    columns = max(min(int(long_side * picture.shape[1] / max(picture.shape[:2]) / 1.6), 4), 1)
    below = 0.5 + 0.2 * -(-len(patches) // columns)
    figure, (axes,) = in_a_row(1, picture.shape[:2], long_side, below=below, left=0.55)
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
    save(figure, path)


def share(where: NDArray[np.bool_]) -> str:
    """The share of pixels, or how many they are where that would read as none."""
    share, count = f"{where.mean():.2%}", int(where.sum())
    return share if share != "0.00%" else f"{count} pixel" if count == 1 else f"{count} pixels"
