"""Colours turn back into what was plotted: within one entry of any map, exactly where the entry is known."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from scatterheal.app import simulate
from scatterheal.errors import ScanError
from scatterheal.pattern.meaning import ColourTable
from scatterheal.reading import colour_maps
from scatterheal.reading.crop import crop_scan

MAPS = st.sampled_from(["jet", "viridis", "gray", "hot", "turbo", "RdBu_r", "matlab_jet", "parula"])
VALUES = arrays(np.float32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.floats(0, 1, width=32))
DARKENED = colour_maps.named_table("csaxs_jet").colours
# A map that nobody has named, with a low end that jumps as in cSAXS' figures.
UNKNOWN = DARKENED[:, [1, 2, 0]]


def plotted(values, table):
    """Each value as its entry's colour."""
    entry = np.clip(np.floor(values * len(table.colours)), 0, len(table.colours) - 1).astype(int)
    return table.colours[entry], entry


@settings(max_examples=50, deadline=None)
@given(MAPS, VALUES)
def test_any_map_and_any_values_come_back_in_their_interval(name, values):
    table = colour_maps.named_table(name)
    image, entry = plotted(values, table)
    inverted = colour_maps.invert(image, table)
    assert not inverted.off.any()
    assert (inverted.lower <= entry / 256).all() and (inverted.upper >= (entry + 1) / 256).all()
    # Where neighbouring entries have one colour (four of jet's), their middle is as near as one can get.
    repeats = (table.colours[:, None] == table.colours).all(axis=2).sum(axis=1)[entry]
    assert (np.abs(inverted.position - (entry + 0.5) / 256) <= (repeats - 1) / 512).all()
    assert (inverted.clipped_low >= (entry == 0)).all() and (inverted.clipped_high >= (entry == 255)).all()


@settings(max_examples=8, deadline=None)
@given(st.integers(285, 900), st.sampled_from([0, 0.3, 0.5, 0.99]))
def test_a_bar_that_shows_its_steps_gives_its_entries(pixels, phase):
    bar = UNKNOWN[np.clip(((np.arange(pixels) + phase) * 256 / pixels).astype(int), 0, 255)]
    table = colour_maps.colour_table(bar)
    assert table.edges.tolist() == (np.arange(257) / 256).tolist()
    np.testing.assert_array_equal(table.colours, UNKNOWN)


def test_pixels_that_a_frame_tints_or_covers_are_no_entries():
    bar = UNKNOWN[(np.arange(600) * 256 / 600).astype(int)]
    for spoiled in (
        bar[1:],
        bar[:-1],
        bar[1:-1],
        np.vstack([bar[:1] // 2, bar[2:]]),
        np.vstack([bar[:-1], bar[-1:] // 2]),
    ):
        np.testing.assert_array_equal(colour_maps.colour_table(spoiled).edges * 256, np.arange(257))


@pytest.mark.parametrize("pixels", [90, 150, 256, 270])
@pytest.mark.parametrize("name", ["jet", "matlab_jet", "csaxs_jet", "viridis", "parula", "gray_r"])
def test_a_bar_with_too_few_pixels_is_known_by_its_map(name, pixels):
    table = colour_maps.named_table(name)
    found = colour_maps.colour_table(table.colours[((np.arange(pixels) + 0.5) * 256 / pixels).astype(int)])
    np.testing.assert_array_equal(found.colours, table.colours)


@pytest.mark.parametrize("pixels", [90, 150, 256])
def test_an_unknown_map_is_interpolated(pixels):
    table = colour_maps.colour_table(UNKNOWN[((np.arange(pixels) + 0.5) * 256 / pixels).astype(int)])
    # Not the jumps of its low end.
    entry = np.arange(32, 256)
    inverted = colour_maps.invert(UNKNOWN[None, 32:], table)
    assert np.abs(inverted.position * 256 - entry - 0.5)[~inverted.off].max() <= 1 + 128 / pixels
    assert inverted.off.mean() < 0.02


def test_an_end_of_its_own_makes_another_map():
    """Most of a scattering figure is dark: its low end must not be taken from a map that is alike elsewhere."""
    other = colour_maps.named_table("matlab_jet").colours.copy()
    other[:10] = (90, 0, 90)
    for pixels in (150, 400):
        table = colour_maps.colour_table(other[((np.arange(pixels) + 0.5) * 256 / pixels).astype(int)])
        assert colour_maps.invert(other[None, :1], table).clipped_low.all()


def test_colours_that_come_twice_get_the_whole_interval():
    """In the darkened map 0, 0, 255 is entry 7 and entry 31; log10 counts have only one place for it."""
    table = ColourTable(DARKENED, np.linspace(0, 1, 257))
    inverted = colour_maps.invert(DARKENED[None, [7, 31]], table)
    assert inverted.lower[0].tolist() == [7 / 256] * 2 and inverted.upper[0].tolist() == [32 / 256] * 2


def test_what_is_drawn_over_is_off_and_changes_nothing_else():
    table = colour_maps.named_table("jet")
    image, _ = plotted(np.random.default_rng(0).random((40, 60)), table)
    over = image.copy()
    over[10, 5:15] = 0
    over[20:22, 30:50] = 255
    over[30] = (128, 128, 128)
    plain, drawn = colour_maps.invert(image, table), colour_maps.invert(over, table)
    np.testing.assert_array_equal(drawn.off, (over != image).any(axis=2))
    assert np.isnan(drawn.position[drawn.off]).all()
    for one, other in zip(plain[:4], drawn[:4], strict=True):
        np.testing.assert_array_equal(one[~drawn.off], other[~drawn.off])


def test_a_rim_that_the_frame_line_shades_is_off():
    table = colour_maps.named_table("jet")
    image, _ = plotted(np.random.default_rng(0).random((40, 60)), table)
    image[:, 0] //= 2
    inverted = colour_maps.invert(image, table)
    assert inverted.off[:, 0].all() and not inverted.off[:, 1:].any()


@pytest.mark.parametrize("name", ["jet", "parula", "viridis"])
def test_jpeg_of_quality_90_is_monotone_within_its_noise(name):
    table = colour_maps.named_table(name)
    ramp = np.tile(np.linspace(0, 1, 512, endpoint=False), (64, 1))
    packed = io.BytesIO()
    Image.fromarray(plotted(ramp, table)[0]).save(packed, "JPEG", quality=90)
    inverted = colour_maps.invert(np.asarray(Image.open(packed)), table)
    assert inverted.off.mean() < 0.01
    assert np.nanmax(np.abs(inverted.position - ramp)) < 6 / 256
    assert np.diff(np.nanmean(inverted.position, axis=0)).min() > -3 / 256


def test_counts_of_a_log_scale_are_whole_where_only_one_fits():
    table = colour_maps.named_table("matlab_jet")
    counts = np.arange(2, 99, dtype=np.float32)
    inverted = colour_maps.invert(plotted(np.log10(counts) / 2, table)[0][None], table)
    found = colour_maps.to_values(inverted, (0, 2), "log10")[0]
    np.testing.assert_array_equal(found[:36], counts[:36])
    assert np.abs(found / counts - 1).max() < 0.009


def test_clipped_ends_bound_the_count():
    table = colour_maps.named_table("matlab_jet")
    inverted = colour_maps.invert(table.colours[None, [0, 255]], table)
    assert inverted.clipped_low.tolist() == [[True, False]] and inverted.clipped_high.tolist() == [[False, True]]
    for limits, bounds in {(0, 2): [0.5, 99], (-1, 2): [0, 98], (0.5, 3): [1.5, 978]}.items():
        assert colour_maps.to_values(inverted, limits, "log10")[0].tolist() == bounds
    np.testing.assert_allclose(colour_maps.to_values(inverted, (10, 522), "linear")[0], [11, 521])


def test_a_map_of_another_figure_is_refused():
    image, _ = plotted(np.random.default_rng(0).random((9, 9)), colour_maps.named_table("hot"))
    with pytest.raises(ScanError, match=r"colour\.map: \d+% of the plot's colours are not on this colour map; name"):
        colour_maps.invert(image, colour_maps.named_table("viridis"))
    with pytest.raises(ScanError, match=r"colour\.map: there is no map 'jett'; use colourbar, matlab_jet, csaxs_jet"):
        colour_maps.named_table("jett")
    with pytest.raises(ScanError, match=r"colour\.map: the colour bar has less than three colours; name the map"):
        colour_maps.colour_table(DARKENED[:2].repeat(9, axis=0))


def test_the_demo_figure_gives_its_counts_back(tmp_path):
    picture, _ = simulate.demo_figure()
    Image.fromarray(picture).save(tmp_path / "demo.png")
    cropped = crop_scan(tmp_path / "demo.png", "figure", "auto")
    inverted = colour_maps.invert(cropped.image, colour_maps.colour_table(cropped.crop.colour_bar))
    drawn = np.random.default_rng(1).poisson(simulate.saxs_pattern())
    # The right part, without beamstop and holder; the plot begins at 52, 34.
    rows, columns = (slice(40, 110), slice(120, 200))
    found = colour_maps.to_values(inverted, simulate.COLOUR_RANGE, "log10")
    found = found[rows.start + 34 - cropped.crop.box.top :, columns.start + 52 - cropped.crop.box.left :][:70, :80]
    few = drawn[rows, columns] <= 36
    np.testing.assert_array_equal(found[few], np.where(drawn[rows, columns] > 1, drawn[rows, columns], 0.5)[few])


def test_real_figure_gives_the_counts_of_its_frame(real_scans):
    from scatterheal.reading.frames import read_frame

    cropped = crop_scan(real_scans["HDPE_85_low"].image, "figure", "auto")
    counts = read_frame(real_scans["HDPE_85_low_frame"].image).counts[1::2, 1::2][::-1]
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip((662, 582), counts.shape, strict=True))
    truth = counts[np.ix_(rows, columns)]
    inverted = colour_maps.invert(cropped.image, colour_maps.colour_table(cropped.crop.colour_bar))
    assert not inverted.off.any()
    np.testing.assert_array_equal(inverted.clipped_low, truth <= 1)
    seen = ~inverted.clipped_low & ~inverted.clipped_high
    values = colour_maps.to_values(inverted, cropped.crop.bar_labels.limits, cropped.crop.bar_labels.scale)
    assert (values == truth)[seen].mean() > 0.9998
    np.testing.assert_allclose(values[seen], truth[seen], rtol=0.008)
