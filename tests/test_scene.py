"""What a network is fitted to, and what a scan cannot take."""

import numpy as np
import pytest
import torch

from scatterheal.dip.scene import painted, prepare, settled
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.pixels import CLIPPED_HIGH, CLIPPED_LOW
from scatterheal.pattern.units import scale_of
from scatterheal.settings.models import Fit

POLAR = {"domain": "polar", "loss": "poisson", "start": "radial", "input": "noise"}
SHAPE, CENTRE = (40, 50), (24.0, 19.0)
Y, X = np.indices(SHAPE)
RATE = 3 + 2000 / (9 + (X - CENTRE[0]) ** 2 + (Y - CENTRE[1]) ** 2)
COUNTS = np.random.default_rng(0).poisson(RATE).astype(np.float32)
MISSING = (Y >= 25) & (Y < 30)


def scan_of(image, unit="counts", flags=None, centre=CENTRE, limits=None):
    flags = np.zeros(SHAPE, np.uint8) if flags is None else flags
    return Pattern(image, flags, MISSING, centre, scale_of(image, unit, limits, ~MISSING))


def hyperparameters(**changed):
    return Fit(**{"radius_step": 1, "angles": 64, **changed})


@pytest.mark.parametrize(
    ("asked", "unit", "centred", "changed"),
    [
        (POLAR, "counts", True, {}),
        (POLAR, "counts", False, {"domain": "cartesian", "start": "level"}),
        (POLAR, "values", True, {"loss": "mse", "start": "level"}),
        (POLAR, "colours", False, {"domain": "cartesian", "loss": "mse", "start": "level"}),
        ({**POLAR, "domain": "cartesian", "input": "polar"}, "counts", True, {}),
        ({**POLAR, "input": "polar"}, "counts", True, {"input": "meshgrid"}),
        ({**POLAR, "input": "polar", "start": "level"}, "counts", False, {"domain": "cartesian", "input": "meshgrid"}),
        ({**POLAR, "loss": "mse"}, "counts", True, {"start": "level"}),
        ({**POLAR, "input": "meshgrid", "start": "smooth"}, "counts", False, {"domain": "cartesian", "start": "level"}),
        ({"domain": "cartesian", "loss": "mse", "start": "level", "input": None}, "colours", False, {}),
    ],
)
def test_a_scan_takes_what_it_can(asked, unit, centred, changed):
    image = np.zeros((*SHAPE, 3), np.uint8) if unit == "colours" else COUNTS
    scan = scan_of(image, unit, centre=CENTRE if centred else None, limits=(0, 1))
    assert settled(Fit(lr=0.1, **asked), scan, torch.device("cpu")) == Fit(lr=0.1, **{**asked, **changed})


@pytest.mark.parametrize(("engine", "precision"), [("fast", "float32"), ("reference", "bfloat16")])
def test_the_fast_engine_takes_32_bits_where_the_processor_has_no_16(engine, precision, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    asked = Fit(**POLAR, engine=engine, precision="bfloat16")
    assert settled(asked, scan_of(COUNTS), torch.device("cpu")).precision == precision


@pytest.mark.parametrize("domain", ["polar", "cartesian"])
@pytest.mark.parametrize("start", ["level", "radial", "smooth"])
def test_an_empty_painting_is_what_is_expected_of_the_known_pixels(domain, start):
    scan = scan_of(np.where(MISSING, np.nan, COUNTS).astype(np.float32))
    prepared = prepare(scan, ~MISSING, hyperparameters(domain=domain, loss="poisson", start=start))
    grid = prepared.scene.canvas
    image = painted(np.zeros((grid.rows * grid.columns, 1), np.float32), prepared, scan)
    assert image.shape == SHAPE
    assert image[~MISSING] == pytest.approx(np.exp(prepared.scene.start[:, 0]))
    if start == "level":
        assert image == pytest.approx(COUNTS[~MISSING].mean(), rel=1e-4)
    else:
        assert np.median(np.abs(image / RATE - 1)[MISSING]) < 0.1


def test_behind_the_beamstop_every_direction_goes_on_and_none_grows_darker():
    dark = MISSING | (np.hypot(X - CENTRE[0], Y - CENTRE[1]) < 9)
    scan = scan_of(COUNTS)._replace(missing=dark)
    prepared = prepare(scan, ~dark, hyperparameters(domain="polar", loss="poisson", start="radial"))
    grid = prepared.scene.canvas
    cells = np.tile(np.cos(np.arange(grid.columns) * grid.step[1]), grid.rows)[:, None].astype(np.float32)
    # What was painted behind the beamstop itself does not matter.
    cells[: 8 * grid.columns] = 9
    image, plain = painted(cells, prepared, scan), (prepared.scene.reads @ cells[:, 0]).reshape(SHAPE)
    assert (image == np.exp(plain + prepared.start))[~dark].all()
    told = np.log(image) - prepared.start
    # The brightest direction has 1, the darkest -1; the first row that a known pixel reads is the eighth.
    assert told[19, 24] == pytest.approx(1, abs=0.03)
    assert sorted((told[19, 21], told[19, 27])) == pytest.approx([1 - 3 / 8 * 2, 1], abs=0.03)


def test_counts_stay_as_they_are_and_the_ends_of_a_bar_are_censored():
    flags = np.zeros(SHAPE, np.uint8)
    flags[COUNTS <= 3], flags[COUNTS >= 100] = CLIPPED_LOW, CLIPPED_HIGH
    image = np.where(COUNTS <= 3, 1.5, np.minimum(COUNTS, 100)).astype(np.float32)
    scene = prepare(scan_of(image, flags=flags), ~MISSING, hyperparameters(loss="poisson")).scene
    assert scene.values[:, 0].tobytes() == image[~MISSING].tobytes()
    assert (scene.at_most == (COUNTS <= 3)[~MISSING]).all() and scene.most == 3
    assert (scene.at_least == (COUNTS >= 100)[~MISSING]).all()
    whole = prepare(scan_of(COUNTS), ~MISSING, hyperparameters(loss="poisson")).scene
    assert whole.at_most is None and whole.at_least is None


@pytest.mark.parametrize("unit", ["counts", "values", "colours"])
def test_with_the_squared_error_a_painting_is_in_the_scans_own_unit(unit):
    image = {
        "counts": COUNTS,
        "values": COUNTS / COUNTS.max(),
        "colours": np.random.default_rng(0).integers(0, 256, (*SHAPE, 3)).astype(np.uint8),
    }[unit]
    scan = scan_of(image, unit, limits=(0, 1))
    prepared = prepare(scan, ~MISSING, hyperparameters(loss="mse", max_side=None))
    assert prepared.scene.values.min() >= 0 and prepared.scene.values.max() <= 1
    cells = np.zeros((MISSING.size, prepared.scene.values.shape[1]), np.float32)
    # A canvas of the scan's own size, painted with what was measured.
    cells[~MISSING.ravel()] = prepared.scene.values
    there = painted(cells, prepared, scan)
    assert there.shape == image.shape
    np.testing.assert_allclose(there[~MISSING], image[~MISSING], rtol=1e-4, atol=1e-3)


def test_radius_and_azimuth_are_fed_to_a_cartesian_canvas():
    chosen = hyperparameters(loss="poisson", input="polar")
    maps = prepare(scan_of(COUNTS), ~MISSING, chosen).scene.maps
    assert maps.shape == (3, *SHAPE)
    assert np.unravel_index(maps[0].argmin(), SHAPE) == CENTRE[::-1]
    # Right of the beam, and below it.
    assert maps[1:, 19, 49] == pytest.approx([1, 0.5]) and maps[1:, 39, 24] == pytest.approx([0.5, 1])
