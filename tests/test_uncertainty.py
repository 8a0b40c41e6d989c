"""How sure a heal is: errors that were put in are found again whatever the noise, and intervals hold what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import kstest, nbinom, poisson

from scatterheal.app.simulate import radius_and_azimuth
from scatterheal.counts.ensemble import pool
from scatterheal.errors import ScanError
from scatterheal.validation.calibration import (
    EXPECTED,
    UNSURE,
    Calibration,
    Fold,
    calibrate,
    reach,
    sd_image,
    standard_deviation,
)
from scatterheal.validation.coverage import _pit, coverage

SHAPE = (240, 260)
NO_FLAGS = np.zeros(SHAPE, np.uint8)


def smooth_noise(random, size):
    """Correlated over so many pixels, of unit variance."""
    noise = ndimage.gaussian_filter(random.normal(size=SHAPE), size, mode="wrap")
    return noise / noise.std()


def case(spread_factor=2.0, rate_factor=0.05, size=5.0, level=6.0, folds=2):
    """A true rate, its counts, and folds whose rates are off by what their spread says, times a factor."""
    random = np.random.default_rng(0)
    radius, _ = radius_and_azimuth(SHAPE, (130, 120))
    truth = level * (0.3 + 2 * np.exp(-(((radius - 70) / 15) ** 2)))
    found = []
    for number in range(folds):
        hidden = np.zeros(SHAPE, bool)
        for start in range(8 + 14 * number, 230, 14 * folds):
            hidden[start : start + 12] = True
        spread = 0.1 * np.sqrt(truth) * (0.5 + 1.5 * radius / radius.max())
        sd = np.hypot(spread_factor * spread, rate_factor * truth)
        rate = np.maximum(truth + sd * smooth_noise(random, size), 0.05)
        found.append(Fold(np.float32(rate), np.float32(spread), hidden))
    return truth, random.poisson(truth).astype(np.float32), found


def clip(counts, low, high):
    """Counts as a figure's colour bar shows them: everything up to `low` as half of it, from `high` on as `high`."""
    flags = np.where(counts <= low, 1, np.where(counts >= high, 2, 0)).astype(np.uint8)
    return np.where(flags == 1, low / 2, np.minimum(counts, high)).astype(np.float32), flags


def by_side(found):
    """Mean over the folds, by the side of the blocks, as arrays."""
    return found.table.groupby("side").mean(numeric_only=True).to_records()


def true_share(truth, folds, calibration, sds):
    """How often the true rate is that many sd away or less."""
    away = [
        ((fold.rate - truth) / standard_deviation(calibration, fold.rate, fold.spread))[fold.hidden] for fold in folds
    ]
    return np.mean(np.abs(np.concatenate(away)) < sds)


@pytest.mark.parametrize("clipped", [None, (1, 12), (3, 1000)])
def test_counts(clipped):
    truth, counts, folds = case()
    flags = NO_FLAGS
    if clipped:
        counts, flags = clip(counts, *clipped)
    calibration = calibrate(counts, flags, folds, "counts")
    assert (calibration.lag, calibration.copies) == (1, 1.0)
    assert true_share(truth, folds, calibration, 1) == pytest.approx(0.683, abs=0.05)
    assert true_share(truth, folds, calibration, 1.96) == pytest.approx(0.95, abs=0.03)
    found = coverage(counts, flags, folds, "counts")
    table = by_side(found)
    assert table.within_68 == pytest.approx(0.68, abs=0.05)
    assert table.within_95 == pytest.approx(0.95, abs=0.03)
    if clipped is None:
        # Pixels hardly know whether sd is right, blocks do.
        assert table.without_sd[0] < 1.15 < 1.4 < table.without_sd[1] < table.without_sd[2]
        assert table.rms == pytest.approx(1, abs=0.1)
    assert kstest(found.pit, "uniform").statistic < 0.015


def test_the_two_factors_are_told_apart():
    _, counts, folds = case(spread_factor=2.5, rate_factor=0.0, size=3.0)
    by_spread = calibrate(counts, NO_FLAGS, folds, "counts")
    truth, counts, folds = case(spread_factor=0.0, rate_factor=0.15, size=3.0)
    by_rate = calibrate(counts, NO_FLAGS, folds, "counts")
    assert by_spread.spread_factor == pytest.approx(2.5, rel=0.15) and by_spread.rate_factor < 0.05
    assert by_rate.rate_factor > 0.1 and by_rate.spread_factor < 1
    sd = standard_deviation(by_rate, truth, folds[0].spread)
    assert np.median(sd / truth) == pytest.approx(0.15, rel=0.15)


def test_errors_add_up_in_blocks_as_far_as_they_reach():
    near, far = (
        calibrate(counts, NO_FLAGS, folds, "counts").together for _, counts, folds in (case(size=1.5), case(size=12))
    )
    assert near[15] < near[5] < far[5] and near[15] < 0.7
    assert far[15] > 0.8


def test_pixels_that_a_figure_repeats():
    truth, counts, folds = case(size=6.0)
    counts = np.kron(counts[::2, ::2], np.ones((2, 2), np.float32))
    calibration = calibrate(counts, NO_FLAGS, folds, "counts")
    assert calibration.lag == 2 and calibration.copies == pytest.approx(4, rel=0.1)
    # The true rate of a copied pixel is its neighbour's, hence a little more.
    assert true_share(truth, folds, calibration, 1) == pytest.approx(0.683, abs=0.07)
    table = by_side(coverage(counts, NO_FLAGS, folds, "counts"))
    assert table.within_68[:2] == pytest.approx(0.68, abs=0.06)


@pytest.mark.parametrize("scale", [1.0, 1e-5])
def test_values(scale):
    truth, _, folds = case()
    random = np.random.default_rng(1)
    values = np.float32(scale * (truth + random.normal(size=SHAPE) * np.sqrt(0.5 + 0.2 * truth)))
    folds = [fold._replace(rate=scale * fold.rate, spread=scale * fold.spread) for fold in folds]
    flags = np.where(values > scale * 19, 2, 0).astype(np.uint8)
    calibration = calibrate(values, flags, folds, "values")
    assert calibration.noise == pytest.approx((0.5 * scale**2, 0.2 * scale), rel=0.25)
    assert true_share(scale * truth, folds, calibration, 1) == pytest.approx(0.683, abs=0.06)
    table = by_side(coverage(values, flags, folds, "values"))
    assert table.within_68 == pytest.approx(0.68, abs=0.05)
    assert table.within_95 == pytest.approx(0.95, abs=0.03)
    valid = ~folds[0].hidden
    sd = sd_image(calibration, *folds[0][:2], 0 * values, values, flags, valid, ~valid & False)
    assert sd[0, 0] == pytest.approx(np.sqrt(0.5 + 0.2 * truth[0, 0]) * scale, rel=0.2)


@pytest.mark.parametrize("level", [0.15, 300.0])
def test_weak_and_strong_counts_that_are_healed_perfectly(level):
    truth, counts, folds = case(0, 0, level=level)
    table = by_side(coverage(counts, NO_FLAGS, folds, "counts"))
    assert table.within_68[:2] == pytest.approx(0.68, abs=0.03)
    assert table.within_95 == pytest.approx(0.95, abs=0.03)
    calibration = calibrate(counts, NO_FLAGS, folds, "counts")
    sd = standard_deviation(calibration, folds[0].rate, folds[0].spread)
    assert (sd / np.sqrt(truth)).mean() < 0.12


def test_one_fold_judges_itself_and_says_so():
    _, counts, folds = case()
    assert set(coverage(counts, NO_FLAGS, folds[:1], "counts").table.calibrated_on) == {"itself"}
    assert set(coverage(counts, NO_FLAGS, folds, "counts").table.calibrated_on) == {"other folds"}


def test_same_seed_same_bytes():
    _, counts, folds = case()
    one, same, other = (coverage(counts, NO_FLAGS, folds, "counts", seed).pit for seed in (1, 1, 2))
    assert one.tobytes() == same.tobytes() != other.tobytes()


@given(rate=st.floats(0.1, 500), sd=st.sampled_from([0.0, 0.3, 20.0]), count=st.integers(0, 60), flag=st.integers(0, 2))
def test_a_count_lies_within_its_step(rate, sd, count, flag):
    fold = Fold(np.full((1, 400), rate, np.float32), np.zeros((1, 400), np.float32), np.ones((1, 400), bool))
    counts = np.full((1, 400), count / 2 if flag == 1 else count, np.float32)
    placed = _pit(
        counts,
        np.full((1, 400), flag, np.uint8),
        fold,
        np.full((1, 400), sd, np.float32),
        None,
        np.random.default_rng(0),
    )
    law = poisson(rate) if sd == 0 else nbinom(rate**2 / sd**2, rate / (rate + sd**2))
    low, high = 0 if flag == 1 else law.cdf(count - 1), 1 if flag == 2 else law.cdf(count)
    assert low - 1e-4 <= placed.min() and placed.max() <= high + 1e-4
    assert placed.mean() == pytest.approx((low + high) / 2, abs=0.1 * (high - low) + 1e-4)


def test_too_little_is_hidden():
    _, counts, folds = case()
    few = np.zeros(SHAPE, bool)
    few[5:8, 5:9] = True
    little = [folds[0]._replace(hidden=few)]
    calibration = calibrate(counts, NO_FLAGS, little, "counts")
    assert np.square(calibration[:3]) == pytest.approx(EXPECTED, abs=1)
    assert calibration.errors == pytest.approx(UNSURE, rel=0.2)
    with pytest.raises(ScanError, match="hide more"):
        calibrate(counts, NO_FLAGS, little, "values")
    with pytest.raises(ScanError, match="at least two"):
        pool(np.zeros((1, 4, 4), np.float32))


def test_wider_than_anything_hidden():
    valid = np.ones((60, 60), bool)
    valid[10:30, 10:30] = valid[40:44] = False
    hidden = np.zeros((60, 60), bool)
    hidden[48:54, 5:50] = True
    distance, beyond = reach(valid, [hidden & False, hidden])
    # The hidden bar is 6 pixels wide, at most 3 from its edge; the gap is narrower, the beamstop wider.
    assert distance.max() == 10 and distance[valid].max() == 0
    assert not beyond[40:44].any() and beyond[13:27, 13:27].all() and not beyond[10:13].any()
    assert reach(valid, [])[1].sum() == (~valid).sum()


def test_sd_of_valid_and_healed_pixels():
    """Counted, none, clipped low (0, 1 or 2) and high; healed, by seeds that disagree, behind the beamstop."""
    counts = np.float32([[16, 0, 1, 99, np.nan, np.nan, np.nan]])
    flags = np.uint8([[0, 0, 1, 2, 0, 0, 0]])
    rate, spread, apart = np.full((3, 1, 7), [[[9]], [[1]], [[3]]], np.float32)
    apart[0, 5] = 5
    found = Calibration(3, 1 / 9, 1 / 3, (0, 0, 0), 1, 1.0, {}, None)
    sd = sd_image(found, rate, spread, apart, counts, flags, ~np.isnan(counts), np.arange(7)[None] == 6)
    assert sd.dtype == np.float32
    assert sd[0] == pytest.approx([4, 1, np.sqrt(2 / 3), np.nan, np.sqrt(11), 5, np.nan], nan_ok=True)
