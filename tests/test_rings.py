"""What the rings tell before any training."""

import numpy as np
import pytest

from scatterheal import rings
from scatterheal.canvas import polar, sampling

SHAPE, CENTRE = (101, 121), (63.3, 48.8)
Y, X = np.indices(SHAPE)
RADIUS, CHI = np.hypot(X - CENTRE[0], Y - CENTRE[1]), np.arctan2(Y - CENTRE[1], X - CENTRE[0])
ROUND = 3 + 400 * np.exp(-0.5 * ((RADIUS - 30) / 2) ** 2)
KNOWN = (RADIUS > 8) & ~((Y >= 60) & (Y < 67))


def spread(canvas, pattern, known=KNOWN):
    """S at the known pixels, and their counts."""
    return sampling(canvas, known), pattern[known].astype(np.float32)


def test_the_radial_start_is_an_isotropic_pattern_down_to_its_noise():
    canvas = polar(SHAPE, CENTRE, radius_step=0.5, angles=2)
    counts = np.random.default_rng(0).poisson(ROUND)
    start = np.exp(rings.radial_start(canvas, *spread(canvas, counts)))
    assert (start == start[:, :1]).all()
    radius = canvas.step[0] * np.arange(canvas.rows)
    expected = 3 + 400 * np.exp(-0.5 * ((radius - 30) / 2) ** 2)
    seen = (radius > 9) & (radius < 60)
    # Some 200 pixels at each radius: their noise is 1 to 4 %.
    assert np.abs(start[seen, 0] / expected[seen] - 1).max() < 0.25
    assert np.sqrt(np.mean((start[seen, 0] / expected[seen] - 1) ** 2)) < 0.06


def test_where_nothing_is_known_the_start_stays_within_what_is():
    canvas = polar(SHAPE, CENTRE, radius_step=1, angles=32)
    start = np.exp(rings.radial_start(canvas, *spread(canvas, ROUND, (RADIUS > 20) & (RADIUS < 45))))
    assert start.min() > 2.9 and start.max() < 404
    none = rings.radial_start(canvas, *spread(canvas, 0 * ROUND))
    assert none == pytest.approx(np.log(rings.LEAST_RATE))


def lobes(azimuth):
    """Two opposite lobes at an azimuth, on the ring."""
    return 3 + (ROUND - 3) * np.exp(-0.5 * (np.sin(CHI - azimuth) / 0.3) ** 2)


@pytest.fixture
def circle():
    return polar(SHAPE, CENTRE, radius_step=1, angles=64)


def test_counterparts_are_shown_on_the_other_side(circle):
    """One bright place at azimuth 20 degrees: half a turn on, and mirrored at an axis that is its own."""
    spot = 20 + 400 * np.exp(-0.5 * (((RADIUS - 30) / 3) ** 2 + ((CHI - np.radians(20)) / 0.1) ** 2))
    turned, _ = rings.counterparts(circle, *spread(circle, spot))
    row, column = np.unravel_index(turned.argmax(), turned.shape)
    assert abs(row - 30) <= 2
    assert column == pytest.approx((20 + 180 - np.degrees(circle.origin[1])) % 360 / 5.625, abs=1.5)
    own = round((20 - np.degrees(circle.origin[1])) / 5.625)
    assert turned[30, own] < 0.1 * turned.max()


@pytest.mark.parametrize("azimuth", [0, 0.4, 1.9])
def test_of_a_symmetric_pattern_both_are_the_pattern(circle, azimuth):
    everything = np.ones(SHAPE, bool)
    pattern = lobes(azimuth)
    maps = rings.counterparts(circle, *spread(circle, pattern, everything))
    assert maps.shape == (2, circle.rows, circle.columns) and maps.dtype == np.float32
    assert maps.mean(axis=(1, 2)) == pytest.approx(0, abs=1e-5)
    assert maps.std(axis=(1, 2)) == pytest.approx(1, abs=1e-5)
    itself = rings._filled(*_parts(circle, pattern))[10:45]
    for each in maps[:, 10:45]:
        assert np.corrcoef(each.ravel(), itself.ravel())[0, 1] > 0.98


def _parts(canvas, pattern):
    total, pixels = rings._spread(canvas, *spread(canvas, pattern, np.ones(SHAPE, bool)))
    return total, pixels * (total.sum(axis=1) / np.maximum(pixels.sum(axis=1), 1e-9))[:, None], pixels


def test_scaling_the_counts_scales_no_counterpart(circle):
    maps = [rings.counterparts(circle, *spread(circle, factor * lobes(1.0))) for factor in (1000, 4000)]
    np.testing.assert_allclose(*maps, atol=0.01)


@pytest.mark.parametrize("stop", [8, 12, 16])
def test_behind_the_beamstop_the_start_goes_on_as_it_comes(stop):
    canvas = polar(SHAPE, CENTRE, radius_step=0.5, angles=2)
    falling = 3 + 3000 * np.exp(-0.5 * (RADIUS / 9) ** 2)
    start = np.exp(rings.radial_start(canvas, *spread(canvas, falling, stop < RADIUS)))
    assert start[0, 0] == pytest.approx(3003, rel=0.3)
    # A ring just outside is not smeared into it.
    ring = 3 + 400 * np.exp(-0.5 * ((RADIUS - stop - 8) / 2) ** 2)
    start = np.exp(rings.radial_start(canvas, *spread(canvas, ring, stop < RADIUS)))
    assert start[: 2 * stop, 0].max() < 5
