"""The files of results/: what is written comes back, and nothing is half-written."""

import numpy as np
import pandas as pd
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scatterheal import storage

RGB = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))
COUNTS = arrays(np.float32, st.tuples(st.integers(2, 9), st.integers(2, 9)), elements=st.integers(-2, 2**20).map(float))


@settings(max_examples=30)
@given(st.one_of(RGB, COUNTS), st.booleans())
def test_tiff_keeps_every_bit(tmp_path_factory, image, compress):
    path = tmp_path_factory.mktemp("tiff") / "a.tif"
    storage.write_tiff(path, image, compress)
    back = storage.read_tiff(path)
    assert back.shape == image.shape
    assert back.dtype == image.dtype
    assert back.tobytes() == image.tobytes()
    assert [file.name for file in path.parent.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("image", [np.ones((3, 4), np.float32), np.ones((3, 4, 3), np.uint8)])
def test_a_tiff_says_what_it_is_in_one_tag(tmp_path, image):
    storage.write_tiff(tmp_path / "a.tif", image, description="healed")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert [tag.value for tag in file.pages[0].tags if tag.name == "ImageDescription"] == ["healed"]
    assert storage.read_tiff(tmp_path / "a.tif").shape == image.shape


def test_what_is_no_number_is_null_in_json(tmp_path):
    path = tmp_path / "a.json"
    storage.write_json(path, {"scores": [1.5, np.nan], "rings": ({"score": np.float64("nan")},), "kept": [None, "NaN"]})
    assert storage.read_json(path) == {"scores": [1.5, None], "rings": [{"score": None}], "kept": [None, "NaN"]}
    assert "NaN" not in path.read_text().replace('"NaN"', "")
    with pytest.raises(ValueError, match="not JSON compliant"):
        storage.write_json(path, {"score": np.inf})
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


@settings(max_examples=30)
@given(st.one_of(RGB, COUNTS), st.integers(1, 4))
def test_pages_keep_every_bit_also_a_single_one(tmp_path_factory, image, count):
    path = tmp_path_factory.mktemp("pages") / "a.tif"
    pages = np.stack([image + image.dtype.type(page) for page in range(count)])
    storage.write_pages(path, pages)
    back = storage.read_pages(path)
    assert (back.shape, back.dtype) == (pages.shape, pages.dtype)
    assert back.tobytes() == pages.tobytes()


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("whole")
    with pytest.raises(RuntimeError), storage.replacing(path) as part:
        part.write_text("ha")
        raise RuntimeError
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_whole_numbers_stay_whole_beside_cells_that_say_nothing(tmp_path):
    path = tmp_path / "a.csv"
    table = pd.DataFrame({"run": ["a", None], "lr": [0.1, 2.0], "iterations": [110, np.nan], "pruned": [True, None]})
    storage.write_csv(path, table)
    assert path.read_text() == "run,lr,iterations,pruned\na,0.1,110,True\n,2.0,,\n"
