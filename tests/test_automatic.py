"""Beamstop, holder and shadows: found where they are, and nothing where there is only bright or merely dark signal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scatterheal.app.simulate import radius_and_azimuth, ring
from scatterheal.counts.dispersion import dispersion
from scatterheal.mask.beamstop import find_beamstop
from scatterheal.mask.holder import find_holder
from scatterheal.mask.parts import find_parts
from scatterheal.mask.shadows import find_shadows

SHAPE, CENTRE = (150, 160), (78.0, 71.0)
RADIUS, CHI = radius_and_azimuth(SHAPE, CENTRE)
X, Y = RADIUS * np.cos(CHI), RADIUS * np.sin(CHI)
NOTHING = np.zeros(SHAPE, bool)
FALL_OFF = 20 * (1 + RADIUS / 8) ** -1.5 + 0.3
FLIPS = {
    "up-down": (lambda image: image[::-1], lambda x, y: (x, SHAPE[0] - 1 - y)),
    "left-right": (lambda image: image[:, ::-1], lambda x, y: (SHAPE[1] - 1 - x, y)),
    "transposed": (lambda image: image.T, lambda x, y: (y, x)),
}


def poisson(expected, mean, seed=0):
    """Counts of a pattern with so many per pixel."""
    return np.random.default_rng(seed).poisson(expected * mean / expected.mean()).astype(np.float32)


def everything(parts):
    return parts.beamstop | parts.holder | parts.outside


def overlap(found, truth):
    return (found & truth).sum() / (found | truth).sum()


def spots():
    random = np.random.default_rng(3)
    places = random.uniform((X.min(), Y.min()), (X.max(), Y.max()), (25, 2))
    return sum(random.exponential(20) * np.exp(-0.5 * (np.hypot(X - x, Y - y) / 1.5) ** 2) for x, y in places)


INNOCENT = {
    "fall-off": FALL_OFF,
    "steep fall-off with nothing beyond": 1e-3 + 1e3 * (1 + (RADIUS / 4) ** 2) ** -2,
    "sharp ring": FALL_OFF + ring(RADIUS, CHI, 40, 0.8, 10, 0),
    "two rings and nothing between": 0.05 + ring(RADIUS, CHI, 18, 2, 20, 0) + ring(RADIUS, CHI, 60, 2, 20, 0),
    "ring with an empty middle": 0.05 + ring(RADIUS, CHI, 30, 8, 5, 0),
    "two arcs": FALL_OFF + ring(RADIUS, CHI, 40, 2, 10, 8),
    "four arcs": FALL_OFF + ring(RADIUS, 2 * CHI, 40, 2, 10, 8),
    "lobes": 0.05 + ring(RADIUS, CHI, 35, 9, 5, 3),
    "streak": FALL_OFF + 20 * np.exp(-0.5 * (Y / 2) ** 2) * np.exp(-np.abs(X) / 60),
    "spots": FALL_OFF + spots(),
    "dark sector on both sides": FALL_OFF * (1 - 0.7 * np.abs(np.cos(CHI - 0.4)) ** 12),
}


@pytest.mark.parametrize("mean", [0.5, 200])
@pytest.mark.parametrize("off", [0, 2])
@pytest.mark.parametrize("pattern", INNOCENT)
def test_bright_and_merely_dark_signal_is_never_masked(pattern, off, mean):
    missing = NOTHING.copy()
    missing[100:107] = True
    parts = find_parts(poisson(INNOCENT[pattern], mean), missing, (CENTRE[0] + off, CENTRE[1]))
    assert parts.found == [] and not everything(parts).any()


def band(angle, half_width, past=0.0):
    """Pixels of a straight holder that misses the beam by some pixels."""
    along, across = X * np.cos(angle) + Y * np.sin(angle), Y * np.cos(angle) - X * np.sin(angle) - past
    return (along > 0) & (np.abs(across) < half_width)


@settings(max_examples=8, deadline=None)
@given(
    angle=st.floats(0, 6.28),
    half_width=st.floats(2.5, 8),
    transmission=st.sampled_from([0.0, 0.3, 0.5]),
    past=st.floats(-1, 1),
    seed=st.integers(0, 99),
)
def test_a_holder_is_found_at_any_angle(angle, half_width, transmission, past, seed):
    hidden = band(angle, half_width, past)
    expected = 0.5 + 5 * np.exp(-RADIUS / 60)
    counts = poisson(np.where(hidden, transmission, 1) * expected, 30, seed)
    parts = find_parts(counts, NOTHING, CENTRE)
    # Next to the beam the band's flanks are too short to tell.
    assert overlap(everything(parts) & (RADIUS > 15), hidden & (RADIUS > 15)) > 0.7
    assert (everything(parts) & ~hidden).mean() < 0.012


@settings(max_examples=8, deadline=None)
@given(
    radius=st.floats(3, 11),
    x=st.floats(-2, 2),
    y=st.floats(-2, 2),
    square=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_beamstop_is_found_round_or_square(radius, x, y, square, seed):
    hidden = (np.maximum(np.abs(X - x), np.abs(Y - y)) if square else np.hypot(X - x, Y - y)) < radius
    found = find_beamstop(poisson(np.where(hidden, 0, FALL_OFF), 20, seed), NOTHING, CENTRE)
    assert found is not None and overlap(found.region, hidden) > 0.6
    assert found.transmission < 0.15


def test_a_beamstop_on_a_holder_is_two_parts():
    stop, arm = RADIUS < 11, band(2.0, 3)
    parts = find_parts(poisson(np.where(stop, 0, np.where(arm, 0.4, 1)) * FALL_OFF, 30), NOTHING, CENTRE)
    assert {record.part for record in parts.found} == {"beamstop", "holder"}
    assert overlap(parts.beamstop, stop) > 0.85
    assert overlap(parts.holder, arm & ~stop) > 0.8
    assert not (parts.beamstop & parts.holder).any()


def test_a_shadow_goes_on_behind_a_gap():
    hidden = (X > 15) & (X < 50) & (Y < 5)
    missing = NOTHING.copy()
    missing[76 - 10 : 76 - 3] = True
    (found,) = find_shadows(poisson(np.where(hidden, 0.01, 1) * FALL_OFF, 50), missing, CENTRE)
    assert overlap(found.region, hidden & ~missing) > 0.85
    # Behind the gap it is only a few rows high.
    assert (found.region & hidden)[76 - 3 :].sum() > 0.6 * hidden[76 - 3 :].sum()


SHADED = poisson(
    np.where((X > 30) & (Y > 20), 0.2, np.where(RADIUS < 8, 0, np.where(band(2.5, 4), 0.4, 1))) * FALL_OFF, 100, seed=5
)


@pytest.mark.parametrize("flip", FLIPS)
def test_what_is_found_flips_with_the_image(flip):
    turn, move = FLIPS[flip]
    centre = move(*CENTRE)
    straight, flipped = find_parts(SHADED, NOTHING, CENTRE), find_parts(turn(SHADED), turn(NOTHING), centre)
    assert {record.part for record in straight.found} == {"beamstop", "holder", "outside"}
    for part in ("beamstop", "holder", "outside"):
        assert overlap(turn(getattr(straight, part)), getattr(flipped, part)) > 0.9


def test_what_is_found_moves_with_the_image():
    down, right = 17, 23
    wider = np.pad(SHADED, ((down, 0), (right, 0)))
    missing = np.pad(NOTHING, ((down, 0), (right, 0)), constant_values=True)
    straight, moved = (
        find_parts(SHADED, NOTHING, CENTRE),
        find_parts(wider, missing, (CENTRE[0] + right, CENTRE[1] + down)),
    )
    for part in ("beamstop", "holder", "outside"):
        assert overlap(getattr(straight, part), getattr(moved, part)[down:, right:]) > 0.93


@pytest.mark.parametrize("garbage", [0, -2, 1e9, np.nan])
def test_what_stands_in_missing_pixels_does_not_matter(garbage):
    missing = NOTHING.copy()
    missing[40:47] = missing[:, 120:124] = True
    zero, spoilt = (
        find_parts(np.where(missing, value, SHADED).astype(np.float32), missing, CENTRE) for value in (1, garbage)
    )
    assert zero.found == spoilt.found
    np.testing.assert_array_equal(everything(zero), everything(spoilt))
    assert not (everything(zero) & missing).any()


@pytest.mark.parametrize("counts", [np.zeros(SHAPE), np.full(SHAPE, 7.0), FALL_OFF], ids=["dark", "constant", "smooth"])
def test_without_noise_or_counts_nothing_is_found(counts):
    assert find_parts(counts.astype(np.float32), NOTHING, CENTRE).found == []


def test_without_a_centre_or_a_known_pixel_nothing_is_found():
    assert find_parts(SHADED, NOTHING, None).found == []
    assert find_parts(SHADED, ~NOTHING, CENTRE).found == []
    far = find_parts(SHADED, NOTHING, (-500.0, 9000.0))
    assert not far.beamstop.any() and not far.holder.any()


@pytest.mark.parametrize("shape", [(1, 300), (300, 1), (12, 12)])
def test_tiny_images(shape):
    counts = np.random.default_rng(0).poisson(5, shape).astype(np.float32)
    assert find_parts(counts, np.zeros(shape, bool), (shape[1] / 2, shape[0] / 2)).found == []


def test_a_beam_where_two_gaps_cross_has_no_beamstop():
    counts = np.random.default_rng(141).poisson(2, (58, 58)).astype(np.float32)
    missing = np.zeros((58, 58), bool)
    missing[24:34] = missing[:, 24:34] = True
    assert find_beamstop(counts, missing, (29, 29)) is None


@given(st.floats(0.5, 2000), st.integers(1, 2), st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_dispersion_is_that_of_the_noise_and_not_of_the_pattern(mean, enlarged, seed):
    slope = 1 + np.linspace(0, 3, 160) + np.linspace(0, 3, 150)[:, None]
    counts = np.kron(poisson(slope, mean, seed), np.ones((enlarged, enlarged)))
    assert dispersion(counts, np.zeros(counts.shape, bool)) == pytest.approx(enlarged**2, rel=0.35)


def test_holder_of_known_outline():
    hidden = band(np.pi, 5)
    found = find_holder(poisson(np.where(hidden, 0.4, 1) * FALL_OFF, 100), NOTHING, CENTRE)
    rows = sorted(y for _, y in found.outline)
    np.testing.assert_allclose(rows, [CENTRE[1] - 5, CENTRE[1] - 5, CENTRE[1] + 5, CENTRE[1] + 5], atol=1.2)
    assert found.transmission == pytest.approx(0.4, abs=0.1)
    assert found.evidence > 20 > found.runner_up
