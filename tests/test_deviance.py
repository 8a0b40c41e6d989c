"""Deviance, its floor and residuals, of counts that are censored or not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from scatterheal.counts import deviance as module
from scatterheal.counts.deviance import (
    Censoring,
    censoring,
    deviance,
    expected_deviance,
    log_at_least,
    log_at_most,
    residuals,
)

CENSORINGS = [Censoring(-1, np.inf), Censoring(1, np.inf), Censoring(1, 95), Censoring(20, 40), Censoring(-1, 5050)]


def observe(counts, limits):
    """Counts as a figure would tell them, with flags."""
    low, high = counts <= limits.low, counts >= limits.high
    return np.where(low, limits.low / 2, np.where(high, limits.high, counts)).astype(np.float32), low * np.uint8(
        1
    ) + high * np.uint8(2)


@given(st.integers(0, 10**6), st.floats(0.05, 1e6))
def test_the_deviance_compares_with_the_best_possible_rate(count, rate):
    best = poisson.logpmf(count, count) if count else 0.0
    expected = 2 * (best - poisson.logpmf(count, rate))
    # The two logarithms cancel where the count is as expected.
    assert deviance(np.float32([count]), np.uint8([0]), np.array([rate]))[0] == pytest.approx(
        expected, rel=1e-6, abs=1e-6 * max(count, 1)
    )


@given(st.integers(0, 10**4), st.floats(0.05, 1e6))
def test_chances_of_censored_counts_are_right_however_small(count, rate):
    for log_chance, exact, series in (
        (
            log_at_most(count, np.array([rate]))[0],
            poisson.logcdf(count, rate),
            np.arange(count, max(count - 400, -1), -1.0),
        ),
        (log_at_least(count, np.array([rate]))[0], poisson.logsf(count - 1, rate), count + np.arange(4000.0)),
    ):
        if exact < -600:
            exact = np.logaddexp.reduce(poisson.logpmf(series, rate))
        assert log_chance == pytest.approx(exact, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("limits", CENSORINGS)
@pytest.mark.parametrize("rate", [0.05, 0.3, 1.0, 3.0, 33.0, 90.0, 900.0, 5000.0])
def test_the_floor_is_what_a_simulation_gives(limits, rate):
    counts = np.random.default_rng(0).poisson(rate, 100_000)
    seen, flags = observe(counts, limits)
    rates = np.full(counts.shape, rate)
    simulated = deviance(seen, flags, rates)
    assert expected_deviance(rates[:1], limits)[0] == pytest.approx(
        simulated.mean(), abs=5 * simulated.std() / 300 + 1e-3
    )
    residual, variance = residuals(seen, flags, rates, limits)
    assert abs(residual.mean()) < 5 * residual.std() / 300 + 1e-6
    assert variance[0] == pytest.approx(residual.var(), rel=0.1, abs=2e-3)


def test_limits_come_from_the_flags():
    counts, flags = observe(np.arange(200), Censoring(1, 95))
    assert censoring(counts, flags) == Censoring(1, 95)
    assert censoring(counts, flags * np.uint8(0)) == module.NONE


def test_a_rate_of_nothing_is_floored_and_a_failed_one_stays_failed():
    found = deviance(np.float32([1, 1]), np.uint8([0, 0]), np.float32([0, np.nan]))
    assert found[0] == pytest.approx(2 * (np.log(20) - 0.95)) and np.isnan(found[1])
