"""What the rings tell before any training."""

import numpy as np
import pytest

from scatterheal.dip import radial_start
from scatterheal.polar.canvas import polar, sampling

SHAPE, CENTRE = (101, 121), (63.3, 48.8)
Y, X = np.indices(SHAPE)
RADIUS = np.hypot(X - CENTRE[0], Y - CENTRE[1])
ROUND = 3 + 400 * np.exp(-0.5 * ((RADIUS - 30) / 2) ** 2)
KNOWN = (RADIUS > 8) & ~((Y >= 60) & (Y < 67))


def spread(canvas, pattern, known=KNOWN):
    """S at the known pixels, and their counts."""
    return sampling(canvas, known), pattern[known].astype(np.float32)


def test_the_radial_start_is_an_isotropic_pattern_down_to_its_noise():
    canvas = polar(SHAPE, CENTRE, radius_step=0.5, angles=2)
    counts = np.random.default_rng(0).poisson(ROUND)
    start = np.exp(radial_start.radial_start(canvas, *spread(canvas, counts)))
    assert (start == start[:, :1]).all()
    radius = canvas.step[0] * np.arange(canvas.rows)
    expected = 3 + 400 * np.exp(-0.5 * ((radius - 30) / 2) ** 2)
    seen = (radius > 9) & (radius < 60)
    # Some 200 pixels at each radius: their noise is 1 to 4 %.
    assert np.abs(start[seen, 0] / expected[seen] - 1).max() < 0.25
    assert np.sqrt(np.mean((start[seen, 0] / expected[seen] - 1) ** 2)) < 0.06


def test_where_nothing_is_known_the_start_stays_within_what_is():
    canvas = polar(SHAPE, CENTRE, radius_step=1, angles=32)
    start = np.exp(radial_start.radial_start(canvas, *spread(canvas, ROUND, (RADIUS > 20) & (RADIUS < 45))))
    assert start.min() > 2.9 and start.max() < 404
    none = radial_start.radial_start(canvas, *spread(canvas, 0 * ROUND))
    assert none == pytest.approx(np.log(radial_start.LEAST_RATE))


@pytest.mark.parametrize("stop", [8, 12, 16])
def test_behind_the_beamstop_the_start_goes_on_as_it_comes(stop):
    canvas = polar(SHAPE, CENTRE, radius_step=0.5, angles=2)
    falling = 3 + 3000 * np.exp(-0.5 * (RADIUS / 9) ** 2)
    start = np.exp(radial_start.radial_start(canvas, *spread(canvas, falling, stop < RADIUS)))
    assert start[0, 0] == pytest.approx(3003, rel=0.3)
    # A ring just outside is not smeared into it.
    ring = 3 + 400 * np.exp(-0.5 * ((RADIUS - stop - 8) / 2) ** 2)
    start = np.exp(radial_start.radial_start(canvas, *spread(canvas, ring, stop < RADIUS)))
    assert start[: 2 * stop, 0].max() < 5


def test_a_hole_in_the_brighter_part_of_a_ring_does_not_darken_it():
    """A streak, tenfold within 20 degrees of both sides, of which one side is hidden at some radii."""
    canvas = polar(SHAPE, CENTRE, radius_step=0.5, angles=24)
    azimuth = np.arctan2(Y - CENTRE[1], X - CENTRE[0])
    streak = np.where(np.abs(np.sin(azimuth)) < np.sin(np.radians(20)), 100.0, 10.0)
    hole = (np.abs(azimuth) < np.radians(25)) & (RADIUS > 25) & (RADIUS < 32)
    start = np.exp(radial_start.radial_start(canvas, *spread(canvas, streak, (RADIUS > 8) & ~hole)))
    # 30 everywhere; without that side the mean would be 19.
    assert start[20:80, 0] == pytest.approx(30, rel=0.12)


@pytest.mark.parametrize("level", [0.05, 0.5, 5])
def test_sectors_that_differ_by_noise_alone_change_nothing(level):
    canvas = polar(SHAPE, CENTRE, radius_step=0.5, angles=24)
    counts = np.random.default_rng(0).poisson(level, SHAPE)
    start = np.exp(radial_start.radial_start(canvas, *spread(canvas, counts)))
    assert np.median(start) == pytest.approx(counts[KNOWN].mean(), rel=0.05)
