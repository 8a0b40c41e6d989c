import numpy as np
import pytest

from scatterheal.methods import liu2017 as liu
from scatterheal.methods.polar_smooth import radial_mean
from scatterheal.polar.grid import polar_map

CENTRE = (70.2, 75.7)


def arcs(fold, shape=(150, 140), at=50.0):
    y, x = np.indices(shape) - np.array(CENTRE[::-1])[:, None, None]
    radius, chi = np.hypot(x, y), np.arctan2(y, x)
    return 20 + 300 * np.exp(-0.5 * ((radius - at) / 2.5) ** 2) * (1 + np.cos(fold * chi)) ** 2 / 4


def around(fold):
    """The ring of `arcs` on (radius, azimuth), with a hole of 30 degrees."""
    detail = np.tile((1 + np.cos(np.radians(fold * np.arange(360)))) ** 2, (9, 1))
    detail[:, 20:50] = np.nan
    return detail


@pytest.mark.parametrize("fold", [2, 4, 6, 8])
def test_the_fold_is_told(fold):
    noisy = around(fold) + np.random.default_rng(0).normal(0, 0.3, (9, 360))
    # Twice the fold describes sectors that repeat too, but half of it does not fit worse.
    assert liu._fold(noisy) in (fold, fold // 2)
    assert fold % liu._fold(noisy) == 0


@pytest.mark.parametrize("fold", [2, 4, 6])
def test_a_hole_in_a_range_of_q_is_filled_from_the_other_sectors(fold):
    truth = np.tile((1 + np.cos(np.radians(fold * np.arange(360)))) ** 2, (9, 1))
    healed = liu._healed_span(around(fold))
    assert np.abs(healed - truth).max() < 0.15


def test_sectors_are_shifted_to_match():
    detail = np.zeros((20, 360))
    detail[8, 100:120] = detail[10, 283:303] = 1.0
    expected = detail[8].copy()
    detail[:, 105:110] = np.nan
    healed = liu._matched(detail, 180, 180)
    np.testing.assert_array_equal(healed[8, 105:110], expected[105:110])


def test_a_symmetric_pattern_is_healed_from_the_opposite_side():
    rate = arcs(2)
    known = np.ones(rate.shape, bool)
    known[:, 110:125] = False
    healed = liu.liu2017(rate.astype(np.float32), known, CENTRE)
    rings = radial_mean(rate.astype(np.float32), known, CENTRE)
    wrong, of_rings = (np.abs(each / rate - 1)[~known].mean() for each in (healed, rings))
    # The opposite of a pixel lies up to half a pixel beside one.
    assert wrong < 0.06 < 0.5 * of_rings


def test_one_sided_pattern_takes_nothing_from_the_opposite_side():
    _, x = np.indices((150, 140))
    counts = np.where(x > CENTRE[0], 100, 10).astype(np.float32)
    known = np.ones(counts.shape, bool)
    known[:, 110:125] = False
    by_radius = np.full(counts.shape, 50, np.float32)
    filled, seen = liu._from_opposite(counts, known, CENTRE, by_radius)
    np.testing.assert_array_equal(seen, known)
    np.testing.assert_array_equal(filled[known], counts[known])


def test_isotropic_rings_are_told_from_arcs():
    grids = polar_map((150, 140), CENTRE, 1.0, liu.AZIMUTHS)
    known = np.ones((150, 140), bool)
    for fold, expected in ((0, []), (4, [50])):
        counts = np.random.default_rng(1).poisson(arcs(fold)).astype(np.float32)
        _, _, spans = liu._sort(liu._q_phi_map(grids, counts, known))
        for at in expected:
            assert any(first <= at < last for first, last in spans)
        assert sum(last - first for first, last in spans) < 45
