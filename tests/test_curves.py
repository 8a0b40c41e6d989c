"""The pictures of physics and of calibration: drawn from whatever a scan has, and the same bytes every time."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from scatterheal.app.simulate import ring
from scatterheal.pattern.geometry import Geometry
from scatterheal.pattern.pattern import Pattern
from scatterheal.pattern.units import Scale
from scatterheal.physics.compare import compare
from scatterheal.pictures import curves
from scatterheal.pictures.certainty import draw_calibration, draw_sd
from scatterheal.polar.coordinates import radius_and_chi
from scatterheal.validation.calibration import BLOCKS
from scatterheal.validation.coverage import Coverage

SHAPE, CENTRE = (90, 120), (61.0, 40.0)
GEOMETRY = Geometry(pixel_size=(1e-4, 1e-4), wavelength=1e-10, distance=0.5)


def comparison(case):
    radius, chi = radius_and_chi(SHAPE, CENTRE)
    rate = 2 + ring(radius, np.radians(chi), 28, 2, 0 if case == "nothing to see" else 40, 4)
    known = (radius > 5) & (np.abs(chi) > 8)
    if case == "hardly anything valid":
        known &= (chi > 0) & (chi < 40)
    counts = np.random.default_rng(0).poisson(rate).astype(np.float32)
    unit = "values" if case == "values" else "counts"
    truth = rate if case == "truth" else None
    healed = np.where(known, counts, rate).astype(np.float32)
    geometry = GEOMETRY if case == "truth" else Geometry()
    scan = Pattern(counts, np.zeros(SHAPE, np.uint8), ~known, CENTRE, Scale(unit, 0, 1))
    return compare(scan, healed, geometry, np.float32(0.1 * rate), truth), unit


@pytest.mark.parametrize("case", ["truth", "values", "nothing to see", "hardly anything valid"])
@pytest.mark.parametrize("what", ["radial", "azimuthal"])
def test_profiles_drawn_from_their_files(tmp_path, case, what):
    found, unit = comparison(case)
    table = getattr(found, what)
    table.to_csv(tmp_path / "table.csv", index=False)
    draw = getattr(curves, what)
    draw(tmp_path / "a.png", table, found.summary, "a scan", unit)
    draw(tmp_path / "b.png", pd.read_csv(tmp_path / "table.csv"), found.summary, "a scan", unit)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert Image.open(tmp_path / "a.png").width > 700


def test_calibration(tmp_path):
    random = np.random.default_rng(0)
    rows = [(fold, side, 900, 0.68, 0.95) for fold in range(3) for side in (1, *BLOCKS)]
    table = pd.DataFrame(rows, columns=["fold", "side", "judged", "within_68", "within_95"])
    found = Coverage(table, random.uniform(size=900).astype(np.float32))
    for name in ("a.png", "b.png"):
        draw_calibration(tmp_path / name, found, "a scan")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("shape", [(60, 300), (300, 60)])
@pytest.mark.parametrize("healed", ["all known", "some known", "none known", "none"])
def test_sd_map(tmp_path, shape, healed):
    valid = np.ones(shape, bool)
    valid[20:35, 20:40] = healed == "none"
    rate = np.full(shape, 4, np.float32)
    sd = 0.2 * rate
    sd[27 if healed == "some known" else slice(None)] = 0.8 if healed == "all known" else np.nan
    draw_sd(tmp_path / "sd.png", sd, rate, valid, "a scan")
    assert Image.open(tmp_path / "sd.png").size[0] > 300


@pytest.mark.parametrize("low", [1e-7, 0.013, 0.97, 3.0, 4e4])
@pytest.mark.parametrize("ratio", [1.05, 1.7, 4.2, 12, 150, 3e4, 1e12])
@pytest.mark.parametrize("most", [6, 8])
def test_logarithmic_axis_has_several_labelled_ticks(low, ratio, most):
    axes = Figure().subplots()
    curves._logarithmic(axes, np.array([np.nan, -1, 0, low, ratio * low]), most)
    bottom, top = axes.get_ylim()
    assert bottom < low < ratio * low < top
    ticks = axes.get_yticks()
    assert 3 <= len(ticks) <= most
    assert len({label.get_text() for label in axes.get_yticklabels()}) == len(ticks)
    assert ((bottom <= ticks) & (ticks <= top)).all()
