import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scatterheal.errors import ScanError
from scatterheal.methods.baselines import heal
from scatterheal.methods.polar_smooth import KERNELS, choose_kernels, polar_smooth, radial_mean
from scatterheal.polar.grid import polar_map
from scatterheal.settings.methods import BASELINES

CENTRE = (48.3, 52.6)
METHODS = list(BASELINES)


def rings(shape=(100, 90), centre=CENTRE, background=20.0, width=1.274, height=2000.0, oriented=0.0):
    """Sharp rings (3 pixels wide at half of their height), all round or gathered in arcs."""
    y, x = np.indices(shape) - np.array(centre[::-1])[:, None, None]
    radius, chi = np.hypot(x, y), np.arctan2(y, x)
    profile = sum(np.exp(-0.5 * ((radius - at) / width) ** 2) for at in (18, 31.4))
    return background + height * profile * (1 + oriented * np.cos(2 * chi)) + 500 * np.exp(-radius / 8)


def gaps(shape):
    known = np.ones(shape, bool)
    known[30:37] = known[70:77] = False
    known[:, 60:64] = False
    return known


@pytest.mark.parametrize("method", METHODS)
def test_every_pixel_gets_a_value_that_missing_pixels_do_not_reach(method):
    rate = rings()
    counts = np.random.default_rng(0).poisson(rate).astype(np.float32)
    known = gaps(counts.shape)
    spoilt = np.where(known, counts, np.nan).astype(np.float32)
    spoilt[31, 5] = -1e9
    healed = heal(method, spoilt, known, CENTRE)
    assert healed.dtype == np.float32 and healed.shape == counts.shape
    assert np.isfinite(healed).all() and healed.min() >= 0
    if not BASELINES[method].is_smooth:
        np.testing.assert_array_equal(healed[known], counts[known])
    np.testing.assert_array_equal(healed, heal(method, counts, known, CENTRE))


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_is_healed_with_itself(method):
    image = np.full((60, 70), 7, np.float32)
    healed = heal(method, image, gaps(image.shape), (30.2, 33.9))
    np.testing.assert_allclose(healed, 7, rtol=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_values_below_zero_keep_their_range(method):
    image = (np.indices((60, 70))[1] / 70 - 3).astype(np.float32)
    known = gaps(image.shape)
    healed = heal(method, image, known, (30.2, 33.9), "values")
    assert healed.min() > -3.5 and healed.max() < -1.5


@pytest.mark.parametrize("method", METHODS)
def test_each_colour_is_healed_on_its_own(method):
    grey = np.clip(rings(height=100, background=60), 0, 255)
    colours = np.stack([grey, np.full_like(grey, 9), 255 - grey], axis=2).astype(np.uint8)
    known = gaps(grey.shape)
    healed = heal(method, colours, known, CENTRE, "colours")
    assert healed.dtype == np.float32 and healed.shape == colours.shape
    np.testing.assert_allclose(healed[..., 1], 9, atol=0.1)
    alone = heal(method, colours[..., 2].astype(np.float32), known, CENTRE, "values")
    np.testing.assert_array_equal(healed[..., 2], alone)


def test_bad_input_is_one_line():
    image, known = np.ones((9, 9), np.float32), np.ones((9, 9), bool)
    for method in METHODS:
        if BASELINES[method].needs_centre:
            with pytest.raises(ScanError, match=f"{method} needs the beam centre; give centre"):
                heal(method, image, known, None)
        else:
            heal(method, image, known, None)
    with pytest.raises(ScanError, match="there is no 'magic'; use one of polar_smooth, pyfai"):
        heal("magic", image, known, (4, 4))
    with pytest.raises(ScanError, match="no known pixel"):
        heal("telea", image, ~known, (4, 4))


@pytest.mark.parametrize("method", [method for method in METHODS if BASELINES[method].package])
def test_a_method_whose_package_is_not_installed_is_one_line(method, monkeypatch):
    image, known = np.ones((9, 9), np.float32), np.ones((9, 9), bool)
    monkeypatch.setitem(sys.modules, "cv2", None)
    remedy = r"needs cv2, which is not installed; pip install 'scatterheal\[opencv\]', or leave this method out"
    with pytest.raises(ScanError, match=f"^methods: {method} {remedy}$"):
        heal(method, image, known, None)
    heal("biharmonic", image, known, None)


def test_a_method_is_imported_when_it_heals():
    asks = (
        "import sys; from scatterheal.methods import baselines; from scatterheal.settings import models; "
        "print(*{'cv2', 'pyFAI', 'scatterheal.methods.liu2017'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True).stdout == "\n"


def test_the_docs_tell_of_every_method():
    lines = (Path(__file__).parents[1] / "docs" / "method.md").read_text().splitlines()
    for method, baseline in BASELINES.items():
        (line,) = (line for line in lines if line.startswith("| ") and f"`{method}`" in line.split(" | ")[0])
        assert line.endswith("| yes |") == baseline.needs_centre


@pytest.mark.parametrize("oriented", [0.0, 0.9])
def test_ring_aware_methods_follow_sharp_rings_through_gaps(oriented):
    rate = rings(oriented=oriented)
    counts = np.random.default_rng(1).poisson(rate).astype(np.float32)
    known = gaps(counts.shape)
    wrong = {
        method: np.median(np.abs(heal(method, counts, known, CENTRE) / rate - 1)[~known])
        for method in ("polar_smooth", "pyfai", "biharmonic_smooth")
    }
    assert wrong["polar_smooth"] < 0.7 * wrong["pyfai"] < wrong["biharmonic_smooth"]


def test_rings_that_are_the_same_all_round_keep_their_radial_mean():
    rate = rings((180, 160), (80.3, 90.2))
    counts = np.random.default_rng(2).poisson(rate).astype(np.float32)
    known = gaps(counts.shape)
    mean = radial_mean(counts, known, (80.3, 90.2))
    smooth = polar_smooth(counts, known, (80.3, 90.2), kernels=KERNELS[0])
    y, x = np.indices(counts.shape)
    ring = np.abs(np.hypot(x - 80.3, y - 90.2) - 31.4) < 3
    # A hundred and ninety pixels of 2000 counts: 0.2 %, and the profile between the grid's radii.
    assert np.abs(mean / rate - 1)[ring].mean() < 0.01
    assert np.abs(smooth / rate - 1)[ring].mean() < 0.012


def test_the_kernel_is_chosen_by_what_it_predicts():
    counts = np.random.default_rng(3).poisson(rings(oriented=0.9)).astype(np.float32)
    known = gaps(counts.shape)
    assert choose_kernels(counts, known, CENTRE) in KERNELS
    # Nothing missing: nothing to try on.
    assert choose_kernels(counts, np.ones_like(known), CENTRE) == KERNELS[0]


@settings(max_examples=25, deadline=None)
@given(
    centre=st.tuples(st.floats(-40, 60), st.floats(-40, 60)),
    shape=st.tuples(st.integers(1, 25), st.integers(1, 25)),
    level=st.floats(0, 1e5),
    seed=st.integers(0, 99),
)
def test_a_flat_pattern_stays_flat_wherever_the_beam_is(centre, shape, level, seed):
    known = np.random.default_rng(seed).random(shape) < 0.6
    known.flat[0] = True
    counts = np.full(shape, level, np.float32)
    for rate in (polar_smooth(counts, known, centre, kernels=KERNELS[0]), radial_mean(counts, known, centre)):
        np.testing.assert_allclose(rate, np.float32(level), rtol=1e-3, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(centre=st.tuples(st.floats(-40, 60), st.floats(-40, 60)), azimuths=st.integers(1, 40))
def test_a_polar_map_interpolates_radius_exactly(centre, azimuths):
    grid = polar_map((12, 15), centre, 0.5, azimuths)
    y, x = np.indices((12, 15))
    radius = grid.weights @ np.repeat(grid.radii, azimuths)
    np.testing.assert_allclose(radius, np.hypot(x - centre[0], y - centre[1]).ravel(), atol=2e-4)
    np.testing.assert_allclose(grid.weights.sum(axis=1), 1, atol=1e-5)


def test_it_turns_with_the_image():
    rate = rings((91, 91), (45.0, 45.0), oriented=0.5)
    counts = np.random.default_rng(4).poisson(rate).astype(np.float32)
    known = gaps(counts.shape)
    healed = polar_smooth(counts, known, (45.0, 45.0), kernels=KERNELS[0])
    turned = polar_smooth(np.rot90(counts).copy(), np.rot90(known).copy(), (45.0, 45.0), kernels=KERNELS[0])
    # The pixel at the beam has no azimuth of its own.
    healed[45, 45] = turned[45, 45]
    np.testing.assert_allclose(turned, np.rot90(healed), rtol=5e-3)


def test_real_frame_every_method(real_scans):
    from scatterheal.pipeline.prepare import prepare

    prepared = prepare(real_scans["buf1_00000"])
    cut = (slice(300, 560), slice(250, 520))
    counts, known = prepared.intensity.values[cut], prepared.reasons.reasons[cut] == 0
    hidden = known & ~np.roll(known, (40, 60), (0, 1))
    centre = (prepared.reasons.found.beam_centre[0] - 250, prepared.reasons.found.beam_centre[1] - 300)
    wrong = {}
    for method in METHODS:
        rate = np.maximum(heal(method, counts, known & ~hidden, centre)[hidden], 0.05)
        wrong[method] = float((rate - counts[hidden] * np.log(rate)).mean())
    assert min(wrong, key=wrong.get) == "polar_smooth"
