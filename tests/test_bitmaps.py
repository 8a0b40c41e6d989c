"""Figures give their bitmaps, broken files one clear line."""

import zlib
from base64 import a85encode

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scatterheal.errors import ScanError
from scatterheal.reading import bitmaps

RGB = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


def matlab_eps(image, top_first=True):
    """An EPS as MATLAB writes it: y runs down the page, ASCII85 of Flate of RGB."""
    height, width = image.shape[:2]
    page = b"[1 0 0 -1 0 315] CT" if top_first else b"[1 0 0 1 0 0] CT"
    data = a85encode(zlib.compress(image.tobytes()), wrapcol=80)
    return b"\n".join(
        [
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BeginPageSetup",
            page,
            b"%%EndPageSetup\n{{\n/RawData currentfile /ASCII85Decode filter def",
            b"/Data RawData /FlateDecode filter def\n/DeviceRGB setcolorspace\n<<\n  /ImageType 1",
            b"  /Decode [0 1 0 1 0 1]\n  /DataSource Data\n  /Height %d" % height,
            b"  /ImageMatrix [%d 0 0 %d 0 0]\n  /Width %d\n  /BitsPerComponent 8" % (width, height, width),
            b">> image\n} stopped {handleerror} if\n  RawData flushfile\n} exec",
            data + b"~>\nGR\n%%EOF\n",
        ]
    )


@settings(max_examples=30)
@given(RGB, st.booleans(), st.booleans())
def test_matlab_eps_gives_its_bitmap(image, top_first, with_preview):
    program = matlab_eps(image, top_first)
    if with_preview:
        program = (
            b"\xc5\xd0\xd3\xc6" + (30).to_bytes(4, "little") + len(program).to_bytes(4, "little") + bytes(18) + program
        )
    (found,) = bitmaps.eps_bitmaps(program)
    np.testing.assert_array_equal(found, image if top_first else image[::-1])


def test_matplotlib_eps_gives_plot_and_colour_bar_the_right_way_up(tmp_path):
    from matplotlib.figure import Figure

    values = np.add.outer(np.linspace(0, 2, 40), np.linspace(0, 1, 60))
    figure = Figure()
    axes = figure.subplots()
    figure.colorbar(axes.imshow(values, cmap="jet", interpolation="nearest"))
    figure.savefig(tmp_path / "a.eps")
    plot, bar = bitmaps.read_bitmaps(tmp_path / "a.eps")
    dark, red = (0, 0, 127), (127, 0, 0)
    np.testing.assert_allclose(plot[0, 0], dark, atol=1)
    np.testing.assert_allclose(plot[-1, -1], red, atol=1)
    np.testing.assert_allclose(bar[0, 0], red, atol=9)


def test_pictures_of_sixteen_bits_and_with_transparency(tmp_path):
    from PIL import Image

    Image.fromarray(np.array([[0, 257, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert bitmaps.read_bitmaps(tmp_path / "a.png")[0][..., 0].tolist() == [[0, 1, 255]]
    Image.fromarray(np.uint8([[[9, 9, 9, 255], [9, 9, 9, 0]]]), "RGBA").save(tmp_path / "b.png")
    assert bitmaps.read_bitmaps(tmp_path / "b.png")[0][..., 0].tolist() == [[9, 255]]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(40), "a.png: cannot be read"),
        ("a.jpg", b"plain words", "a.jpg: cannot be read"),
        (
            "a.eps",
            b"%!PS-Adobe-3.0 EPSF-3.0\nshowpage\n%%EOF\n",
            "a.eps: this EPS embeds no bitmap; save the figure as PNG",
        ),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BeginP", "a.eps: cannot be read (it ends early); is it complete"),
        ("a.fig", b"MATLAB 5.0", "a.fig: a MATLAB .fig holds counts; write kind: frame"),
    ],
)
def test_a_broken_figure_is_one_line(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ScanError) as refused:
        bitmaps.read_bitmaps(tmp_path / name)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_truncated_eps_bitmap_is_refused(tmp_path):
    whole = matlab_eps(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8))
    (tmp_path / "a.eps").write_bytes(whole.replace(b"/Height 40", b"/Height 41"))
    with pytest.raises(ScanError, match="a bitmap of 40 x 41 pixels is cut short"):
        bitmaps.read_bitmaps(tmp_path / "a.eps")


@pytest.mark.parametrize("with_preview", [False, True])
def test_matlab_text_and_bitmap_stand_where_the_page_shows_them(with_preview):
    """The page runs downwards, and each text turns it up again; brackets and the bitmap's own bytes are no text."""
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    label = (
        b"GS\n[0.5 0 0 0.5 100 40] CT\n/Helvetica 12 F\nGS\n[1 0 0 1 0 0] CT\n2 4 moveto\n1 -1 scale\n(%s) t\nGR\nGR\n"
    )
    turned = b"GS\n[0 -0.5 0.5 0 5 40] CT\n/Helvetica 12 F\n0 0 moveto\n1 -1 scale\n(turned) t\nGR\n"
    program = matlab_eps(image).replace(b"{{\n", b"GS\n[10 0 0 20 50 60] CT\n{{\n", 1).replace(b"GR\n%%EOF", b"GR\n")
    program += label % rb"1.5 \(log.\)" + turned + b"%%EOF\n"
    if with_preview:
        program = (
            b"\xc5\xd0\xd3\xc6" + (30).to_bytes(4, "little") + len(program).to_bytes(4, "little") + bytes(18) + program
        )
    page = bitmaps.eps_page(program)
    assert page.bitmaps == [(50, 235, 60, 255)]
    # The baseline is 315 - 42 points up; the digits' middle is 0.36 of 6 points above it.
    assert page.texts == [bitmaps.Text("1.5 (log.)", 101, pytest.approx(275.16), 6)]


@pytest.mark.parametrize("origin", ["upper", "lower"])
@pytest.mark.parametrize("interpolation", ["none", "nearest"])
def test_matplotlib_eps_is_the_right_way_up_however_it_embeds(tmp_path, origin, interpolation):
    """With interpolation 'none' the page is flipped instead of the image's matrix."""
    from matplotlib.figure import Figure

    values = np.add.outer(np.arange(6.0), np.zeros(8))
    figure = Figure()
    figure.subplots().imshow(values, cmap="gray", interpolation=interpolation, origin=origin)
    figure.savefig(tmp_path / "a.eps")
    (plot,) = bitmaps.read_bitmaps(tmp_path / "a.eps")
    rises = plot[-1, 0, 0] > plot[0, 0, 0]
    assert rises == (origin == "upper")
