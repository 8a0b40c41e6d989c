"""What the scan's own pixels read of the canvas: nothing is lost at its rims, its seam, or outside of the centre."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from scatterheal.polar import canvas as canvases
from scatterheal.polar.canvas import cartesian, polar, sampling

SHAPES = st.tuples(st.integers(2, 40), st.integers(2, 40))
# On a pixel or between them, inside and outside of the image, far away too.
PLACES = st.one_of(st.integers(-60, 100), st.floats(-60, 100), st.floats(-2000, 2000))


def every_pixel(shape):
    return np.ones(shape, bool)


def polar_canvases():
    """A scan's shape, and a polar canvas of it."""
    return SHAPES.flatmap(
        lambda shape: st.tuples(
            st.just(shape),
            st.builds(polar, st.just(shape), st.tuples(PLACES, PLACES), st.floats(0.3, 4), st.sampled_from([32, 96])),
        )
    )


def radius_and_azimuth(shape, centre):
    y, x = np.indices(shape)
    return np.hypot(x - centre[0], y - centre[1]).ravel(), np.arctan2(y - centre[1], x - centre[0]).ravel()


@settings(deadline=None)
@given(polar_canvases())
def test_weights_of_a_polar_canvas_sum_to_one_and_a_constant_stays(scan_and_canvas):
    shape, canvas = scan_and_canvas
    reads = sampling(canvas, every_pixel(shape))
    assert reads.shape == (shape[0] * shape[1], canvas.rows * canvas.columns)
    np.testing.assert_allclose(reads.sum(axis=1), 1, atol=1e-5)
    assert np.diff(reads.indptr).max() <= 8


@settings(deadline=None)
@given(SHAPES, st.one_of(st.none(), st.integers(1, 50)))
def test_weights_of_a_cartesian_canvas_sum_to_one_and_a_gradient_stays(shape, max_side):
    canvas = cartesian(shape, max_side)
    reads = sampling(canvas, every_pixel(shape))
    np.testing.assert_allclose(reads.sum(axis=1), 1, atol=1e-5)
    assert reads.data.min() >= 0
    y, x = np.indices((canvas.rows, canvas.columns))
    rows, columns = np.indices(shape)
    for place, step, origin, of_pixel in zip((y, x), canvas.step, canvas.origin, (rows, columns), strict=True):
        drawn = (origin + step * place).ravel()
        # Beyond the outermost lines of the canvas, half a step wide, these repeat.
        np.testing.assert_allclose(reads @ drawn, of_pixel.ravel().clip(drawn.min(), drawn.max()), atol=1e-4)


@settings(deadline=None)
@given(polar_canvases())
def test_a_function_of_the_radius_is_reproduced(scan_and_canvas):
    shape, canvas = scan_and_canvas
    radius, _ = radius_and_azimuth(shape, canvas.centre)
    drawn = canvas.origin[0] + canvas.step[0] * np.arange(canvas.rows)
    seen = sampling(canvas, every_pixel(shape)) @ np.repeat(drawn, canvas.columns)
    assert drawn[0] <= radius.min() + 1e-9 and radius.max() <= drawn[-1] + 1e-9
    # Cubic interpolation needs two rows on both sides; at the rims the outermost repeats.
    inside = (radius >= drawn[min(1, canvas.rows - 1)]) & (radius <= drawn[max(canvas.rows - 2, 0)])
    np.testing.assert_allclose(seen[inside], radius[inside], rtol=1e-5)
    assert np.abs(seen - radius).max() < 0.1 * canvas.step[0] + 1e-5 * radius.max()


@settings(deadline=None)
@given(polar_canvases())
def test_a_function_of_the_azimuth_is_reproduced_also_across_the_seam(scan_and_canvas):
    shape, canvas = scan_and_canvas
    _, chi = radius_and_azimuth(shape, canvas.centre)
    drawn = canvas.origin[1] + canvas.step[1] * np.arange(canvas.columns)
    reads = sampling(canvas, every_pixel(shape))
    for wave in (np.cos, np.sin):
        seen = reads @ np.tile(wave(drawn), canvas.rows)
        # What linear interpolation loses of a wave, at most.
        np.testing.assert_allclose(seen, wave(chi), atol=canvas.step[1] ** 2 / 8 + 1e-5)


def test_the_circle_closes_just_where_the_centre_is_inside():
    for centre, wraps in [((0, 0), True), ((9, 4), True), ((9.5, 4), False), ((5, -0.1), False)]:
        canvas = polar((10, 10), centre, 1, 32)
        assert canvas.wraps is wraps
        assert canvas.columns * canvas.step[1] == pytest.approx(2 * np.pi) if wraps else canvas.step[1] < np.pi / 31


def test_a_canvas_of_the_scans_own_size_is_the_scan():
    canvas = cartesian((5, 7), None)
    assert (sampling(canvas, every_pixel((5, 7))) != sparse.eye_array(35)).nnz == 0


@settings(deadline=None)
@given(st.integers(1, 4000), st.integers(1, 4000), st.one_of(st.none(), st.integers(16, 3000)))
def test_a_cartesian_canvas_is_as_large_as_it_may_be(height, width, max_side):
    canvas = cartesian((height, width), max_side)
    assert 1 <= canvas.rows <= height and 1 <= canvas.columns <= width
    if max_side is None or max(height, width) <= max_side:
        assert (canvas.rows, canvas.columns) == (height, width)
    else:
        assert max(canvas.rows, canvas.columns) == max_side


@settings(deadline=None)
@given(polar_canvases(), st.integers(0, 99))
def test_some_pixels_read_what_they_read_among_all(scan_and_canvas, seed):
    shape, canvas = scan_and_canvas
    some = np.random.default_rng(seed).random(shape) < 0.5
    apart = sampling(canvas, some) - sampling(canvas, every_pixel(shape))[np.flatnonzero(some)]
    assert apart.nnz == 0


@pytest.mark.parametrize("canvas", [polar((23, 17), (5.3, 30), 0.7, 64), cartesian((23, 17), 9)])
def test_it_does_not_matter_in_how_many_bands_it_is_made(canvas, monkeypatch):
    some = np.random.default_rng(0).random((23, 17)) < 0.7
    # A band without any pixel too.
    some[8:10] = False
    at_once = sampling(canvas, some)
    monkeypatch.setattr(canvases, "BAND", 2 * 17)
    in_bands = sampling(canvas, some)
    for part in ("data", "indices", "indptr"):
        whole, bands = getattr(at_once, part), getattr(in_bands, part)
        assert (whole.dtype, whole.tobytes()) == (bands.dtype, bands.tobytes())
    assert at_once.indices.dtype == at_once.indptr.dtype == np.int32
