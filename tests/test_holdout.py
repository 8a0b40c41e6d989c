"""Which pixels the folds hide."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from scatterheal.errors import ScanError
from scatterheal.pattern import pixels
from scatterheal.pattern.units import grey_levels
from scatterheal.pipeline.prepare import prepare
from scatterheal.validation import holdout


@st.composite
def scans(draw):
    """A scan with any of gaps, stripes, a beamstop, a holder, a user's shape and bad pixels; and its centre."""
    height, width = draw(st.integers(60, 140)), draw(st.integers(60, 140))
    reasons = np.zeros((height, width), np.uint16)
    rows, columns = np.ogrid[:height, :width]
    row, column = draw(st.integers(0, height)), draw(st.integers(0, width))
    if draw(st.booleans()):
        top = draw(st.integers(5, 50))
        reasons[top : top + draw(st.integers(1, 9))] |= draw(st.sampled_from([pixels.GAP, pixels.STRIPE]))
    if draw(st.booleans()):
        reasons[(rows - row) ** 2 + (columns - column) ** 2 <= draw(st.integers(0, 8)) ** 2] |= pixels.BEAMSTOP
    if draw(st.booleans()):
        reasons[max(row - 2, 0) : row + 3, :column] |= pixels.HOLDER
    if draw(st.booleans()):
        reasons[50:57, 20:50] |= pixels.USER
    random = np.random.default_rng(draw(st.integers(0, 9)))
    reasons[random.random(reasons.shape) < draw(st.sampled_from([0, 0.0005]))] |= pixels.HOT_OR_DEAD
    return (
        reasons,
        random.uniform(0, 255, reasons.shape).astype(np.float32),
        draw(st.sampled_from([None, (column, row)])),
    )


@settings(max_examples=30, deadline=None)
@given(scans(), st.integers(0, 5))
def test_hidden_pixels_are_valid_apart_from_holes_and_seeded(scan, seed):
    reasons, grey, centre = scan
    hidden = holdout.hide(reasons, grey, centre, 3, seed)
    assert hidden.dtype == np.uint16 and hidden.shape == (3, *reasons.shape)
    beside = ndimage.maximum_filter(reasons > 0, 2 * holdout.MARGIN + 1)
    assert not hidden[:, beside].any()
    share = (hidden > 0).sum(axis=(1, 2)) / (reasons == 0).sum()
    assert (share > 0).all() and (share <= holdout.MOST).all()
    copied = pixels.GAP | pixels.STRIPE | pixels.USER | pixels.HOLDER | pixels.BEAMSTOP
    assert not (hidden & ~copied).any()
    # The folds do not depend on how many of them are asked for.
    np.testing.assert_array_equal(hidden[:2], holdout.hide(reasons, grey, centre, 2, seed))


def pilatus(height=400, width=500):
    reasons = np.zeros((height, width), np.uint16)
    reasons[100:109] = reasons[200:209] = reasons[300:309] = pixels.GAP
    reasons[:, 240:246] = pixels.GAP
    rows, columns = np.ogrid[:height, :width]
    reasons[146:155, :260] |= pixels.HOLDER
    reasons[(rows - 150) ** 2 + (columns - 260) ** 2 <= 15**2] |= pixels.BEAMSTOP
    return reasons


def test_every_kind_of_hole_has_copies_of_its_own_shape():
    reasons = pilatus()
    hidden = holdout.hide(reasons, np.full(reasons.shape, 9, np.float32), (260, 150), 3)
    for fold in hidden:
        # Moved gaps are as wide, and as far apart, as the gaps.
        rows = np.flatnonzero(((fold & pixels.GAP) > 0).mean(axis=1) > 0.7)
        assert len(rows) > 9 >= len(set(rows % 100))
        holder = np.argwhere(fold & pixels.HOLDER) - (150, 260)
        # All of a turned holder lies in one direction from the centre.
        far = holder[np.hypot(*holder.T) > 30]
        angles = np.arctan2(*far.T)
        assert abs(np.exp(1j * angles).mean()) > 0.98
        stops, count = ndimage.label(fold & pixels.BEAMSTOP)
        assert count == 2
        assert all(len(range(*side.indices(999))) == 31 for box in ndimage.find_objects(stops) for side in box)
    # What one fold hides the others hardly do.
    assert ((hidden > 0).sum(axis=0) > 1).mean() < 0.02


def test_reasons_of_eight_bits_hide_the_same_pixels():
    """So reasons.tif was written once, and folders of results still hold such files."""
    reasons, grey = pilatus(), np.full((400, 500), 9, np.float32)
    hidden = holdout.hide(reasons.astype(np.uint8), grey, (260, 150), 1)
    assert hidden.dtype == np.uint16
    np.testing.assert_array_equal(hidden, holdout.hide(reasons, grey, (260, 150), 1))


def test_bars_cut_the_brightest_arc():
    reasons = pilatus()
    rows, columns = np.ogrid[:400, :500]
    arc = (abs(np.hypot(rows - 150, columns - 260) - 120) < 5) & (abs(columns - 260) < 80) & (rows > 150)
    noise = np.random.default_rng(0).uniform(0, 30, arc.shape)
    hidden = holdout.hide(reasons, np.where(arc, 200, noise).astype(np.float32), (260, 150), 3)
    assert all((fold[arc] > 0).mean() > 0.05 for fold in hidden)


@pytest.mark.parametrize("bit", [pixels.BEAMSTOP, pixels.HOLDER, pixels.OUTSIDE, pixels.HOT_OR_DEAD])
def test_bars_stand_in_for_a_grid(bit):
    reasons = np.zeros((120, 120), np.uint16)
    reasons[50:56, 60:66] = bit
    hidden = holdout.hide(reasons, np.ones((120, 120), np.float32), None, 2)
    assert ((hidden & pixels.GAP) > 0).mean() > 0.02


def test_a_mask_from_a_file_is_moved_as_it_is():
    reasons = np.where(pilatus() > 0, pixels.USER, 0).astype(np.uint16)
    hidden = holdout.hide(reasons, np.ones(reasons.shape, np.float32), None, 2)
    assert set(np.unique(hidden)) == {0, pixels.USER} and ((hidden > 0).mean(axis=(1, 2)) > 0.03).all()


def test_brighter_places_are_hidden_more_often():
    reasons = np.zeros((100, 200), np.uint16)
    reasons[50:54, 98:102] = pixels.BEAMSTOP
    grey = np.zeros((100, 200), np.float32)
    grey[:, 100:] = 200
    copies = holdout.hide(reasons, grey, None, 5) & pixels.BEAMSTOP > 0
    assert copies[:, :, 100:].sum() > 0.8 * copies.sum() > 0


def test_a_mask_that_leaves_no_room_says_so():
    reasons = np.full((50, 50), pixels.GAP)
    reasons[::5] = 0
    with pytest.raises(ScanError, match="it leaves no place to hide a block of valid pixels"):
        holdout.hide(reasons, np.ones((50, 50), np.float32), None, 1)


@pytest.mark.parametrize("name", ["buf1_00000", "MD2_MV_bulk_3"])
def test_real_scans_lose_a_tenth_in_every_fold(real_scans, name):
    scan = prepare(real_scans[name])
    reasons = scan.reasons.reasons
    grey = grey_levels(scan.intensity.values, scan.intensity.meaning.unit)
    hidden = holdout.hide(reasons, grey, scan.reasons.found.beam_centre, 3)
    share = (hidden > 0).sum(axis=(1, 2)) / (reasons == 0).sum()
    assert (share > 0.05).all() and (share < holdout.MOST).all()
    copied = np.bitwise_or.reduce(reasons, axis=None) & (pixels.GAP | pixels.STRIPE | pixels.BEAMSTOP | pixels.HOLDER)
    assert all(np.bitwise_or.reduce(fold, axis=None) == copied for fold in hidden)
