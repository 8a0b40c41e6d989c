"""Detector frames and mask files: counts as they are, broken files one clear line."""

import numpy as np
import pytest

from scatterheal import frames, storage
from scatterheal.errors import ScanError


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


@pytest.mark.parametrize("ending", ["tif", "edf", "cbf", "npy", "fig"])
def test_a_broken_frame_is_one_line(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"this is no frame at all" * 9)
    with pytest.raises(ScanError, match=rf"a\.{ending}: cannot be read \(.*\); is it complete") as refused:
        frames.read_counts(path)
    assert "\n" not in str(refused.value)


def test_a_picture_is_no_frame(tmp_path):
    with pytest.raises(ScanError, match=r"a\.png: a picture holds colours, not counts; write kind: figure"):
        frames.read_counts(tmp_path / "a.png")


def test_masks_of_both_polarities(tmp_path):
    mask = np.array([[0, 255, 255]], np.uint8)
    storage.write_png(tmp_path / "a.png", mask)
    assert frames.read_mask(tmp_path / "a.png", "zero_is_missing").tolist() == [[True, False, False]]
    assert frames.read_mask(tmp_path / "a.png", "nonzero_is_missing").tolist() == [[False, True, True]]
