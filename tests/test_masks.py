"""Masks: geometry, stripes that are none, hot pixels, and conservative shrinking."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scatterheal.errors import ScanError
from scatterheal.mask.bad_pixels import hot_pixels
from scatterheal.mask.reasons import check_share, detector_reasons, find_reasons
from scatterheal.mask.stripes import find_stripes
from scatterheal.pattern.meaning import ColourScale, Meaning
from scatterheal.pattern.pixels import BEAMSTOP, GAP, HOLDER, HOT_OR_DEAD, OUTSIDE, REASONS, STRIPE, UNREADABLE, USER
from scatterheal.reading.detectors import detector_gaps
from scatterheal.reading.intensity import Intensity, of_frame
from scatterheal.settings.models import Mask


def mask_of(**said):
    """A mask of what is said alone: nothing else is looked for."""
    nothing = dict.fromkeys(("beamstop", "holder", "outside"), "none")
    return Mask.model_validate({**nothing, "stripes": {"horizontal": "none", "vertical": "none"}, **said})


def nothing_known(image):
    return np.zeros(image.shape, np.uint16)


def drawn_reasons(grey, mask, **more):
    """The reasons of a figure's luminance, or values like it, of which nothing is known before."""
    luminance = Intensity(grey, np.zeros(grey.shape, np.uint8), Meaning("colours", "luminance"))
    return find_reasons(luminance, mask_of(**mask), nothing_known(grey), **more).reasons


def test_the_papers_three_parts_in_a_tiny_image():
    grey = np.float32(
        [
            [200, 200, 200, 200, 200],
            [200, 3, 3, 200, 200],
            [200, 3, 90, 200, 200],
            [200, 200, 200, 200, 200],
            [0, 0, 0, 0, 0],
        ]
    )
    mask = {
        "beamstop": [{"rectangle": [1, 1, 3, 3], "threshold": 10}],
        "holder": [{"polygon": [[2.5, 1.5], [4.5, 1.5], [4.5, 3.5], [2.5, 3.5]]}],
        "stripes": {"horizontal": [[4, 5]], "vertical": "none", "threshold": 10},
    }
    assert drawn_reasons(grey, mask).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 2, 2, 0, 0],
        [0, 2, 0, 4, 4],
        [0, 0, 0, 4, 4],
        [16, 16, 16, 16, 16],
    ]


def test_the_yaml_has_a_key_for_every_part_that_is_drawn():
    for reason in REASONS:
        if reason.drawn:
            assert Mask.model_fields[reason.name].default == (["auto"] if reason.found else [])


def test_a_frames_codes_and_hot_pixels_are_missing_by_themselves():
    counts = np.random.default_rng(0).poisson(5, (40, 50)).astype(np.float32)
    counts[10:13], counts[30, 7], counts[35, 9], counts[36, 9] = -1, 1048575, np.nan, -2
    reasons = find_reasons(of_frame(counts), mask_of(stripes={}), detector_reasons(counts)).reasons
    expected = np.zeros((40, 50), np.uint16)
    expected[10:13], expected[30, 7], expected[35, 9], expected[36, 9] = GAP, HOT_OR_DEAD, HOT_OR_DEAD, GAP
    np.testing.assert_array_equal(reasons, expected)


def test_detector_gaps_come_from_pyfai():
    counts = np.random.default_rng(0).poisson(5, (619, 487)).astype(np.float32)
    gaps = detector_gaps("Pilatus300k", (619, 487))
    reasons = find_reasons(of_frame(counts), mask_of(), detector_reasons(counts, gaps), centre=(9, 9)).reasons
    assert np.flatnonzero((reasons == GAP).all(axis=1)).tolist() == [*range(195, 212), *range(407, 424)]
    with pytest.raises(
        ScanError, match=r"Pilatus1M has \(1043, 981\) pixels \(rows, columns\), the frame \(619, 487\)"
    ):
        detector_gaps("Pilatus1M", (619, 487))
    with pytest.raises(ScanError, match=r"pyFAI knows no 'Pilatus3M'; did you mean pilatus.* or .*\?$"):
        detector_gaps("Pilatus3M", (619, 487))


@pytest.mark.parametrize("width", [0.6, 1.0, 1.5])
@pytest.mark.parametrize("peak", [1e3, 1e5])
def test_sharp_rings_spots_and_the_beams_tail_are_not_hot(width, peak):
    y, x = np.indices((161, 161))
    radius = np.hypot(x - 80, y - 80)
    ring = peak * np.exp(-0.5 * ((radius - 60) / width) ** 2)
    spot = peak * np.exp(-0.5 * (np.hypot(x - 20, y - 30) / 1.2) ** 2)
    tail = peak * np.exp(-radius / 3)
    counts = np.random.default_rng(0).poisson(2 + ring + spot + tail).astype(np.float32)
    assert not hot_pixels(counts, counts < 0).any()
    counts[[10, 10, 11, 140], [100, 101, 100, 20]] = 1e6
    assert np.argwhere(hot_pixels(counts, counts < 0)).tolist() == [[10, 100], [10, 101], [11, 100], [140, 20]]


@pytest.mark.parametrize(
    "outline",
    [
        {"rectangle": [1, 1, 4, 4], "threshold": 10},
        {"polygon": [[1.2, 1.2], [1.8, 1.2], [1.2, 1.8]]},
        {"circle": [1.5, 1.5, 0.5]},
    ],
)
def test_a_shape_that_hides_nothing_is_refused(outline):
    grey = np.full((6, 6), 200, np.float32)
    grey[0] = 0
    with pytest.raises(ScanError, match=r"mask\.holder: a shape hides no pixel; move it, or raise its threshold"):
        drawn_reasons(grey, {"holder": [outline]})


def test_rows_beside_a_wide_holder_are_no_stripes():
    grey = np.random.default_rng(0).uniform(50, 200, (120, 200)).astype(np.float32)
    reasons = drawn_reasons(grey, {"holder": [{"rectangle": [0, 90, 198, 100]}], "stripes": {}})
    assert not (reasons & STRIPE).any()


def test_a_mask_file_of_another_shape_is_refused():
    grey = np.ones((4, 5), np.float32)
    with pytest.raises(ScanError, match=r"mask.file: its shape \(5, 4\) .* is not the cropped image's \(4, 5\)"):
        drawn_reasons(grey, {}, missing_in_file=np.zeros((5, 4), bool))
    reasons = drawn_reasons(grey, {}, missing_in_file=np.eye(4, 5, dtype=bool))
    np.testing.assert_array_equal(reasons, np.eye(4, 5) * USER)


@pytest.mark.parametrize(
    ("missing", "allow", "words"),
    [
        (0, False, "it hides nothing"),
        (10, False, "it hides the whole image"),
        (10, True, "it hides the whole image"),
        (6, False, "it hides 60% of the image; check mask_convention, or set allow_large_mask"),
        (6, True, None),
        (4, False, None),
    ],
)
def test_share_of_missing_pixels(missing, allow, words):
    reasons = np.where(np.arange(10) < missing, BEAMSTOP, np.uint16(0))[None]
    if words is None:
        check_share(reasons, allow)
    else:
        with pytest.raises(ScanError, match=words):
            check_share(reasons, allow)


def speckle(rate, shape=(400, 300), seed=0):
    """Grey levels of a figure of few counts: most pixels dark, `rate` (per row) lit."""
    rows = np.broadcast_to(np.asarray(rate, float).reshape(-1, 1), (shape[0], 1))
    return np.where(np.random.default_rng(seed).random(shape) < rows, 60, 0).astype(np.float32)


@pytest.mark.parametrize("rate", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("width", [8, 17])
def test_a_stripe_is_found_exactly_in_sparse_and_in_dense_images(rate, width):
    grey = speckle(rate)
    grey[100 : 100 + width] = 0
    # Rows beside the stripe that happen to be empty too belong to it.
    first, last = 100, 100 + width
    while not grey[first - 1].any():
        first -= 1
    while not grey[last].any():
        last += 1
    assert find_stripes(grey) == [(first, last)]


@given(st.integers(0, 99))
@settings(max_examples=25)
def test_a_dark_margin_is_no_stripe(seed):
    distance = np.abs(np.arange(400) - 200)
    for rate in (0.3 * np.exp(-distance / 25), 0.01 * np.exp(-distance / 60), np.full(400, 0.005)):
        assert find_stripes(speckle(rate, seed=seed)) == []


def test_a_stripe_cut_by_the_border_is_found_and_a_wide_dark_half_is_not():
    grey = speckle(0.2)
    grey[-6:] = 0
    assert find_stripes(grey) == [(394, 400)]
    grey[200:] = 0
    assert find_stripes(grey) == []


def test_enlarged_figures_do_not_count_their_rows_twice():
    """Two empty rows of the detector are chance; shown as eight rows of the figure they still are."""
    grey = speckle(0.01, shape=(200, 300))
    grey[100:102] = 0
    assert find_stripes(grey) == find_stripes(np.kron(grey, np.ones((4, 1), np.float32))) == []


def test_masks_multiply():
    grey = np.full((20, 20), 200, np.float32)
    parts = {"beamstop": [{"circle": [5, 5, 3]}], "holder": [{"rectangle": [5, 5, 20, 8]}]}
    reasons = drawn_reasons(grey, parts)
    alone = [drawn_reasons(grey, {key: parts[key]}) == 0 for key in ("beamstop", "holder")]
    np.testing.assert_array_equal(reasons == 0, alone[0] & alone[1])
    assert {int(reason) for reason in np.unique(reasons)} == {0, BEAMSTOP, HOLDER, BEAMSTOP | HOLDER}
    assert not (reasons & STRIPE).any()


def test_a_part_that_is_drawn_or_none_is_not_looked_for_and_keep_wins():
    y, x = np.indices((120, 120))
    expected = 3000 / (np.hypot(x - 60, y - 60) + 6)
    expected[:30, :40] *= 0.03
    counts = np.random.default_rng(0).poisson(expected).astype(np.float32)

    def reasons(**mask):
        return find_reasons(of_frame(counts), mask_of(**mask), nothing_known(counts), centre=(60, 60))

    found = reasons(outside=["auto"])
    assert [record.part for record in found.found.parts] == ["outside"]
    assert (found.reasons[2:28, 2:38] == OUTSIDE).all()
    assert not reasons(outside=[], holder=["auto"], beamstop=["auto"]).reasons.any()
    kept = reasons(outside=["auto"], keep=[{"rectangle": [0, 0, 20, 120]}]).reasons
    np.testing.assert_array_equal(kept[:, 20:], found.reasons[:, 20:])
    assert not kept[:, :20].any()


def test_the_headers_centre_is_believed_only_where_the_pattern_does_not_tell():
    flat = np.random.default_rng(0).poisson(3, (50, 40)).astype(np.float32)
    y, x = np.indices(flat.shape)
    rings = 5 + 200 * np.exp(-(((np.hypot(x - 17.5, y - 30) - 12) / 2) ** 2))
    for counts, how in ((flat, "the file's header"), (rings.astype(np.float32), "symmetry")):
        found = find_reasons(of_frame(counts), mask_of(), nothing_known(counts), header_centre=(11, 12)).found
        assert how in found.centre.how
        assert (found.beam_centre == (11, 12)) == (counts is flat)
    nowhere = find_reasons(of_frame(flat), mask_of(), nothing_known(flat), header_centre=(500, 12)).found
    assert nowhere.centre is None and "give centre" in nowhere.problem


def test_what_is_no_number_and_what_is_saturated_cannot_be_read():
    values = np.random.default_rng(0).uniform(0, 1, (30, 30)).astype(np.float32)
    values[3, 4] = np.nan
    of_map = ColourScale((0, 1), "linear", None, 0, 0, 0, 0, 0)
    intensity = Intensity(values, nothing_known(values), Meaning("values", "drawn", colour_scale=of_map))
    reasons = find_reasons(intensity, mask_of(), nothing_known(values)).reasons
    assert np.argwhere(reasons).tolist() == [[3, 4]] and reasons[3, 4] == UNREADABLE
    counts = np.random.default_rng(0).poisson(5, (30, 30)).astype(np.float32)
    counts[8, 9] = 1048574
    assert detector_reasons(counts, count_cutoff=1048573)[8, 9] == UNREADABLE


def test_a_shape_besides_auto_takes_nothing_from_what_is_found():
    """Drawn into the middle of a holder that is found, it would cut that in two."""
    y, x = np.indices((160, 160))
    expected = 2000 / (np.hypot(x - 80, y - 80) + 9)
    expected[74:86, :80] *= 0.02
    counts = np.random.default_rng(0).poisson(expected).astype(np.float32)
    shape = {"rectangle": [20, 70, 40, 80]}
    alone, besides = (
        find_reasons(of_frame(counts), mask_of(holder=holder), nothing_known(counts), centre=(80, 80)).reasons
        for holder in (["auto"], ["auto", shape])
    )
    expected_reasons = alone.copy()
    expected_reasons[70:80, 20:40] |= HOLDER
    assert (alone & HOLDER > 0).sum() > 700
    np.testing.assert_array_equal(besides, expected_reasons)


def test_bars_that_a_file_masks_are_gaps_and_what_else_it_masks_is_not():
    counts = np.random.default_rng(0).poisson(30, (90, 100)).astype(np.float32)
    bars = np.zeros(counts.shape, bool)
    bars[40:46], bars[:, 70:74] = True, True
    counts[bars], counts[10:16, 20:26], counts[60, :50] = np.nan, np.inf, np.nan
    counts[43:45, 3] = -1
    reasons = detector_reasons(counts)
    np.testing.assert_array_equal(reasons == GAP, bars)
    np.testing.assert_array_equal(reasons == HOT_OR_DEAD, ~np.isfinite(counts) & ~bars)
