"""What no pixel measured: corners, dead modules, borders, empty parts of maps; neither shadows nor dark patterns."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scatterheal.app import simulate
from scatterheal.mask.reasons import check_share, find_reasons
from scatterheal.mask.unmeasured import find_unmeasured
from scatterheal.pattern.pixels import OUTSIDE, UNMEASURED
from scatterheal.reading.frames import read_frame
from scatterheal.reading.intensity import of_frame
from scatterheal.settings.models import Mask

REAL = Path(__file__).parents[2] / "shared" / "scans" / "real"
SHAPE = (420, 420)
Y, X = np.indices(SHAPE)
CORNERS = np.hypot(X - 209.5, Y - 209.5) > 209
NOTHING = np.zeros(SHAPE, bool)
# A saxs pattern whose corners are as dark as weak frames are.
PATTERN = 4 + 3000 / (1 + (np.hypot(X - 190, Y - 230) / 9) ** 2)


def counted(rate, seed=0):
    return np.random.default_rng(seed).poisson(rate).astype(np.float32)


def real(name):
    if not (REAL / name).is_file():
        pytest.skip("the real scans are not on this machine; they are never committed")
    counts = read_frame(REAL / name).counts
    return counts, (counts < 0) | ~np.isfinite(counts)


def off(found, right):
    """How many pixels are wrong."""
    return int((found != right).sum())


@settings(max_examples=12, deadline=None)
@given(st.floats(0.3, 1e4), st.integers(0, 9))
def test_corners_outside_of_a_round_plate(rate, seed):
    counts = np.where(CORNERS, 0, counted(np.full(SHAPE, rate), seed))
    found = find_unmeasured(counts, NOTHING)
    # Where it is dark, windows of some pixels do not fit into the tips, and pixels beside them hold nothing either.
    assert off(found, CORNERS) <= (0 if rate > 30 else 0.05 * CORNERS.sum())


@pytest.mark.parametrize(
    "dead", [np.s_[262:, 127:], np.s_[262:, :120], np.s_[:250, :120], np.s_[300:], np.s_[100:200, 150:300]]
)
def test_dead_modules_and_chips_of_zeros(dead):
    counts, right = counted(PATTERN), NOTHING.copy()
    counts[dead], right[dead] = 0, True
    # One of its pixels is hot.
    right_of_it = tuple(np.argwhere(right)[right.sum() // 2 + 40])
    counts[right_of_it] = 1e6
    assert off(find_unmeasured(counts, NOTHING), right) <= 0.002 * right.sum()


def test_a_module_between_gaps_and_what_lies_behind_it():
    counts, gaps = counted(PATTERN), NOTHING.copy()
    gaps[200:210] = gaps[:, 200:210] = gaps[310:320] = True
    right = NOTHING.copy()
    right[210:310, 210:] = True
    counts[right | gaps] = 0
    assert off(find_unmeasured(counts, gaps), right) <= 0.002 * right.sum()


@pytest.mark.parametrize(
    "shadow",
    [
        np.hypot(X - 190, Y - 230) < 25,
        (np.abs(Y - 230) < 12) & (X < 190),
        (np.abs(X - 190) < 30) & (Y > 200),
        np.hypot(X, Y) < 90,
        np.hypot(X - 200, Y) < 60,
        np.hypot(X - 190, Y - 230) < 0,
    ],
    ids=["disc", "holder", "post", "quarter disc in a corner", "half disc", "none"],
)
@pytest.mark.parametrize("factor", [0.003, 0.1, 1, 30])
def test_opaque_shadows_and_the_dark_of_weak_patterns_are_measured(shadow, factor):
    assert not find_unmeasured(np.where(shadow, 0, counted(factor * PATTERN)), NOTHING).any()


@pytest.mark.parametrize("reach", [4, 15, 30])
def test_a_pattern_that_fades_to_nothing_is_measured(reach):
    counts = counted(2000 * np.exp(-np.hypot(X - 190, Y - 230) / reach))
    assert (counts == 0).mean() > 0.02 and not find_unmeasured(counts, NOTHING).any()


@pytest.mark.parametrize("name", [*simulate.SCENES, "demo"])
def test_nothing_of_the_simulated_scans_is_unmeasured(name):
    counts = simulate.demo_frame()[0] if name == "demo" else simulate.simulated(name).counts
    assert not find_unmeasured(counts.astype(np.float32), counts < 0).any()


@pytest.mark.parametrize(
    ("name", "dead", "wrong"),
    [
        ("nx09_strain_001.mar2300", None, 0),
        ("giwaxs_qmap.tiff", None, 30),
        ("muscle_107.tif", None, 600),
        ("muscle_Mn23_0170.tif", np.s_[212:407, 494:], 0),
        ("saxslab_image.tiff", np.s_[424:], 200),
    ],
)
def test_real_frames(name, dead, wrong):
    counts, missing = real(name)
    if dead is not None:
        assert not find_unmeasured(counts, missing).any()
        right = np.zeros_like(missing)
        right[dead] = True
        counts, right = np.where(right & ~missing, 0, counts), right & ~missing
    else:
        # Single pixels of a border count nothing as well.
        right = counts == 0
        right[17:-9, 17:-13] &= name != "muscle_107.tif"
    assert off(find_unmeasured(counts, missing), right) <= wrong


def test_it_goes_before_all_that_is_looked_for_unless_somebody_knows_better():
    counts = np.where(CORNERS, 0, counted(10 * PATTERN))
    nothing = {
        **dict.fromkeys(("beamstop", "holder", "outside"), "none"),
        "stripes": dict.fromkeys(("horizontal", "vertical"), "none"),
    }

    def reasons(**said):
        mask = Mask.model_validate({**nothing, **said})
        return find_reasons(of_frame(counts), mask, np.zeros(SHAPE, np.uint16), centre=(190, 230)).reasons

    found = reasons()
    assert off(found > 0, CORNERS) == 0 and (found[CORNERS] == UNMEASURED | OUTSIDE).all()
    assert not reasons(unmeasured="none").any()
    kept = reasons(keep={"rectangle": [0, 0, 420, 200]})
    assert not kept[:200].any() and (kept[200:] == found[200:]).all()
    drawn = reasons(unmeasured={"rectangle": [10, 10, 20, 20]})
    assert (drawn > 0).sum() == 100 and (drawn[10:20, 10:20] == UNMEASURED | OUTSIDE).all()
    # However large, it is not hidden by anybody.
    check_share(np.where(Y > 50, UNMEASURED | OUTSIDE, np.where(X > 300, OUTSIDE, 0)).astype(np.uint16), False)
