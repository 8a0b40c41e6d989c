"""The front door: arrays in, a result out that says what it is; the same from a shell."""

import json
from pathlib import Path

import fabio
import h5py
import numpy as np
import pytest
import yaml

import scatterheal
from scatterheal import storage
from scatterheal.api import configuration, seconds
from scatterheal.app import commands
from scatterheal.pattern.pixels import GAP, USER
from scatterheal.settings.reading import read_scan

DEMO = Path(__file__).parents[1] / "scans" / "demo_waxs.tif"
SHAPE, CENTRE = (80, 90), (44.0, 38.0)
Y, X = np.indices(SHAPE)
RATE = 10 + 60 * np.exp(-(((np.hypot(X - CENTRE[0], Y - CENTRE[1]) - 22) / 4) ** 2))
COUNTS = np.random.default_rng(0).poisson(RATE)
MISSING = (Y >= 50) & (Y < 55)
QUICK = {
    "grid": {},
    "folds": 1,
    "refits": 2,
    "fit": {"domain": "polar", "start": "radial", "channels": 4, "iterations": 20},
}


@pytest.fixture(scope="module")
def healed():
    return scatterheal.heal(COUNTS, MISSING, centre=CENTRE, settings=QUICK, methods=["dip"])


def test_valid_pixels_leave_bit_by_bit_and_missing_ones_are_flagged(healed):
    assert healed.image.dtype == np.float32 and (healed.image[~MISSING] == COUNTS[~MISSING]).all()
    assert ((healed.reasons > 0) == MISSING).all() and (healed.reasons[MISSING] == USER).all()
    assert (healed.method, healed.centre) == ("run", CENTRE)
    assert np.isfinite(healed.sd[MISSING & ~healed.beyond]).all() and np.isnan(healed.sd[healed.beyond]).all()
    assert np.median(np.abs(healed.image / RATE - 1)[MISSING]) < 0.2
    told = healed.provenance
    assert told["source"]["file"] == "an array of 80 x 90 pixels" and told["pixels"]["healed"] == MISSING.sum()
    json.dumps(storage.as_json(told))


def test_the_same_call_gives_the_same_bytes_and_another_seed_does_not(healed):
    again, other = (
        scatterheal.heal(COUNTS, MISSING, centre=CENTRE, settings=QUICK, methods=["dip"], seed=seed) for seed in (0, 1)
    )
    assert again.image.tobytes() == healed.image.tobytes() != other.image.tobytes()


def test_reasons_of_a_mask_are_kept_and_what_is_no_number_is_missing():
    counts, reasons = COUNTS.astype(float), np.where(MISSING, GAP, 0)
    counts[3, 4] = np.nan
    healed = scatterheal.heal(counts, reasons, centre=CENTRE, methods=["polar_smooth"])
    assert (healed.reasons[MISSING] == GAP).all() and healed.reasons[3, 4] > 0 and np.isfinite(healed.image).all()


def test_what_is_unsure_is_said():
    """A constant has no beam centre."""
    flat = np.random.default_rng(0).poisson(9, SHAPE)
    healed = scatterheal.heal(flat, MISSING, methods=["biharmonic_smooth"])
    assert healed.centre is None and "centre" in healed.remarks[0]
    assert healed.remarks[0] in repr(healed) and healed.remarks[0] in healed._repr_html_()
    values = scatterheal.heal(flat / 3, MISSING, centre=CENTRE, methods=["polar_smooth"])
    assert "not whole" in values.remarks[0]


def test_a_budget_gives_what_was_reached():
    asked = {**QUICK, "fit": {**QUICK["fit"], "iterations": 100_000}}
    healed = scatterheal.heal(
        COUNTS, MISSING, centre=CENTRE, settings=asked, methods=["polar_smooth", "dip"], budget="3s"
    )
    assert set(healed.scores.run) == {"polar_smooth", "run"}
    assert 0 < healed.scores.set_index("run").iterations["run"] < 100_000
    assert healed.provenance["budget_seconds"] == 3


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"counts": np.ones((2, 3, 4))}, r"counts: an array of shape \(2, 3, 4\); give one frame"),
        ({"counts": np.zeros(SHAPE)}, "counts: no pixel is above 0"),
        ({"missing": MISSING[1:]}, r"mask\.file: its shape"),
        ({"missing": np.zeros(SHAPE, bool)}, "mask: it hides nothing"),
        ({"methods": ["magic"]}, "settings: methods"),
        ({"settings": {"fit": {"lr": -1}}}, r"settings: fit\.lr"),
        ({"settings": "none"}, "settings: preset"),
        ({"budget": "soon"}, "budget: 'soon' is no time"),
    ],
)
def test_what_is_wrong_is_one_line(given, says):
    with pytest.raises(scatterheal.ScanError, match=says) as refused:
        scatterheal.heal(
            **{"counts": COUNTS, "missing": MISSING, "centre": CENTRE, "methods": ["polar_smooth"], **given}
        )
    assert len(str(refused.value).splitlines()) == 1


def test_a_result_goes_to_every_format_with_its_mask_and_its_doubts(healed, tmp_path):
    for name in ("a.tif", "a.edf", "a.h5"):
        healed.write(tmp_path / name)
    assert storage.read_tiff(tmp_path / "a.tif").tobytes() == healed.image.tobytes()
    assert fabio.open(str(tmp_path / "a.edf")).data.tobytes() == healed.image.tobytes()
    with h5py.File(tmp_path / "a.h5") as file:
        assert ((file["/entry/data/pixel_mask"][()] > 0) == MISSING).all()
    for beside in ("a_reasons.tif", "a_sd.tif", "a_beyond.tif", "a_provenance.json"):
        assert (tmp_path / beside).is_file()
    with pytest.raises(scatterheal.ScanError, match=r"a\.cbf: no format is known by this ending; use \.tif"):
        healed.write(tmp_path / "a.cbf")


def test_find_mask_finds_what_heal_goes_by():
    found = scatterheal.find_mask(scatterheal.read_frame(DEMO))
    assert found.found.beam_centre == pytest.approx((83.9, 93.0), abs=0.5)
    assert {part.part for part in found.found.parts} == {"beamstop", "holder"}


def test_settings_and_budgets_as_they_are_written():
    assert configuration("paper", ["dip"]).fit.channels == 128
    assert configuration({"methods": ["telea"]}).methods == ["telea"]
    assert [seconds(said) for said in ("30s", "2min", 1.5, None)] == [30, 120, 1.5, None]


def test_the_shell_heals_what_it_can_and_says_the_rest_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("frame.npy", np.where(MISSING, -1, COUNTS).astype(np.int32))
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump(QUICK))
    asked = ["heal", "frame.npy", "none.cbf", "--settings", "quick.yaml", "--method", "dip", "--centre", "44,38"]
    assert commands.main(asked) == 1
    said = capsys.readouterr()
    assert said.out.startswith("frame.npy: 6.") and "of the pixels healed by run (" in said.out
    assert "none.cbf: there is no such file" in said.err
    frame = scatterheal.read_frame("frame.npy")
    healed = scatterheal.heal(frame, centre=CENTRE, settings=QUICK, methods=["dip"])
    assert storage.read_tiff(Path("healed/frame/healed.tif")).tobytes() == healed.image.tobytes()


def test_add_writes_what_it_is_given_and_asks_for_what_is_wanting(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with h5py.File("two.h5", "w") as file:
        file["entry/a"] = file["entry/b"] = np.where(MISSING, -1, COUNTS)[None].astype(np.int32)
    mask = np.where(MISSING, 0, 255).astype(np.uint8)
    storage.write_png(Path("mask.png"), mask)
    assert commands.main(["add", "two.h5"]) == 1
    said, text = capsys.readouterr().err, Path("scans/two.yaml").read_text()
    assert "scans/two.yaml is written: add the key there" in said and "could not look at it" in text
    Path("scans/two.yaml").unlink()
    options = ["--data", "/entry/a", "--centre", "44,38", "--mask", "mask.png", "--mask-convention", "zero_is_missing"]
    assert commands.main(["add", "two.h5", *options]) == 0
    scan = read_scan(Path("scans/two.yaml"))
    assert (scan.data, scan.centre, scan.mask.mask_convention) == ("/entry/a", (44, 38), "zero_is_missing")
    assert scan.mask.file.resolve() == tmp_path / "mask.png"
