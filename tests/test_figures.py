"""Plot areas and colour bars of figures in many styles, to the pixel."""

import io

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from scatterheal.errors import ScanError
from scatterheal.reading.bitmaps import Page, Text
from scatterheal.reading.crop import crop_scan
from scatterheal.reading.plot_area import BarLabels, Box, bar_labels, colour_bar, plot_area


def plotted(cmap="jet", background="white", ticks="out", scale=1, bar_at="right", frame=0.8, low_edge=False):
    """A figure of 150 x 200 values at `scale` pixels each, and the box of its plot area."""
    height, width = 150 * scale, 200 * scale
    left, above = 60, 40
    whole = (width + 160, height + 120)
    figure = Figure(figsize=(whole[0] / 100, whole[1] / 100), dpi=100, facecolor=background)
    canvas = FigureCanvasAgg(figure)
    bottom = whole[1] - above - height
    axes = figure.add_axes((left / whole[0], bottom / whole[1], width / whole[0], height / whole[1]))
    values = np.random.default_rng(0).random((150, 200))
    if low_edge:
        values[:30] = values[-30:] = 0
    shown = axes.imshow(values, cmap=cmap, interpolation="nearest", aspect="auto")
    axes.set_title("A title (log. scale)", fontweight="bold")
    axes.tick_params(direction=ticks)
    if bar_at:
        box = {
            "right": (left + width + 20, bottom, 15, height),
            "bottom": (left, 25, width, 15),
        }[bar_at]
        cax = figure.add_axes((box[0] / whole[0], box[1] / whole[1], box[2] / whole[0], box[3] / whole[1]))
        figure.colorbar(shown, cax=cax, orientation="vertical" if bar_at == "right" else "horizontal")
    for spine in axes.spines.values():
        spine.set_linewidth(frame)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3], Box(left, above, left + width, above + height)


@pytest.mark.parametrize(
    "style",
    [
        {},
        {"cmap": "gray"},
        {"cmap": "gray_r"},
        {"cmap": "viridis", "background": "black"},
        {"background": "0.94"},
        {"ticks": "in"},
        {"ticks": "inout", "bar_at": "bottom"},
        {"scale": 3, "frame": 1.5},
        {"low_edge": True},
        {"low_edge": True, "cmap": "gray_r"},
        {"bar_at": None},
    ],
    ids=str,
)
def test_plot_area_is_found_inside_its_frame(style):
    picture, drawn = plotted(**style)
    found = plot_area(picture)
    # The frame line covers up to two pixels of the plot's rim.
    assert all(0 <= inner <= 2 for inner in (found.left - drawn.left, found.top - drawn.top)), found
    assert all(0 <= inner <= 2 for inner in (drawn.right - found.right, drawn.bottom - found.bottom)), found
    bar = colour_bar(picture, found)
    assert (bar is None) == (style.get("bar_at", "right") is None)


@pytest.mark.parametrize("bar_at", ["right", "bottom"])
def test_colour_bar_runs_from_low_to_high(bar_at):
    picture, _ = plotted(bar_at=bar_at)
    colours = colour_bar(picture, plot_area(picture))
    np.testing.assert_allclose(colours[0], (0, 0, 127), atol=8)
    np.testing.assert_allclose(colours[-1], (127, 0, 0), atol=8)


def test_jpeg_noise_moves_the_box_by_at_most_a_pixel():
    picture, _ = plotted()
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, "JPEG", quality=80)
    clean, noisy = plot_area(picture), plot_area(np.asarray(Image.open(packed)))
    assert np.abs(np.subtract(clean, noisy)).max() <= 1


@pytest.mark.parametrize("kind", ["blank", "text", "photograph"])
def test_without_a_plot_area_one_line_says_what_to_do(kind):
    picture = np.full((200, 300, 3), 255, np.uint8)
    if kind == "text":
        picture[50:60, 20:250:7] = 0
    elif kind == "photograph":
        picture = np.random.default_rng(0).integers(0, 255, picture.shape, dtype=np.uint8)
        picture[::7] = 0
    with pytest.raises(ScanError, match=r"no plot area found in the figure; give crop: \[left, top, right, bottom\]"):
        plot_area(picture)


def test_several_plot_areas_are_refused():
    left, right = (plotted(bar_at=None)[0] for _ in range(2))
    with pytest.raises(ScanError, match="several plot areas in the figure; give the crop of one"):
        plot_area(np.hstack([left, right]))


def test_an_eps_without_a_colour_bar_is_its_plot(tmp_path):
    """Its one bitmap is the plot, bright box in it or not, unless it shows a whole page."""
    from test_bitmaps import matlab_eps

    plot = np.random.default_rng(0).integers(0, 60, (120, 160, 3), dtype=np.uint8)
    plot[40:90, 50:120] = 250
    (tmp_path / "a.eps").write_bytes(matlab_eps(plot))
    assert crop_scan(tmp_path / "a.eps", "figure", "auto").crop.box == (0, 0, 160, 120)
    page, _ = plotted()
    (tmp_path / "b.eps").write_bytes(matlab_eps(page))
    assert crop_scan(tmp_path / "b.eps", "figure", "auto").crop.box == plot_area(page)


def test_an_explicit_crop_overrides_and_must_fit(tmp_path):
    picture, _ = plotted()
    Image.fromarray(picture).save(tmp_path / "a.png")
    cropped = crop_scan(tmp_path / "a.png", "figure", (70, 50, 100, 90))
    assert cropped.crop.box == (70, 50, 100, 90)
    np.testing.assert_array_equal(cropped.image, picture[50:90, 70:100])
    with pytest.raises(ScanError, match=r"crop: \[0, 0, 999, 9\] reaches outside the image of 360 x 270 pixels"):
        crop_scan(tmp_path / "a.png", "figure", (0, 0, 999, 9))


def labelled(values, top=100, text=str, **others):
    """The page of a colour bar 100 points high whose values run from 0 at the bottom to `top`."""
    texts = [Text(text(value), 22, 10 + 100 * value / top, 9) for value in values]
    return Page([(0, 0, 9, 9), (10, 10, 20, 110)], [*texts, *(Text(said, 0, 300, 9) for said in others.values())])


@pytest.mark.parametrize(
    ("page", "found"),
    [
        (labelled([0, 1, 2], 2), BarLabels((0, 2))),
        (labelled([1, 2, 3], 3.4, title="a.cbf (log.)"), BarLabels((0, 3.4), "log10")),
        (labelled([0, 1, 2], 2.5, "10^{}".format), BarLabels((0, 2.5), "log10")),
        (labelled([0, 1], 2), BarLabels()),
        (labelled([0, 1, 2], 2, lambda value: str(10**value)), BarLabels()),
        (labelled([0, 1, 2], 2, lambda value: str(2 - value)), BarLabels()),
        (labelled([0, 1, 2, 3], 3, "{} counts".format), BarLabels()),
        (labelled([], title="(log. scale)"), BarLabels(None, "log10")),
    ],
)
def test_labels_beside_the_bar_give_its_range_or_nothing(page, found):
    limits, scale = bar_labels(page, 1)
    assert scale == found.scale
    assert limits == (found.limits and pytest.approx(found.limits, abs=1e-5))


@pytest.mark.parametrize("above", ["x10", "1e4", "+1.2345e4"])
def test_a_number_above_the_bar_changes_its_labels(above):
    page = labelled([0, 1, 2], 2)
    page.texts.append(Text(above, -20, 118, 9))
    assert bar_labels(page, 1) == BarLabels()


def test_the_plots_own_axis_says_nothing_of_the_bar():
    page = labelled([0, 1, 2], 2)
    page.texts.append(Text("log10 q", 5, -12, 9))
    assert bar_labels(page, 1) == BarLabels((0, 2))
    assert bar_labels(labelled([0, 400, 800], 800, title="(log. scale)"), 1) == BarLabels((0, 800))


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_matplotlib_eps_tells_its_range(tmp_path, scale):
    figure = Figure()
    axes = figure.subplots()
    shown = axes.imshow(np.random.default_rng(0).random((40, 60)) * 5000, cmap="jet", interpolation="nearest")
    shown.set_norm(scale)
    shown.set_clim(1, 3000)
    figure.colorbar(shown)
    figure.savefig(tmp_path / "a.eps")
    bar = crop_scan(tmp_path / "a.eps", "figure", "auto").crop.bar_labels
    low, high = (1, 3000) if scale == "linear" else (0, np.log10(3000))
    np.testing.assert_allclose(bar.limits, (low, high), atol=0.003 * (high - low))
    assert bar.scale == (None if scale == "linear" else "log10")


def test_real_figures_tell_their_range(real_scans):
    ranges = {"HDPE_85_low": 2, "MD2_MV_bulk": 5, "MD2_MV_bulk_3": 3, "MD2_MV_edge_2": 4, "MD2_MV_shear": 5}
    for name, high in (ranges | {"MD2_MV_shear_2": 4}).items():
        assert crop_scan(real_scans[name].image, "figure", "auto").crop.bar_labels == BarLabels((0, high), "log10")
