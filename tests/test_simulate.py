"""Simulated scans: the demo stays as it is, counts are Poisson, holes are where the YAML files draw them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scatterheal.app import simulate
from scatterheal.mask.shapes import draw
from scatterheal.pipeline.prepare import prepare
from scatterheal.settings.models import Shape
from scatterheal.settings.reading import read_scans, scan_files
from scatterheal.storage import read_tiff

DEMOS = Path(__file__).parents[1] / "scans"
# The strong one is a million pixels, and takes as long as all others.
SMALL = [name for name, scene in simulate.SCENES.items() if scene.box.width < 600]


def test_demo_frame_is_the_one_in_the_repository():
    counts, expected = simulate.demo_frame()
    assert_array_equal(counts, read_tiff(DEMOS / "demo_waxs.tif"))
    assert_array_equal(expected, read_tiff(DEMOS / "demo_waxs_truth.tif"))


@pytest.fixture(scope="module", params=SMALL)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def scan(name):
    return simulate.simulated(name)


def test_valid_pixels_hold_poisson_counts_of_the_rate(name, scan):
    valid = scan.reasons == 0
    counts, rate = scan.counts[valid].astype(float), scan.rate[valid].astype(float)
    assert rate.mean() == pytest.approx(simulate.SCENES[name].mean, rel=1e-3)
    assert abs((counts - rate).sum()) < 4 * np.sqrt(rate.sum())
    # A shadow that reached beyond the mask would take counts from the pixels round it.
    rim = draw(Shape(circle=(*simulate.SCENES[name].beamstop[:2], 40)), np.zeros(valid.shape))[valid]
    assert abs((counts - rate)[rim].sum()) < 4 * np.sqrt(rate[rim].sum())
    chi_squared = (counts - rate) ** 2 / rate
    assert chi_squared.mean() == pytest.approx(1, abs=5 * chi_squared.std() / np.sqrt(chi_squared.size))


def test_the_pipeline_masks_just_what_was_put_in(name, scan, tmp_path, monkeypatch):
    monkeypatch.setattr(simulate, "SCENES", {name: simulate.SCENES[name]})
    monkeypatch.setattr(simulate, "simulated", {name: scan}.get)
    simulate.write_scans(tmp_path)
    scans, refused = read_scans(scan_files(str(tmp_path)))
    assert not refused
    found = prepare(scans[name])
    assert_array_equal(found.reasons.reasons, scan.reasons)
    assert found.reasons.found.beam_centre == scan.centre
    assert_array_equal(found.intensity.values[scan.reasons == 0], scan.counts[scan.reasons == 0])
    assert_array_equal(read_tiff(tmp_path / f"{name}_truth.tif"), scan.rate)


def test_the_strong_scan_is_a_whole_detector_with_rings_of_three_pixels():
    scene = simulate.SCENES["strong_counts"]
    assert (scene.box.height, scene.box.width) == simulate.WHOLE
    # On the horizontal axis through the beam, along which nothing else changes within a ring.
    side = np.linspace(99, 111, 2401)
    profile = scene.pattern(side, np.zeros_like(side))
    above = profile - np.interp(side, side[[0, -1]], profile[[0, -1]])
    assert np.ptp(side[above > above.max() / 2]) == pytest.approx(3, abs=0.05)
    opposite = scene.pattern(np.full(360, 400.0), np.radians(np.arange(360.0))).reshape(2, 180)
    assert (opposite[0] / opposite[1]).min() == pytest.approx(0.91, abs=0.02)


def test_a_tilted_detector_sees_another_angle_and_a_polarised_beam_scatters_less_sideways():
    scene = simulate.SCENES["four_lobes"]._replace(pattern=lambda radius, chi: radius, distance=1000, tilt=(45, 0))
    # At 45 degrees, 1000 pixels off the beam and 2000 behind the sample: tan(2 theta) is 1/2, cos^2 is 0.8.
    seen = simulate.on_detector(scene, np.array([1000 * np.sqrt(2), 500.0]), np.array([0, np.pi / 2]))
    assert_allclose(seen, [500 * 0.8, 500])


def test_integrated_agrees_with_a_fine_grid_on_the_sharpest_ring():
    def sharp(radius, chi):
        return simulate.ring(radius, chi, at=9, width=1.27, height=1, orientation=0)

    fine, (height, width) = 20, (24, 25)
    radius, chi = simulate.radius_and_azimuth((height * fine, width * fine), (11.3 * fine + 9.5, 10.6 * fine + 9.5))
    means = sharp(radius / fine, chi).reshape(height, fine, width, fine).mean(axis=(1, 3))
    assert_allclose(simulate.integrated(sharp, (height, width), (11.3, 10.6)), means, atol=2e-4)
