"""Physics before and after healing: as pyFAI has it, as closed forms have it, and errors that hold."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scatterheal.app.simulate import ring as simulated_ring
from scatterheal.counts.deviance import expected_counts
from scatterheal.pattern.geometry import Geometry
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.pixels import CLIPPED_HIGH, CLIPPED_LOW
from scatterheal.pattern.units import Scale
from scatterheal.physics.compare import compare
from scatterheal.physics.orientation import orientation
from scatterheal.physics.profiles import Measured, q_of, radial_profile
from scatterheal.physics.rings import azimuthal_profile, find_ring
from scatterheal.pipeline.prepare import prepare
from scatterheal.polar.coordinates import radius_and_chi

SHAPE, CENTRE = (221, 201), (97.3137, 108.6211)
RADIUS, CHI = radius_and_chi(SHAPE, CENTRE)


def arcs(height=40.0, exponent=4.0, turned=25.0):
    """A ring in two arcs on a fall-off, with its true rates."""
    fall_off = 300 / (1 + (RADIUS / 6) ** 2) + 3
    return fall_off + simulated_ring(RADIUS, np.radians(CHI - turned), 62, 3, height, exponent)


def scan_of(image, known, unit="counts"):
    return Pattern(image, np.zeros(SHAPE, np.uint8), ~known, CENTRE, Scale(unit, 0, 1))


def measured(image, where=None):
    return Measured(image, np.ones(SHAPE, bool) if where is None else where, image, np.zeros(SHAPE))


def gaps():
    """Bars across the brightest arc and along the ring, and a beamstop."""
    missing = RADIUS < 9
    missing[100:112] = missing[:, 150:160] = True
    return missing


@pytest.mark.parametrize("pixel_size", [(1e-4, 1e-4), (2e-4, 1e-4)])
def test_same_profile_as_pyfai(pixel_size):
    from pyFAI.detectors import Detector
    from pyFAI.integrator.azimuthal import AzimuthalIntegrator

    geometry = Geometry(pixel_size=pixel_size, wavelength=1.1e-10, distance=0.31)
    integrator = AzimuthalIntegrator(
        dist=0.31,
        poni1=(CENTRE[1] + 0.5) * pixel_size[0],
        poni2=(CENTRE[0] + 0.5) * pixel_size[1],
        detector=Detector(*pixel_size, max_shape=SHAPE),
        wavelength=1.1e-10,
    )
    radius, chi = radius_and_chi(SHAPE, CENTRE, pixel_size)
    counts = np.random.default_rng(0).poisson(arcs())
    assert q_of(radius, geometry) == pytest.approx(integrator.center_array(SHAPE, "q_nm^-1"), rel=1e-6)
    assert chi == pytest.approx(np.degrees(integrator.center_array(SHAPE, "chi_rad")), abs=1e-4)

    ours = radial_profile(measured(counts, ~gaps()), radius).to_records()
    theirs = integrator.integrate1d(
        counts,
        len(ours),
        unit="r_mm",
        radial_range=(-0.05, (len(ours) - 0.5) / 10),
        mask=gaps(),
        method=("no", "histogram", "cython"),
        correctSolidAngle=False,
        error_model="poisson",
        dummy=np.nan,
    )
    # pyFAI rounds radii to single precision: a few pixels on an edge between two rings change sides.
    same = (ours.pixels == theirs.count) & (ours.pixels > 0)
    assert same.mean() > 0.9
    assert ours.intensity[same] == pytest.approx(theirs.intensity[same], rel=1e-5)
    # In pyFAI a pixel without counts has the variance of one.
    assert ours.error[same] == pytest.approx(theirs.sigma[same], rel=0.02)


@given(exponent=st.integers(1, 20), turned=st.floats(-180, 180), count=st.sampled_from([60, 180]))
def test_hermans_of_a_power_of_the_cosine(exponent, turned, count):
    # <cos^2> of cos^(2n) phi sin phi is (2n + 1) / (2n + 3).
    chi = (np.arange(count) + 0.5) * 360 / count - 180
    intensity = np.cos(np.radians(chi - turned)) ** (2 * exponent)
    found = orientation(pd.DataFrame({"chi": chi, "intensity": intensity, "error": 0 * chi}))
    assert found.hermans == pytest.approx(2 * exponent / (2 * exponent + 3), abs=3e-3)
    assert abs((found.axis - turned + 90) % 180 - 90) < 1e-6
    assert -0.5 <= found.hermans_across < 0


def test_errors_are_those_of_repeated_measurements():
    rate, where = arcs(), ~gaps()
    ring = find_ring(rate, where, RADIUS, CHI)
    random = np.random.default_rng(1)
    found = [
        orientation(azimuthal_profile(measured(random.poisson(rate), where), RADIUS, CHI, ring)) for _ in range(60)
    ]
    table = pd.DataFrame(found)
    for name in ("axis", "hermans", "hermans_across"):
        assert table[name].std() == pytest.approx(table[f"{name}_error"].mean(), rel=0.35)


@pytest.mark.parametrize("unit", [1, 1e-6, 1e5])
@pytest.mark.parametrize("steepness", [2, 4])
def test_a_ring_is_found_beside_a_rim_and_a_fall_off(unit, steepness):
    rate = 4e4 / (1 + RADIUS) ** steepness + 1
    rate *= np.clip((RADIUS - 8) / 5, 0.02, 1)
    with_ring = rate + simulated_ring(RADIUS, CHI, 62, 3, 4, 0)
    where = ~gaps() & (RADIUS > 9)
    counts = np.random.default_rng(0).poisson(with_ring) * unit
    found = find_ring(counts, where, RADIUS, CHI)
    assert found.kind == "ring"
    assert found.radius == pytest.approx(62, abs=0.4)
    assert found.width == pytest.approx(2.355 * 3, abs=1.5)
    without = find_ring(np.random.default_rng(0).poisson(rate) * unit, where, RADIUS, CHI)
    assert without.kind == "anisotropy"


def test_without_a_ring_the_most_anisotropic_radii():
    streak = 900 * np.exp(-((RADIUS / 30) ** 2)) * np.cos(np.radians(CHI - 80)) ** 8
    counts = np.random.default_rng(0).poisson(streak + 200 / (1 + RADIUS) + 0.5)
    ring = find_ring(counts, RADIUS > 6, RADIUS, CHI)
    assert ring.kind == "anisotropy" and ring.inner is None
    assert 10 < ring.radius < 50
    found = orientation(azimuthal_profile(measured(counts, RADIUS > 6), RADIUS, CHI, ring))
    assert found.axis == pytest.approx(80, abs=1)


def test_a_streak_is_no_background_of_the_lobes_beside_it():
    lobes = simulated_ring(RADIUS, np.radians(CHI), 60, 18, 8, 6)
    streak = 3e3 * np.exp(-RADIUS / 5) * np.abs(np.sin(np.radians(CHI))) ** 20
    ring = find_ring(lobes + streak + 0.3, RADIUS > 6, RADIUS, CHI)
    found = orientation(azimuthal_profile(measured(lobes + streak), RADIUS, CHI, ring))
    assert ring.kind == "ring" and ring.inner is None
    assert 0 < found.hermans < 1


def test_healing_mends_what_gaps_spoil():
    rate, known = 20 * arcs(turned=0), ~gaps()
    counts = np.where(known, np.random.default_rng(3).poisson(rate), np.nan).astype(np.float32)
    healed = np.where(known, counts, rate).astype(np.float32)
    result = compare(scan_of(counts, known), healed, Geometry(), np.float32(0.1 * rate), rate)
    error = result.summary["orientation_error_percent"]
    assert abs(error["after"]) < 1 < 5 < abs(error["before"])
    assert result.summary["r_factor"]["after_truth"] < result.summary["r_factor"]["before_truth"]
    assert result.azimuthal.before_intensity.isna().any() and not result.azimuthal.after_intensity.isna().any()
    assert result.radial.q.isna().all() and result.radial.before_pixels[0] == 0
    assert (result.radial.after_error[1:9] > 0).all()
    json.dumps(result.summary, allow_nan=False)


@pytest.mark.parametrize("height", [1, 30])
def test_a_colour_bar_that_ends_spoils_no_perfect_heal(height):
    """Counts up to 1, and from 40 on, share the colours of the bar's ends."""
    rate, known = height * arcs(turned=0) / 20 + 0.08, ~gaps()

    def after(counts):
        result = compare(scan_of(counts, known), np.where(known, counts, rate), Geometry(), truth=rate)
        found = result.summary["orientation"]
        off = (found["after"]["hermans"] - found["truth"]["hermans"]) / found["after"]["hermans_error"]
        return off, (result.radial.after_intensity - result.radial.truth_intensity) / result.radial.after_error

    off = []
    for seed in range(12):
        counts = np.random.default_rng(seed).poisson(rate)
        low, high = counts <= 1, counts >= 40
        seen = np.where(low, 0.5, np.minimum(counts, 40)).astype(np.float32)
        off.append(after(expected_counts(seen, CLIPPED_LOW * low + CLIPPED_HIGH * high, rate)))
    hermans, radial = (np.array(each) for each in zip(*off, strict=True))
    assert abs(hermans.mean()) < 1 and np.abs(hermans).max() < 3
    assert np.sqrt(np.nanmean(radial[:, 10:] ** 2)) < 1.1
    # What stands for the ends of the bar is far off.
    assert abs(after(seen)[0]) > 2


def test_what_nothing_validates_has_no_error_but_a_value():
    rate, known = 20 * arcs(), ~gaps()
    counts = np.where(known, np.random.default_rng(3).poisson(rate), np.nan).astype(np.float32)
    healed, sure = np.where(known, counts, rate).astype(np.float32), np.float32(0.1 * rate)
    beyond = (RADIUS < 9) | (~known & (CHI > 0) & (RADIUS < 70))
    validated, result, off_by_itself = (
        compare(scan_of(counts, known), healed, Geometry(), sd)
        for sd in (sure, np.where(beyond, np.nan, sure), np.where(beyond, healed, sure))
    )
    for table, before in ((result.radial, validated.radial), (result.azimuthal, validated.azimuthal)):
        pd.testing.assert_series_equal(table.after_intensity, before.after_intensity)
        told = table.after_error.notna()
        assert told.any() and not told.all() and (table.after_error == before.after_error)[told].all()
    found, least, most = (each.summary["orientation"]["after"] for each in (result, validated, off_by_itself))
    assert found == most and found["hermans"] == least["hermans"]
    assert found["hermans_error"] > 1.5 * least["hermans_error"]


def test_healing_is_not_blamed_for_what_lies_behind_the_beamstop():
    rate, known = 20 * arcs(turned=0), ~gaps()
    counts = np.random.default_rng(3).poisson(rate).astype(np.float32)
    healed = np.where(known, counts, np.where(RADIUS < 8, 5 * rate, rate))
    result = compare(scan_of(counts, known), healed, Geometry(), truth=rate)
    found = result.summary["r_factor"]
    assert found["after_truth"] < found["before_truth"]
    assert result.radial.after_intensity[3] > 4 * result.radial.truth_intensity[3]


@settings(max_examples=10)
@given(seed=st.integers(0, 99))
def test_nothing_missing_nothing_changed(seed):
    counts = np.random.default_rng(seed).poisson(arcs()).astype(np.float32)
    result = compare(scan_of(counts, np.ones(SHAPE, bool), "values"), counts, Geometry(), truth=counts)
    assert result.summary["r_factor"] == {"before_after": 0, "before_truth": 0, "after_truth": 0}
    assert result.summary["orientation_error_percent"] == {"before": 0, "after": 0}
    assert result.summary["orientation"]["before"]["hermans_error"] is None


def test_hardly_anything_valid():
    known = np.zeros(SHAPE, bool)
    known[:30, :30] = True
    counts = np.ones(SHAPE, np.float32)
    result = compare(scan_of(counts, known), counts, Geometry())
    assert result.summary["ring"] is None and result.azimuthal.empty
    json.dumps(result.summary, allow_nan=False)


def test_ring_of_a_real_scan(real_scans):
    prepared = prepare(real_scans["HDPE_85_low_frame"])
    counts, valid = prepared.intensity.values, prepared.reasons.reasons == 0
    radius, chi = radius_and_chi(counts.shape, prepared.reasons.found.beam_centre)
    ring = find_ring(counts, valid, radius, chi)
    assert ring.kind == "ring" and ring.radius == pytest.approx(357.5, abs=0.5)
    curve = azimuthal_profile(Measured(counts, valid, np.nan_to_num(counts), np.zeros(counts.shape)), radius, chi, ring)
    found = orientation(curve)
    assert found.axis == pytest.approx(91, abs=0.6)
    assert found.hermans == pytest.approx(0.48, abs=0.02)
