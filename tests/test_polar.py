"""The beam centre: known on simulated and real scans, moved and turned with the image, refused where there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scatterheal.app.simulate import FRAME_CENTRE, demo_frame, radius_and_azimuth, ring
from scatterheal.errors import ScanError
from scatterheal.mask.bad_pixels import hot_pixels
from scatterheal.polar.centre import find_centre
from scatterheal.reading.crop import crop_scan
from scatterheal.reading.detectors import detector_gaps

SHAPE = (160, 150)


def scan(kind, centre, counts, seed=0):
    """Poisson counts of a pattern with a beamstop and its holder, which nobody tells; and the gaps, which are told."""
    radius, chi = radius_and_azimuth(SHAPE, centre)
    expected = 0.05 + 2 * np.exp(-radius / 10) + 0.3 * np.exp(-radius / 40)
    if kind == "rings":
        expected += ring(radius, chi, 40, 2, 0.7, 0) + ring(radius, chi, 62, 2, 0.4, 0)
    elif kind == "arcs":
        expected += ring(radius, chi + 1, 40, 2, 1, 4) + ring(radius, chi, 52, 3, 0.5, 2)
    shadow = (radius < 6) | ((np.abs(chi - 0.3) < 0.5) & (np.abs((chi - 0.3) * radius) < 4))
    drawn = np.random.default_rng(seed).poisson(counts * np.where(shadow, 0.1, 1) * expected)
    missing = np.zeros(SHAPE, bool)
    missing[40:46] = missing[130:136] = missing[:, 100:104] = True
    return np.where(missing, -1, drawn).astype(np.float32), missing


def distance(centre, truth):
    return np.hypot(centre.x - truth[0], centre.y - truth[1])


@pytest.mark.parametrize("kind", ["arcs", "fall-off"])
@pytest.mark.parametrize("counts", [10, 1000])
def test_known_centre(kind, counts):
    truth = (66.3, 98.6)
    centre = find_centre(*scan(kind, truth, counts))
    assert distance(centre, truth) < max(3 * centre.sd, 0.1)
    assert centre.sd < 1


@pytest.mark.parametrize("turn", [1, 2])
def test_half_of_the_pattern_is_enough(turn):
    truth = (72.4, 95.2)
    counts, missing = scan("rings", truth, 100)
    _, chi = radius_and_azimuth(SHAPE, truth)
    centre = find_centre(counts, missing | (np.abs(np.angle(np.exp(1j * (chi - turn * np.pi / 2)))) < np.pi / 2))
    assert centre.how == "rings"
    assert distance(centre, truth) < 3 * centre.sd < 3


def test_centre_outside_of_the_frame():
    counts, missing = scan("rings", (75, 90), 200)
    centre = find_centre(counts[90:], missing[90:])
    assert distance(centre, (75, 0)) < 3 * centre.sd < 6


@pytest.fixture(scope="module")
def arcs():
    counts, missing = scan("arcs", (70, 92), 100)
    return counts, missing, find_centre(counts, missing)


@settings(max_examples=2, deadline=None)
@given(down=st.integers(0, 12), right=st.integers(0, 12))
def test_the_centre_moves_with_the_crop(arcs, down, right):
    counts, missing, whole = arcs
    cropped = find_centre(counts[down:, right:], missing[down:, right:])
    assert distance(cropped, (whole.x - right, whole.y - down)) < 3 * whole.sd


def test_the_centre_flips_with_the_image(arcs):
    counts, missing, centre = arcs
    flipped = find_centre(counts[::-1], missing[::-1])
    assert distance(flipped, (centre.x, len(counts) - 1 - centre.y)) < 3 * centre.sd
    transposed = find_centre(counts.T, missing.T)
    assert distance(transposed, (centre.y, centre.x)) < 3 * centre.sd


def test_missing_pixels_do_not_matter(arcs):
    counts, missing, centre = arcs
    assert find_centre(np.where(missing, [np.nan, 1e6] * 75, counts), missing) == centre


@pytest.mark.parametrize(
    "counts",
    [
        np.zeros((80, 90)),
        np.full((80, 90), 7.0),
        np.random.default_rng(0).poisson(3, (180, 150)),
        np.random.default_rng(0).poisson(0.02, (180, 150)),
        np.random.default_rng(0).poisson(20 + np.arange(150) / 10, (180, 150)),
        np.random.default_rng(0).poisson(3, (1, 500)),
    ],
    ids=["dark", "constant", "noise", "sparse noise", "slope", "one row"],
)
def test_no_pattern_is_refused(counts):
    with pytest.raises(ScanError, match=r"^centre: .*; give centre: \[x, y\]"):
        find_centre(counts.astype(np.float32), np.zeros(counts.shape, bool))


def test_nothing_known_is_refused():
    counts, missing = scan("rings", (70, 92), 100)
    with pytest.raises(ScanError, match="give centre"):
        find_centre(counts, np.ones_like(missing))


def test_demo_frame():
    counts, _ = demo_frame()
    counts = counts.astype(np.float32)
    missing = (counts < 0) | hot_pixels(counts, counts < 0)
    assert distance(find_centre(counts, missing), FRAME_CENTRE) < 0.2


@pytest.mark.parametrize(("name", "within"), [("HDPE_85_low_frame", 0.7), ("buf1_00000", 15)])
def test_real_frames(real_scans, name, within):
    scan = real_scans[name]
    counts = crop_scan(scan.image, scan.kind, "auto").image
    missing = detector_gaps(scan.detector, counts.shape) | (counts < 0)
    centre = find_centre(counts, missing | hot_pixels(counts, missing))
    assert distance(centre, scan.centre) < min(within, 2 * centre.sd)
