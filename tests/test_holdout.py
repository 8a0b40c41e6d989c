"""Hidden blocks and scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from scatterheal import holdout
from scatterheal.errors import ScanError
from scatterheal.inpaint import overlay
from scatterheal.rank import rank


@st.composite
def scans(draw):
    height, width = draw(st.integers(60, 140)), draw(st.integers(60, 140))
    missing = np.zeros((height, width), bool)
    top, thick = draw(st.integers(5, 50)), draw(st.integers(1, 9))
    missing[top : top + thick] = True
    rows, columns = np.ogrid[:height, :width]
    beamstop = (rows - height // 2) ** 2 + (columns - width // 2) ** 2 <= draw(st.integers(0, 8)) ** 2
    grey = np.random.default_rng(draw(st.integers(0, 9))).uniform(0, 255, (height, width)).astype(np.float32)
    return missing | beamstop, grey, beamstop


@settings(max_examples=30, deadline=None)
@given(scans(), st.integers(0, 5))
def test_hidden_blocks_are_valid_seeded_and_hole_shaped(scan, seed):
    missing, grey, beamstop = scan
    hidden = holdout.hide_blocks(missing, grey, beamstop, seed)
    assert not (hidden & missing).any()
    # Six blocks of the widest kind at most: bars of a sixth of the shorter side, four times as long as wide.
    assert 0 < hidden.sum() <= 6 * 4 * max(min(missing.shape) // 6, 3) ** 2
    np.testing.assert_array_equal(hidden, holdout.hide_blocks(missing, grey, beamstop, seed))
    assert holdout.gap_width(hidden) >= holdout.NARROWEST
    beside = np.zeros_like(hidden)
    for shift in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        beside |= np.roll(hidden, shift, axis=(0, 1))
    # Never beside a hole either: the network must bridge the whole width of the block.
    assert not (beside & missing)[1:-1, 1:-1].any()


def test_brighter_places_are_hidden_more_often():
    missing = np.zeros((100, 200), bool)
    missing[50:53] = True
    grey = np.zeros((100, 200), np.float32)
    grey[:, 100:] = 200
    share = [holdout.hide_blocks(missing, grey, missing & False, seed)[:, 100:].mean() for seed in range(5)]
    both = [holdout.hide_blocks(missing, grey, missing & False, seed).mean() for seed in range(5)]
    assert np.mean(share) / np.mean(both) > 1.7


def test_a_mask_that_leaves_no_room_says_so():
    missing = np.ones((50, 50), bool)
    missing[::5] = False
    with pytest.raises(ScanError, match="it leaves no place to hide a block of valid pixels"):
        holdout.hide_blocks(missing, np.ones((50, 50), np.float32), missing & False)


def test_a_constant_has_collapsed_and_a_fit_has_not():
    image = np.random.default_rng(0).random((20, 20), dtype=np.float32)
    known = np.ones((20, 20), bool)
    known[:4] = False
    constant = np.full_like(image, image[known].mean())
    assert holdout.score(constant, image, known, ~known).collapsed
    assert not holdout.score(0.5 * image + 0.5 * constant, image, known, ~known).collapsed
    assert holdout.score(np.full_like(image, np.nan), image, known, ~known).collapsed


def test_the_truth_of_a_scan_of_few_counts_has_not_collapsed():
    expected = np.random.default_rng(0).uniform(0.2, 0.7, (200, 200))
    image = np.log1p(np.random.default_rng(1).poisson(expected)).astype(np.float32)
    # The best painting by this score: the expectation of log(1 + n).
    painted = sum(poisson.pmf(n, expected) * np.log1p(n) for n in range(30)).astype(np.float32)
    known = np.ones(image.shape, bool)
    known[:20] = False
    assert not holdout.score(painted, image, known, ~known).collapsed


def test_the_score_is_the_hidden_pixels_alone():
    image = np.zeros((4, 4), np.float32)
    image[0] = [0, 1, 0, 1]
    painted = image.copy()
    painted[3] += 0.5
    known = np.ones((4, 4), bool)
    known[3] = False
    score = holdout.score(painted, image, known, ~known)
    assert (score.hidden_mse, score.known_mse) == (0.25, 0.0)


def test_collapsed_runs_and_failed_numbers_rank_last():
    metrics = {
        "a": {"hidden_mse": 0.3, "known_mse": 0.1, "collapsed": False},
        "b": {"hidden_mse": float("nan"), "known_mse": float("nan"), "collapsed": True},
        "c": {"hidden_mse": 0.1, "known_mse": 0.9, "collapsed": True},
        "d": {"hidden_mse": 0.2, "known_mse": 0.2, "collapsed": False},
    }
    table = rank({run: {"seed": 0} for run in metrics}, metrics)
    assert table.run.tolist() == ["d", "a", "c", "b"]


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_valid_pixels_leave_bit_identical(seed, figure):
    random = np.random.default_rng(seed)
    shape = (7, 9, 3) if figure else (7, 9)
    raw = random.integers(0, 256, shape, dtype=np.uint8) if figure else random.random(shape, dtype=np.float32) * 1e6
    missing = random.random((7, 9)) < 0.3
    model = random.normal(100, 200, shape).astype(np.float32)
    healed = overlay(raw, missing, model)
    assert healed.dtype == raw.dtype
    assert healed[~missing].tobytes() == raw[~missing].tobytes()
    expected = np.clip(model[missing], 0, 255) if figure else model[missing]
    np.testing.assert_allclose(healed[missing], expected, atol=0.5 if figure else 0)
