"""The losses: against SciPy's probabilities, and their gradients against finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from scatterheal.dip.losses import LOSSES, Measured, anscombe, poisson

RATES = st.floats(1e-3, 1e4)


def cost(loss, rate, count, **more):
    """Of a single pixel."""
    more = {key: torch.tensor([value]) if isinstance(value, bool) else value for key, value in more.items()}
    measured = Measured(torch.tensor([[float(count)]], dtype=torch.float64), **more)
    return loss(torch.tensor([[np.log(rate)]], dtype=torch.float64), measured).item()


@given(RATES, RATES, st.integers(0, 10**4))
def test_poisson_differs_between_rates_as_the_probability_does(rate, other, count):
    found = cost(poisson, rate, count) - cost(poisson, other, count)
    expected = stats.poisson.logpmf(count, other) - stats.poisson.logpmf(count, rate)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(st.floats(1e-3, 500), st.integers(0, 20))
def test_a_count_at_the_low_end_costs_the_probability_of_so_few(rate, most):
    found = cost(poisson, rate, 0.5 * most, at_most=True, most=most)
    assert found == pytest.approx(-stats.poisson.logcdf(most, rate), rel=1e-5, abs=1e-6)


# Farther below, where the approximation is rougher, a rate is only at the start of a training.
@given(st.integers(30, 10**5), st.floats(-3, 6))
def test_a_count_at_the_high_end_costs_the_probability_of_so_many(least, off):
    rate = max(least + off * np.sqrt(least), 1.0)
    expected = -stats.poisson.logsf(least - 1, rate)
    assert cost(poisson, rate, least, at_least=True) == pytest.approx(expected, rel=0.2, abs=0.005)


@pytest.mark.parametrize("loss", [poisson, anscombe])
def test_far_off_the_ends_of_a_bar_cost_and_gradient_are_finite(loss):
    for end, count, rate in (("at_least", 1000, 1e-6), ("at_most", 0.5, 1e5)):
        log_rate = torch.tensor([[float(np.log(rate))]], requires_grad=True)
        found = loss(log_rate, Measured(torch.tensor([[float(count)]]), **{end: torch.tensor([True])}, most=1))
        (slope,) = torch.autograd.grad(found, log_rate)
        assert torch.isfinite(found) and torch.isfinite(slope) and slope != 0
        # Towards the counts that the end allows.
        assert (slope < 0) == (end == "at_least")


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_those_of_finite_differences(loss):
    random = torch.Generator().manual_seed(0)
    counts = torch.poisson(torch.full((30, 1), 5.0, dtype=torch.float64), generator=random)
    painted = torch.randn(30, 1, generator=random, dtype=torch.float64).requires_grad_()
    kind = torch.arange(30) % 3
    measured = Measured(counts, at_most=kind == 1, at_least=kind == 2, most=4)
    assert torch.autograd.gradcheck(lambda values: LOSSES[loss](values, measured), painted)


@given(st.integers(1, 50), st.floats(0.01, 200))
def test_anscombe_asks_nothing_within_what_an_end_allows(count, rate):
    below = cost(anscombe, rate, 0.5 * count, at_most=True, most=count)
    above = cost(anscombe, rate, count, at_least=True)
    exact = cost(anscombe, rate, count)
    assert below == pytest.approx(exact if rate > count else 0, rel=1e-6, abs=1e-9)
    assert above == pytest.approx(exact if rate < count else 0, rel=1e-6, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.floats(10, 5000), st.integers(0, 99))
def test_anscombe_gives_every_count_the_variance_one(rate, seed):
    counts = np.random.default_rng(seed).poisson(rate, (20000, 1))
    log_rate = torch.full((20000, 1), np.log(rate), dtype=torch.float64)
    assert anscombe(log_rate, Measured(torch.tensor(counts, dtype=torch.float64))).item() == pytest.approx(0.5, rel=0.1)
