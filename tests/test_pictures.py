"""The pictures for people: what stands where, and what is left out."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from scatterheal.pictures.colour_check import colours
from scatterheal.pictures.contact_sheet import Tile, _draw_tile, contact_sheet, labels
from scatterheal.pictures.mask_overlay import share
from scatterheal.pictures.panels import before_after
from scatterheal.reading.colour_maps import named_table
from scatterheal.reading.intensity import of_figure
from scatterheal.reading.plot_area import BarLabels

RED, BLUE, GREEN = (250, 10, 10), (10, 10, 250), (10, 250, 10)


def flat(colour, shape=(40, 60)):
    return np.full((*shape, 3), colour, np.uint8)


def middle(path, colour):
    """The mean row and column of a colour in a picture."""
    picture = np.asarray(Image.open(path).convert("RGB"))
    return np.argwhere((picture == colour).all(axis=2)).mean(axis=0)


def test_networks_stand_above_better_methods(tmp_path):
    tiles = [
        Tile(*labels({"method": "telea"}, []), 1, 0.5, False, flat(RED)),
        Tile(*labels({"method": "dip"}, []), 3, 1.04, False, flat(BLUE)),
        Tile(*labels({"method": "dip"}, []), 2, 0.9, False, flat(GREEN)),
    ]
    contact_sheet(tmp_path / "sheet.png", tiles, "a scan")
    method, third, second = (middle(tmp_path / "sheet.png", colour) for colour in (RED, BLUE, GREEN))
    assert third[0] == second[0] < method[0]
    assert second[1] < third[1]


def test_the_sheet_says_which_run_was_pruned():
    figure = Figure()
    for pruned, words in ((None, "#2  score 0.9000\nlr 0.1"), (150, "#2  score 0.9000, pruned at 150\nlr 0.1")):
        axes = figure.add_axes((0, 0, 1, 1))
        _draw_tile(axes, Tile("networks", "lr 0.1", 2, 0.9, False, flat(RED), pruned))
        assert axes.get_title() == words


@pytest.mark.parametrize(
    ("shape", "count", "two_rows"), [((40, 60), 5, True), ((40, 40), 3, False), ((90, 30), 5, False)]
)
def test_panels_stand_in_two_rows_where_they_get_larger(tmp_path, shape, count, two_rows):
    panels = [
        ("first", flat(RED, shape)),
        *[("between", flat(GREEN, shape))] * (count - 2),
        ("last", flat(BLUE, shape)),
    ]
    before_after(tmp_path / "panels.png", panels, "a scan", None)
    first, last = (middle(tmp_path / "panels.png", colour) for colour in (RED, BLUE))
    assert (last[0] > first[0]) == two_rows


def test_no_map_of_distances_where_all_colours_are_on_the_map(tmp_path):
    bar = named_table("viridis").colours
    image = np.tile(bar[None, ::4], (40, 1, 1))
    widths = []
    for spoilt in (False, True):
        image[0, 0] = (255, 0, 255) if spoilt else bar[0]
        found = of_figure(image, bar, BarLabels(), limits=(0, 2), scale="log10")
        colours(tmp_path / "colours.png", image, found, "a scan")
        widths.append(Image.open(tmp_path / "colours.png").width)
    assert widths[1] > 1.3 * widths[0]


@pytest.mark.parametrize(("count", "says"), [(1, "1 pixel"), (2, "2 pixels"), (3, "0.01%")])
def test_few_pixels_are_counted(count, says):
    assert share(np.arange(60_000) < count) == says
