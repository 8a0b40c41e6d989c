"""Counts split into two independent parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scatterheal.counts.thinning import thin
from scatterheal.errors import ScanError


@given(arrays(np.float32, (5, 6), elements=st.integers(0, 2**20).map(float)), st.floats(0, 1), st.integers(0, 99))
def test_the_parts_are_whole_and_add_up(counts, share, seed):
    part, rest = thin(counts, share, seed)
    assert part.dtype == rest.dtype == np.float32
    assert (part >= 0).all() and (rest >= 0).all() and (part == np.round(part)).all()
    np.testing.assert_array_equal(part + rest, counts)
    np.testing.assert_array_equal(part, thin(counts, share, seed)[0])


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_the_parts_are_poisson_and_know_nothing_of_each_other(share):
    rate = np.linspace(0.2, 9, 300)
    counts = np.random.default_rng(0).poisson(rate, (1000, 300)).astype(np.float32)
    part, rest = thin(counts, share)
    noise, other = part - share * rate, rest - (1 - share) * rate
    # 300 000 pixels: five standard deviations.
    assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(noise.size)
    for values, mean in ((part, share * rate), (rest, (1 - share) * rate)):
        assert (values.var(axis=0) / values.mean(axis=0)).mean() == pytest.approx(1, abs=0.02)
        assert values.mean() == pytest.approx(mean.mean(), rel=0.01)


def test_what_was_not_measured_stays_as_it_is():
    part, rest = thin(np.float32([[np.nan, -2, 7]]), 0.5)
    for values in (part, rest):
        np.testing.assert_array_equal(values[0, :2], np.float32([np.nan, -2]))


def test_a_figures_counts_cannot_be_split():
    with pytest.raises(ScanError, match="not whole numbers"):
        thin(np.float32([[0.5, 3]]), 0.5)
