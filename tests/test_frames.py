"""Detector frames and mask files: counts as they are, broken files one clear line."""

import gzip

import fabio
import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from scatterheal import storage
from scatterheal.errors import ScanError
from scatterheal.pattern.geometry import Geometry
from scatterheal.reading import frames
from scatterheal.reading.frames import count_frames, read_frame, read_mask

COUNTS = np.array([[0, 1, -1], [-2, 1048575, 3]], np.int32)


def write(path, counts):
    """One frame, or several, in the format of the path's ending."""
    if path.suffix == ".npy":
        np.save(path, counts)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, counts, photometric="minisblack", metadata=None)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["image"] = counts
    elif path.suffix == ".cbf":
        fabio.cbfimage.CbfImage(data=counts).write(str(path))
    else:
        image = fabio.edfimage.EdfImage(data=counts[0] if counts.ndim == 3 else counts)
        for frame in counts[1:] if counts.ndim == 3 else []:
            image.append_frame(data=frame)
        image.write(str(path))
    return path


def refusal(path, *args, **kwargs):
    """The one line with which a file is refused, without its name."""
    with pytest.raises(ScanError) as refused:
        read_frame(path, *args, **kwargs)
    line = str(refused.value)
    assert line.startswith(f"{path}: ") and "\n" not in line
    return line.removeprefix(f"{path}: ")


def test_fig_gives_counts_in_the_arrays_own_order(tmp_path):
    from scipy.io import savemat

    counts = np.array([[0, 1, 10], [7, 1048575, 3]])
    image = {"type": "image", "properties": {"CData": np.log10(counts + 1e-15)}, "children": []}
    axes = {"type": "axes", "properties": {}, "children": image}
    savemat(tmp_path / "a.mat", {"hgS_070000": {"type": "figure", "properties": {}, "children": axes}})
    (tmp_path / "a.mat").rename(tmp_path / "a.fig")
    np.testing.assert_array_equal(read_frame(tmp_path / "a.fig").counts, counts)
    assert count_frames(tmp_path / "a.fig") == 1


@pytest.mark.parametrize("ending", ["tif", "edf", "cbf", "npy", "h5"])
def test_frames_keep_integer_counts_and_codes(tmp_path, ending):
    frame = read_frame(write(tmp_path / f"a.{ending}", COUNTS))
    np.testing.assert_array_equal(frame.counts, COUNTS)
    assert frame.counts.dtype == np.float32 and frame.counts.flags.c_contiguous
    assert frame.header == Geometry() and frame.missing is None
    # What the file is, its content tells.
    other = (tmp_path / f"a.{ending}").rename(tmp_path / "b.img")
    np.testing.assert_array_equal(read_frame(other).counts, COUNTS)


@pytest.mark.parametrize("ending", ["edf", "cbf", "tif"])
def test_compressed_frames_are_read_and_refused_when_cut(tmp_path, ending):
    content = gzip.compress(
        write(tmp_path / f"a.{ending}", np.arange(600, dtype=np.int32).reshape(20, 30)).read_bytes()
    )
    path = tmp_path / f"b.{ending}.gz"
    path.write_bytes(content)
    np.testing.assert_array_equal(read_frame(path).counts, np.arange(600).reshape(20, 30))
    path.write_bytes(content[:-200])
    assert "cannot be read (Compressed file ended before" in refusal(path)


@pytest.mark.parametrize("ending", ["tif", "edf", "npy", "h5"])
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_codes_of_unsigned_frames_become_negative(tmp_path, ending, dtype):
    largest = np.iinfo(dtype).max
    path = write(tmp_path / f"a.{ending}", np.array([[0, largest], [largest - 1, largest - 2]], dtype))
    expected = [[0, -1], [-2, -3 if dtype is np.uint32 else 65533]]
    np.testing.assert_array_equal(read_frame(path).counts, expected)


@pytest.mark.parametrize("ending", ["tif", "edf", "npy", "h5"])
def test_non_finite_values_stay(tmp_path, ending):
    counts = np.float32([[1.5, np.nan], [np.inf, -1]])
    np.testing.assert_array_equal(read_frame(write(tmp_path / f"a.{ending}", counts)).counts, counts)


@pytest.mark.parametrize("ending", ["tif", "edf", "npy", "h5"])
def test_one_of_several_frames_or_their_sum(tmp_path, ending):
    stack = np.int32([[[1, 2], [-1, 3]], [[10, -2], [5, 30]], [[100, 200], [-2, 300]]])
    path = write(tmp_path / f"a.{ending}", stack)
    assert count_frames(path) == 3
    np.testing.assert_array_equal(read_frame(path, frame=2).counts, stack[2])
    np.testing.assert_array_equal(read_frame(path, frame="sum").counts, [[111, -2], [-1, 333]])
    assert refusal(path) == "holds 3 frames (0..2); say which: frame: 0, or frame: sum"
    assert refusal(path, frame=3) == "frame: 3 is not among its frames 0..2; correct it"
    assert refusal(path, frame=-1) == "frame: -1 is not among its frames 0..2; correct it"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            np.array([["a", "b"], ["c", "d"]]),
            "holds <U1 values of shape (2, 2), not one frame; export a single 2-D frame",
        ),
        (np.ones((2, 2), complex), "holds complex128 values"),
        (np.ones((1, 9)), "holds float64 values of shape (1, 9), not one frame"),
        (np.ones((0, 4, 5)), "holds no frame"),
        (np.ones(9), "holds float64 values of shape (9,), not one frame"),
    ],
)
def test_what_is_no_frame_is_refused(tmp_path, content, words):
    np.save(tmp_path / "a.npy", content)
    assert refusal(tmp_path / "a.npy").startswith(words)


@pytest.mark.parametrize("ending", ["tif", "edf", "cbf", "npy", "fig", "h5", "xyz"])
def test_a_broken_frame_is_one_line(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"this is no frame at all" * 9)
    assert refusal(path).startswith("cannot be read (")
    assert "); is it complete, and is its ending right?" in refusal(path)
    path.write_bytes(b"")
    assert refusal(path) == "is empty (0 bytes); copy it again"
    path.unlink()
    assert "No such file" in refusal(path)


@pytest.mark.parametrize("ending", ["tif", "edf", "cbf", "npy", "h5"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_frame_is_one_line(tmp_path, ending, share):
    path = write(tmp_path / f"a.{ending}", np.random.default_rng(0).poisson(200, (60, 70)).astype(np.int32))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert "cannot be read" in refusal(path)


def _replace(path, old, new):
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))


@pytest.mark.parametrize("ending", ["tif", "edf", "cbf", "npy", "h5"])
def test_a_large_header_with_a_short_body_is_refused(tmp_path, ending):
    """Before anything of that size is allocated or filled up with zeros."""
    counts = np.ones((60, 70), np.int32)
    path = tmp_path / f"a.{ending}"
    if ending == "tif":
        with tifffile.TiffWriter(path) as tiff:
            tiff.write(counts, metadata=None)
        with tifffile.TiffFile(path, mode="r+b") as tiff:
            tags = tiff.pages[0].tags
            tags["ImageWidth"].overwrite(16384)
            tags["ImageLength"].overwrite(16384)
            tags["RowsPerStrip"].overwrite(16384)
            tags["StripByteCounts"].overwrite(4 * 16384**2)
    elif ending == "h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("image", (16384, 16384), "i4")
    elif ending == "npy":
        np.save(path, counts)
        _replace(path, b"(60, 70), }    ", b"(16384, 16384)}")
    elif ending == "edf":
        write(path, counts)
        for old, new in ((b"Dim_1 = 70", b"Dim_1 = 16384"), (b"Dim_2 = 60", b"Dim_2 = 16384")):
            _replace(path, old, new)
    else:
        write(path, counts)
        _replace(path, b"Fastest-Dimension: 70", b"Fastest-Dimension: 16384")
        _replace(path, b"Second-Dimension: 60", b"Second-Dimension: 16384")
    words = "has pixels that were never written" if ending == "h5" else "cannot be read ("
    assert words in refusal(path)


def test_wrong_endings(tmp_path):
    tif = write(tmp_path / "a.tif", COUNTS).rename(tmp_path / "a.cbf")
    np.testing.assert_array_equal(read_frame(tif).counts, COUNTS)
    hdf5 = write(tmp_path / "a.h5", COUNTS).rename(tmp_path / "b.tif")
    np.testing.assert_array_equal(read_frame(hdf5).counts, COUNTS)
    storage.write_png(tmp_path / "c.png", np.ones((4, 4), np.uint8))
    words = "a picture holds colours, not counts; write kind: figure in the scan's YAML"
    assert refusal(tmp_path / "c.png") == words
    assert refusal((tmp_path / "c.png").rename(tmp_path / "c.tif")) == words
    assert refusal(tif, "/entry/data").startswith("data: only an HDF5 file has paths inside")


def test_a_body_that_does_not_match_its_checksum_is_refused(tmp_path):
    path = write(tmp_path / "a.cbf", np.full((60, 70), 3, np.int32))
    content = bytearray(path.read_bytes())
    content[content.index(frames.CBF_STARTER) + 100] ^= 1
    path.write_bytes(content)
    assert "Checksum of binary data mismatch" in refusal(path)


@given(arrays(np.int32, st.tuples(st.integers(2, 5), st.integers(2, 5)), elements=st.integers(-2, 2**24)))
@settings(max_examples=25, deadline=None)
def test_counts_survive_every_format(tmp_path_factory, counts):
    folder = tmp_path_factory.mktemp("counts")
    for ending in ("edf", "npy", "h5", "tif", "cbf"):
        np.testing.assert_array_equal(read_frame(write(folder / f"a.{ending}", counts)).counts, counts)


MASK = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)


@pytest.mark.parametrize("ending", ["edf", "tif", "npy", "h5", "msk", "png"])
def test_mask_files_of_both_polarities(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    if ending == "msk":
        fabio.fit2dmaskimage.Fit2dMaskImage(data=MASK).write(str(path))
    elif ending == "png":
        storage.write_png(path, MASK * 255)
    else:
        write(path, MASK.astype(bool) if ending in ("npy", "h5") else MASK.astype(np.int8))
    np.testing.assert_array_equal(read_mask(path, "zero_is_missing"), MASK == 0)
    np.testing.assert_array_equal(read_mask(path, "nonzero_is_missing"), MASK == 1)


def test_masks_in_other_pictures(tmp_path):
    for mode in ("1", "RGB", "RGBA", "P", "I;16"):
        image = Image.fromarray(MASK.astype(np.uint16)) if mode == "I;16" else Image.fromarray(MASK * 255).convert(mode)
        image.save(tmp_path / "a.png")
        np.testing.assert_array_equal(read_mask(tmp_path / "a.png", "nonzero_is_missing"), MASK == 1)
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(ScanError, match=r"b\.png: cannot be read \(.*\); is it a picture\?"):
        read_mask(tmp_path / "b.png", "zero_is_missing")


@pytest.mark.parametrize("type_", [np.int64, np.float32, np.float64])
def test_codes_of_32_bits_survive_a_conversion(tmp_path, type_):
    counts = np.array([[0, 2**32 - 1], [7, 1048575]]).astype(type_)
    np.save(tmp_path / "a.npy", counts)
    np.testing.assert_array_equal(read_frame(tmp_path / "a.npy").counts, [[0, -1], [7, 1048575]])


def test_a_fig_of_something_else_is_refused_whatever_its_largest_value(tmp_path):
    from scipy.io import savemat

    values = np.random.default_rng(0).poisson(5, (9, 9)) * 0.37
    values[4, 4] = 1048575
    image = {"type": "image", "properties": {"CData": np.log10(values + 1e-15)}, "children": []}
    axes = {"type": "axes", "properties": {}, "children": image}
    savemat(tmp_path / "a.mat", {"hgS_070000": {"type": "figure", "properties": {}, "children": axes}})
    (tmp_path / "a.mat").rename(tmp_path / "a.fig")
    with pytest.raises(ScanError, match="its image is not log10 of counts"):
        read_frame(tmp_path / "a.fig")


@pytest.mark.parametrize("code", [65535, 2**31 - 1, 1048575])
@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.float32])
@pytest.mark.parametrize("mean", [0.05, 20, 9000])
def test_a_number_that_only_a_gap_has_is_a_code(tmp_path, code, dtype, mean):
    """As where a file of 16 bits was converted; also beside hot pixels, and scaled with the counts."""
    y, x = np.indices((200, 240))
    counts = np.random.default_rng(0).poisson(mean * 60 / (5 + np.hypot(x - 120, y - 90)))
    gap = (y >= 150) & (y < 160)
    counts[3, 4], counts[gap] = 300_000, code
    for factor in (1, 0.37):
        if factor == 1 or dtype is np.float32:
            np.save(tmp_path / "a.npy", (counts * factor).astype(dtype))
            assert ((read_frame(tmp_path / "a.npy").counts < 0) == gap).all()


def test_large_counts_that_many_pixels_have_are_counts(tmp_path):
    y, x = np.indices((200, 240))
    radius = np.hypot(x - 120, y - 90)
    counts = np.random.default_rng(0).poisson(3e6 / (1 + (radius / 3) ** 2))
    for frame in (np.minimum(counts, 65000), counts // 1000 * 1000, np.where(radius < 20, 255, 0), counts):
        np.save(tmp_path / "a.npy", frame.astype(np.int32))
        assert (read_frame(tmp_path / "a.npy").counts >= 0).all()
