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
@given(st.one_of(RGB, COUNTS))
def test_tiff_keeps_every_bit(tmp_path_factory, image):
    path = tmp_path_factory.mktemp("tiff") / "a.tif"
    storage.write_tiff(path, image)
    back = storage.read_tiff(path)
    assert back.shape == image.shape
    assert back.dtype == image.dtype
    assert back.tobytes() == image.tobytes()
    assert [file.name for file in path.parent.iterdir()] == ["a.tif"]


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("whole")
    with pytest.raises(RuntimeError), storage.replacing(path) as part:
        part.write_text("ha")
        raise RuntimeError
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]
