"""Detectors told by their frames, their gaps, saturated and dead pixels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scatterheal.errors import ScanError
from scatterheal.mask.bad_pixels import dead_pixels, saturated
from scatterheal.reading.detectors import _model, detector_gaps, find_detector
from scatterheal.reading.frames import read_frame


def frame_of(name, shape, rate=5.0, code=-1.0):
    counts = np.random.default_rng(0).poisson(rate, shape).astype(np.float32)
    counts[detector_gaps(name, shape)] = code
    return counts


def test_gaps_come_from_pyfai():
    gaps = detector_gaps("Pilatus300k", (619, 487))
    assert np.flatnonzero(gaps.all(axis=1)).tolist() == [*range(195, 212), *range(407, 424)]
    assert gaps.sum() == 34 * 487
    with pytest.raises(
        ScanError, match=r"Pilatus1M has \(1043, 981\) pixels \(rows, columns\), the frame \(619, 487\)"
    ):
        detector_gaps("Pilatus1M", (619, 487))
    with pytest.raises(ScanError, match=r"pyFAI knows no 'Pilatus3M'; did you mean pilatus.* or .*\?$"):
        detector_gaps("Pilatus3M", (619, 487))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("Pilatus300k", (619, 487)),
        ("PilatusCdTe300k", (619, 487)),
        ("Pilatus4_260k", (530, 513)),
        ("Pilatus4_CdTe_260k", (530, 513)),
        ("Eiger1M", (1065, 1030)),
        ("Eiger2_1M", (1062, 1028)),
        ("Eiger2CdTe_1M", (1062, 1028)),
        ("Lambda750k", (516, 1556)),
    ],
)
@pytest.mark.parametrize(("rate", "code"), [(5, -1), (0.01, 0), (5, np.nan)])
def test_a_detector_is_told_by_its_empty_gaps(name, shape, rate, code):
    found = find_detector(frame_of(name, shape, rate, code), None)
    assert found.name == name
    assert f"{detector_gaps(name, shape).sum()} gap pixels hold nothing" in found.sure


def test_what_is_no_detector_is_refused():
    counts = frame_of("Pilatus300k", (619, 487))
    assert find_detector(counts.T, None) is None
    assert find_detector(counts[1:], "PILATUS 300K") is None
    # Gaps that hold counts are none, whatever the header says.
    counts[200, 100] = 1
    assert find_detector(counts, "PILATUS 300K") is None
    assert find_detector(np.zeros((619, 487), np.float32), None) is None


def test_a_name_in_the_header_decides_where_the_frame_cannot():
    empty = np.zeros((619, 487), np.float32)
    assert find_detector(empty, "PILATUS3 R 300K, S/N 3-0101").name == "Pilatus300k"
    assert find_detector(empty, "PILATUS3 X CdTe 300K").name == "PilatusCdTe300k"
    assert find_detector(np.ones((195, 487), np.float32), "PILATUS 100K-S") == (
        "Pilatus100k",
        "named in the header; it has no gaps",
    )


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("PILATUS3 1M, S/N 10-0120", "Pilatus1M"),
        ("PILATUS 300K-W", "Pilatus300kw"),
        ("Dectris Eiger 4M, E-08-0102", "Eiger4M"),
        ("Dectris EIGER2 CdTe 1M-W", "Eiger2CdTe_1MW"),
        ("Dectris PILATUS4 X CdTe 2M", "Pilatus4_CdTe_2M"),
        ("PILATUS3 X 2M CdTe", "PilatusCdTe2M"),
    ],
)
def test_headers_name_detectors_in_their_own_way(header, name):
    assert _model(header) == _model(name) is not None


def test_saturated_pixels():
    counts = np.float32([[0, 1048573, 1048574, 1048575, -1, np.nan]])
    assert saturated(counts, 1048574).tolist() == [[False, False, True, True, False, False]]


def test_dead_pixels_are_found_single_and_in_small_clusters():
    counts = np.random.default_rng(0).poisson(80, (60, 70)).astype(np.float32)
    missing = np.zeros(counts.shape, bool)
    missing[30:37] = True
    planted = np.zeros(counts.shape, bool)
    planted[10, 10] = planted[20:22, 20:23] = planted[0, 0] = planted[29, 50] = planted[37, 5] = True
    counts[planted], counts[missing] = 1, -1
    np.testing.assert_array_equal(dead_pixels(counts, missing), planted)
    # Codes say for themselves that they are no counts, and seven pixels are no accident of the electronics.
    counts[10, 10], counts[20, 23] = -2, 1
    planted[10, 10] = planted[20:22, 20:23] = False
    np.testing.assert_array_equal(dead_pixels(counts, missing), planted)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1e5))
@settings(max_examples=20, deadline=None)
def test_noise_alone_has_no_dead_pixels(seed, rate):
    counts = np.random.default_rng(seed).poisson(rate, (150, 160)).astype(np.float32)
    assert not dead_pixels(counts, counts < 0).any()


@pytest.mark.parametrize("peak", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("width", [0.6, 1.5])
def test_sharp_shadows_wires_and_valleys_are_not_dead(peak, width):
    y, x = np.indices((200, 200))
    radius = np.hypot(x - 100, y - 96)
    mu = 2 + peak * (np.exp(-0.5 * ((radius - 70) / width) ** 2) + np.exp(-0.5 * ((radius - 76) / width) ** 2))
    mu += peak * np.exp(-radius / 30)
    slanted = np.abs((y - 96) - 0.3 * (x - 100)) < 0.7
    mu[(radius < 12) | (slanted & (x < 100))] *= 0.01
    mu[100:, 100] *= 0.01
    mu[:, 40:47] = 0
    counts = np.random.default_rng(0).poisson(mu).astype(np.float32)
    assert not dead_pixels(counts, counts < 0).any()
    assert not dead_pixels(counts, mu == 0).any()


@pytest.mark.parametrize(("scan", "detector"), [("HDPE_85_low_frame", "Pilatus2M"), ("buf1_00000", "Pilatus1M")])
def test_real_frames(real_scans, scan, detector):
    frame = read_frame(real_scans[scan].image)
    for header_name in (frame.header.detector, None):
        assert find_detector(frame.counts, header_name).name == detector
    gaps = detector_gaps(detector, frame.counts.shape)
    assert not dead_pixels(frame.counts, gaps).any()
    assert not dead_pixels(frame.counts, np.zeros_like(gaps)).any()
