"""When to stop: literal curves, what holds for all curves, and a tiny training that ends up fitting noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.fft import dctn, idctn

from scatterheal.errors import ScanError
from scatterheal.validation.stopping import TIE, MovingVariance, Stopping, best_iteration, first_valley

curves = st.lists(st.floats(0.1, 10, allow_nan=False), min_size=1, max_size=40)


def numbered(curve):
    return 10 * np.arange(1, len(curve) + 1)


def test_a_later_iteration_has_to_be_better_by_more_than_noise():
    assert best_iteration([1, 2, 3, 4], [2.0, 1.0002, 1.0, 1.1], patience=2) == Stopping(2, 1.0002, False)
    assert best_iteration([1, 2, 3, 4], [2.0, 1.002, 1.0, 1.1], patience=2) == Stopping(3, 1.0, True)


def test_folds_that_disagree_are_a_tie_and_folds_that_agree_are_none():
    # The folds' own levels differ far more than their courses do.
    assert best_iteration([1, 2, 3], [[2, 1.085, 1.08], [5, 4.000, 4.001]], patience=1).iteration == 2
    assert best_iteration([1, 2, 3], [[2, 1.085, 1.08], [5, 4.000, 3.996]], patience=1).iteration == 3
    # One fold learns nothing and the other everything: that is no tie.
    assert best_iteration([1, 2, 3], [[1.01, 1.0101, 1.0102], [6, 4, 3]], patience=1).iteration == 3


def test_one_lucky_check_is_smoothed_away():
    scores = [3.0, 2.0, 1.25, 2.0, 1.5, 1.4, 1.3, 1.4, 1.5]
    assert best_iteration(numbered(scores), scores, patience=20).iteration == 30
    smoothed = best_iteration(numbered(scores), scores, patience=20, smooth=3)
    assert smoothed == Stopping(70, pytest.approx(4.1 / 3), False)


def test_a_training_that_diverges_ends_at_what_it_had():
    assert best_iteration([1, 2, 3, 4], [2.0, 1.0, np.nan, 0.1], patience=100) == Stopping(2, 1.0, False)
    with pytest.raises(ScanError, match="lower lr"):
        best_iteration([1], [np.inf], patience=100)


@given(curves, st.integers(0, 200))
def test_the_chosen_score_is_the_lowest_within_noise_and_none_before_it_is(scores, patience):
    found = best_iteration(numbered(scores), scores, patience)
    chosen = found.iteration // 10 - 1
    good_enough = min(scores) * (1 + TIE)
    assert found.score <= good_enough < min([np.inf, *scores[:chosen]]) * (1 + 1e-12)
    assert found.falling == (10 * len(scores) - found.iteration < patience)


@given(curves, st.integers(0, 60), st.integers(0, 100))
def test_a_valley_that_counts_is_found_when_it_does_and_stays_found(variances, patience, start):
    at = numbered(variances)
    online = [first_valley(at[:end], variances[:end], patience, start) for end in range(1, len(at) + 1)]
    stopped = [found for found in online if not found.falling]
    if stopped:
        assert online[-len(stopped) :] == stopped == [stopped[0]] * len(stopped)
        inside = [v for i, v in zip(at, variances, strict=True) if start <= i <= stopped[0].iteration + patience]
        assert stopped[0].score == min(inside)


def test_no_valley_before_anything_is_known():
    found = first_valley([1, 2], [np.nan, np.nan], patience=0, start=0)
    assert found.falling and found.iteration == 2


@given(st.floats(0.05, 0.95), st.integers(0, 2**32 - 1))
def test_the_running_variance_is_that_of_its_definition(weight, seed):
    outputs = np.random.default_rng(seed).normal(3, 1, (12, 5)).astype(np.float32)
    moving = MovingVariance(weight)
    ours = [moving.update(output) for output in outputs]
    # The exponential average of the squares less the square of the exponential average.
    shares = np.array([(1 - weight) ** 11, *(weight * (1 - weight) ** np.arange(10, -1, -1))])
    mean = shares @ outputs
    assert_allclose(ours[-1], (shares @ (outputs - mean) ** 2).mean(), rtol=1e-6)


def learn(noise, iterations):
    """Error against the truth, and the running variance, of a factorised image that learns strong components first.

    Gradient descent on u^2 - v^2 in cosine components: like a network's, its fit is the pattern first and noise later.
    """
    y, x = np.indices((48, 48))
    radius, chi = np.hypot(x - 20, y - 26), np.arctan2(y - 26, x - 20)
    truth = np.exp(-0.5 * ((radius - 14) / 3) ** 2) * (1 + np.cos(2 * chi)) + 0.5 * np.exp(-radius / 6)
    measured = dctn(truth + noise * np.random.default_rng(0).standard_normal(truth.shape), norm="ortho")
    up, down = np.full((2, *truth.shape), 0.01)
    moving = MovingVariance()
    course = []
    for _ in range(iterations):
        off = measured - (up**2 - down**2)
        up, down = up * (1 + 0.02 * off), down * (1 - 0.02 * off)
        output = idctn(up**2 - down**2, norm="ortho").ravel()
        course.append((np.mean((output - truth.ravel()) ** 2), moving.update(output)))
    return np.arange(1, iterations + 1), *np.array(course).T


def test_the_variance_is_lowest_about_where_the_error_is():
    iterations, error, moving = learn(noise=0.05, iterations=1700)
    assert error[-1] > 1.8 * error.min()
    found = first_valley(iterations, moving, patience=400, start=100)
    assert not found.falling
    assert error[found.iteration - 1] < 1.02 * error.min()


def test_noise_that_is_learned_along_with_the_pattern_leaves_no_valley():
    iterations, error, moving = learn(noise=0.2, iterations=900)
    assert error[-1] > 3 * error.min()
    assert first_valley(iterations, moving, patience=400, start=100).falling
