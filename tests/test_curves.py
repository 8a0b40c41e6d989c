"""The pictures of physics and of calibration: drawn from whatever a scan has, and the same bytes every time."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from scatterheal import curves, profiles
from scatterheal.simulate import ring
from scatterheal.uncertainty import BLOCKS, Coverage

SHAPE, CENTRE = (90, 120), (61.0, 40.0)
GEOMETRY = {"pixel_size": [1e-4, 1e-4], "wavelength": 1e-10, "distance": 0.5}


def comparison(case):
    radius, chi = profiles.radius_and_chi(SHAPE, CENTRE)
    rate = 2 + ring(radius, np.radians(chi), 28, 2, 0 if case == "nothing to see" else 40, 4)
    known = (radius > 5) & (np.abs(chi) > 8)
    if case == "hardly anything valid":
        known &= (chi > 0) & (chi < 40)
    counts = np.random.default_rng(0).poisson(rate).astype(np.float32)
    unit = "values" if case == "values" else "counts"
    truth = rate if case == "truth" else None
    healed = np.where(known, counts, rate).astype(np.float32)
    geometry = GEOMETRY if case == "truth" else {}
    return profiles.compare(counts, healed, known, CENTRE, geometry, unit, np.float32(0.1 * rate), truth), unit


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
        curves.calibration(tmp_path / name, found, "a scan")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("shape", [(60, 300), (300, 60)])
@pytest.mark.parametrize("healed", [True, False])
def test_sd_map(tmp_path, shape, healed):
    valid = np.ones(shape, bool)
    valid[20:35, 20:40] = not healed
    rate = np.full(shape, 4, np.float32)
    beyond = ~valid & (np.indices(shape)[0] == 27)
    curves.sd_map(tmp_path / "sd.png", 0.2 * rate, rate, valid, beyond, "a scan")
    assert Image.open(tmp_path / "sd.png").size[0] > 300
