"""A figure's colours beside the counts that they stand for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scatterheal.pictures.look import look_of, render
from scatterheal.pictures.mask_overlay import share
from scatterheal.pictures.style import in_a_row, save, show
from scatterheal.reading.bitmaps import Rgb
from scatterheal.reading.intensity import Intensity


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
    figure, axes = in_a_row(count, image.shape[:2], long_side=4.2, above=0.65, right=right)
    figure.suptitle(f"{title}: {intensity.meaning.how}", y=1 - 0.06 / figure.get_figheight(), va="top", fontsize=9)
    show(axes[0], image)
    axes[0].set_title("the file's colours", fontsize=9)
    if inverted is None:
        axes[1].imshow(intensity.values, cmap="gray", vmin=0, vmax=255)
        axes[1].set_title("luminance: not monotone in intensity", fontsize=9)
    else:
        show(axes[1], render(intensity.values, look))
        grey = "grey: off the map" if off.any() else "all on the map"
        axes[1].set_title(f"their {intensity.meaning.unit}, drawn again; {grey}", fontsize=9)
    if inverted and off.any():
        # Pale where a colour is on the map, so that what is off stands out.
        shown = axes[2].imshow(inverted.residual, cmap="magma_r", vmin=0, vmax=2 * inverted.tolerance)
        axes[2].set_title(f"distance from the map; {share(off)} off", fontsize=9)
        last, wide = axes[2].get_position(), figure.get_figwidth()
        bar = figure.colorbar(
            shown, cax=figure.add_axes((last.x1 + 0.1 / wide, last.y0, 0.12 / wide, last.height)), extend="max"
        )
        bar.set_label("Lab distance (CIE76)", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    save(figure, path)
