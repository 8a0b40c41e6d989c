"""File formats: what is written comes back, figures give their bitmaps, broken files one clear line."""

import zlib
from base64 import a85encode

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scatterheal import frames
from scatterheal.errors import ScanError

RGB = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))
COUNTS = arrays(np.float32, st.tuples(st.integers(2, 9), st.integers(2, 9)), elements=st.integers(-2, 2**20).map(float))


@settings(max_examples=30)
@given(st.one_of(RGB, COUNTS))
def test_tiff_keeps_every_bit(tmp_path_factory, image):
    path = tmp_path_factory.mktemp("tiff") / "a.tif"
    frames.write_tiff(path, image)
    back = frames.read_tiff(path)
    assert back.shape == image.shape
    assert back.dtype == image.dtype
    assert back.tobytes() == image.tobytes()
    assert [file.name for file in path.parent.iterdir()] == ["a.tif"]


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("whole")
    with pytest.raises(RuntimeError), frames.replacing(path) as part:
        part.write_text("ha")
        raise RuntimeError
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


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
    (found,) = frames.eps_bitmaps(program)
    np.testing.assert_array_equal(found, image if top_first else image[::-1])


def test_matplotlib_eps_gives_plot_and_colour_bar_the_right_way_up(tmp_path):
    from matplotlib.figure import Figure

    values = np.add.outer(np.linspace(0, 2, 40), np.linspace(0, 1, 60))
    figure = Figure()
    axes = figure.subplots()
    figure.colorbar(axes.imshow(values, cmap="jet", interpolation="nearest"))
    figure.savefig(tmp_path / "a.eps")
    plot, bar = frames.read_bitmaps(tmp_path / "a.eps")
    dark, red = (0, 0, 127), (127, 0, 0)
    np.testing.assert_allclose(plot[0, 0], dark, atol=1)
    np.testing.assert_allclose(plot[-1, -1], red, atol=1)
    np.testing.assert_allclose(bar[0, 0], red, atol=9)


def test_fig_gives_counts_in_the_arrays_own_order(tmp_path):
    from scipy.io import savemat

    counts = np.array([[0, 1, 10], [7, 1048575, 3]])
    image = {"type": "image", "properties": {"CData": np.log10(counts + 1e-15)}, "children": []}
    axes = {"type": "axes", "properties": {}, "children": image}
    savemat(tmp_path / "a.mat", {"hgS_070000": {"type": "figure", "properties": {}, "children": axes}})
    (tmp_path / "a.mat").rename(tmp_path / "a.fig")
    np.testing.assert_array_equal(frames.read_counts(tmp_path / "a.fig"), counts)


@pytest.mark.parametrize("ending", ["tif", "edf", "cbf", "npy"])
def test_frames_keep_integer_counts_and_codes(tmp_path, ending):
    import fabio
    import tifffile

    counts = np.array([[0, 1, -1], [-2, 1048575, 3]], np.int32)
    path = tmp_path / f"a.{ending}"
    if ending == "npy":
        np.save(path, counts)
    elif ending == "tif":
        tifffile.imwrite(path, counts)
    else:
        {"edf": fabio.edfimage.EdfImage, "cbf": fabio.cbfimage.CbfImage}[ending](data=counts).write(str(path))
    np.testing.assert_array_equal(frames.read_counts(path), counts)
    assert frames.read_counts(path).dtype == np.float32


@pytest.mark.parametrize("type_", [np.uint16, np.uint32])
def test_codes_of_unsigned_frames_become_negative(tmp_path, type_):
    largest = np.iinfo(type_).max
    np.save(tmp_path / "a.npy", np.array([[0, largest], [largest - 1, 7]], type_))
    np.testing.assert_array_equal(frames.read_counts(tmp_path / "a.npy"), [[0, -1], [-2, 7]])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.array([["a", "b"], ["c", "d"]]), "holds <U1 values of shape (2, 2), not one frame"),
        (np.ones((2, 2), complex), "holds complex128 values"),
        (np.ones((3, 2, 2)), "of shape (3, 2, 2), not one frame; export a single 2-D frame"),
    ],
)
def test_what_is_no_frame_is_refused(tmp_path, content, words):
    np.save(tmp_path / "a.npy", content)
    with pytest.raises(ScanError) as refused:
        frames.read_counts(tmp_path / "a.npy")
    assert words in str(refused.value)


def test_several_frames_in_one_file_are_refused(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", np.ones((3, 8, 8), np.int32), photometric="minisblack")
    with pytest.raises(ScanError, match=r"a\.tif: "):
        frames.read_counts(tmp_path / "a.tif")


def test_pictures_of_sixteen_bits_and_with_transparency(tmp_path):
    from PIL import Image

    Image.fromarray(np.array([[0, 257, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert frames.read_bitmaps(tmp_path / "a.png")[0][..., 0].tolist() == [[0, 1, 255]]
    Image.fromarray(np.uint8([[[9, 9, 9, 255], [9, 9, 9, 0]]]), "RGBA").save(tmp_path / "b.png")
    assert frames.read_bitmaps(tmp_path / "b.png")[0][..., 0].tolist() == [[9, 255]]


@pytest.mark.parametrize("ending", ["tif", "edf", "cbf", "npy", "fig"])
def test_a_broken_frame_is_one_line(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"this is no frame at all" * 9)
    with pytest.raises(ScanError, match=rf"a\.{ending}: cannot be read \(.*\); is it complete") as refused:
        frames.read_counts(path)
    assert "\n" not in str(refused.value)


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
        frames.read_bitmaps(tmp_path / name)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_picture_is_no_frame(tmp_path):
    with pytest.raises(ScanError, match=r"a\.png: a picture holds colours, not counts; write kind: figure"):
        frames.read_counts(tmp_path / "a.png")


def test_a_truncated_eps_bitmap_is_refused(tmp_path):
    whole = matlab_eps(np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8))
    (tmp_path / "a.eps").write_bytes(whole.replace(b"/Height 40", b"/Height 41"))
    with pytest.raises(ScanError, match="a bitmap of 40 x 41 pixels is cut short"):
        frames.read_bitmaps(tmp_path / "a.eps")


def test_masks_of_both_polarities(tmp_path):
    mask = np.array([[0, 255, 255]], np.uint8)
    frames.write_png(tmp_path / "a.png", mask)
    assert frames.read_mask(tmp_path / "a.png", "zero_is_missing").tolist() == [[True, False, False]]
    assert frames.read_mask(tmp_path / "a.png", "nonzero_is_missing").tolist() == [[False, True, True]]
