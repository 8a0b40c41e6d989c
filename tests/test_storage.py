"""The files of results/: what is written comes back, and nothing is half-written."""

import numpy as np
import pytest
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
