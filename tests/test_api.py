"""The front door: arrays in, a result out that says what it is; the same from a shell."""

import itertools
import json
import logging
from functools import partial
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import fabio
import h5py
import numpy as np
import pytest
import torch
import yaml

import scatterheal
from scatterheal import storage
from scatterheal.api import configuration, seconds
from scatterheal.app import commands
from scatterheal.pattern.pixels import GAP, USER
from scatterheal.pipeline import in_memory
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
    "fit": {"domain": "polar", "start": "radial", "channels": 4, "iterations": 8},
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


def test_a_mask_of_another_program_says_where_and_not_why():
    """1, 255 or 65536 is no beamstop, and wraps round to no valid pixel."""
    for dtype, value in ((np.uint8, 1), (np.uint8, 255), (np.int64, 65536), (np.uint16, 65535), (float, 0.5)):
        given = np.where(MISSING, value, 0).astype(dtype)
        healed = scatterheal.heal(COUNTS, given, centre=CENTRE, methods=["polar_smooth"])
        assert (healed.reasons == np.where(MISSING, USER, 0)).all()
    found = scatterheal.find_mask(np.where(MISSING, -1, COUNTS))
    healed = scatterheal.heal(COUNTS, found, methods=["polar_smooth"])
    assert (healed.reasons == found.reasons).all() and healed.centre == found.found.beam_centre


def test_an_array_means_what_it_would_mean_in_a_file(tmp_path):
    """A code is no count, also unsigned and beside a mask; what a masked array hides is masked."""
    counts = COUNTS.astype(np.uint32)
    counts[20], counts[21, 3] = 2**32 - 1, 2**32 - 2
    np.save(tmp_path / "frame.npy", counts)
    masked = np.ma.masked_array(np.where(counts > 2**31, 7, counts), counts > 2**31)
    for given in (counts, masked, counts.astype(np.int32), scatterheal.read_frame(tmp_path / "frame.npy")):
        for missing in (MISSING, None):
            healed = scatterheal.heal(given, missing, centre=CENTRE, methods=["polar_smooth"])
            assert ((healed.reasons > 0) == ((counts > 2**31) | (MISSING if missing is not None else False))).all()


def test_the_result_does_not_change_with_what_it_was_made_of():
    counts = COUNTS.astype(np.float32)
    healed = scatterheal.heal(counts, MISSING, centre=np.float32(CENTRE), methods="polar_smooth")
    counts[:] = 0
    assert (healed.scan == COUNTS).all()
    json.dumps(storage.as_json(healed.provenance))


def test_what_is_unsure_is_said():
    """A constant has no beam centre."""
    flat = np.random.default_rng(0).poisson(9, SHAPE)
    healed = scatterheal.heal(flat, MISSING, methods=["biharmonic_smooth"])
    assert healed.centre is None and "centre" in healed.remarks[0]
    assert healed.remarks[0] in repr(healed) and healed.remarks[0] in healed._repr_html_()
    values = scatterheal.heal(flat / 3, MISSING, centre=CENTRE, methods=["polar_smooth"])
    assert "not whole" in values.remarks[0]
    assert not scatterheal.heal(COUNTS, MISSING, centre=CENTRE, methods=["polar_smooth"]).remarks
    for counts, says in ((COUNTS + 2**24, "about 7 digits"), (COUNTS - 9.5, "below 0 and not whole")):
        told = scatterheal.heal(counts, MISSING, centre=CENTRE, methods=["polar_smooth"]).remarks
        assert any(says in line for line in told)


def test_a_budget_gives_what_was_reached(monkeypatch):
    # A clock that goes on by itself: how fast this machine is has no say.
    clock = SimpleNamespace(monotonic=partial(next, itertools.count(0, 30)))
    monkeypatch.setattr("scatterheal.pipeline.in_memory.time", clock)
    # Threads of tests side by side would wait for each other.
    monkeypatch.setattr("scatterheal.pipeline.in_memory._cores", lambda: 1)
    asked = {**QUICK, "fit": {**QUICK["fit"], "iterations": 100_000, "stop": "end"}}
    healed = scatterheal.heal(
        COUNTS, MISSING, centre=CENTRE, settings=asked, methods=["polar_smooth", "dip"], budget="5min"
    )
    assert set(healed.scores.run) == {"polar_smooth", "run"}
    assert 0 < healed.scores.set_index("run").iterations["run"] < 100_000
    assert healed.provenance["budget_seconds"] == 300
    soon = scatterheal.heal(COUNTS, MISSING, centre=CENTRE, settings=QUICK, methods=["dip"], budget=0.001)
    assert any("no better than at its start" in line for line in soon.remarks) == (soon.scores.iterations[0] == 0)


def test_heals_at_the_same_time_leave_threads_and_logs_as_they_were(healed):
    def state():
        return torch.get_num_threads(), [logging.getLogger(name).level for name in in_memory.QUIET]

    before, images = state(), []

    def heal():
        images.append(scatterheal.heal(COUNTS, MISSING, centre=CENTRE, settings=QUICK, methods=["dip"]).image)

    threads = [Thread(target=heal) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert state() == before and {image.tobytes() for image in images} == {healed.image.tobytes()}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"counts": np.ones((2, 3, 4))}, r"counts: an array of shape \(2, 3, 4\); give one frame"),
        ({"counts": np.zeros(SHAPE)}, "counts: no pixel is above 0"),
        ({"counts": [["a", "b"]]}, "counts: values of type"),
        ({"counts": [[1, 2], [3]]}, "counts: no array of numbers"),
        ({"counts": COUNTS * 1j}, "counts: values of type complex128"),
        ({"counts": COUNTS * 1e30}, r"counts: up to .* in valid pixels, more than is ever counted"),
        ({"missing": MISSING[1:]}, r"missing: its shape \(79, 90\) .* is not that of counts \(80, 90\)"),
        ({"missing": np.where(MISSING, 1, np.nan)}, "missing: float64 values, or NaN"),
        ({"missing": MISSING.astype(str)}, "missing: <U5 values, or NaN"),
        ({"missing": np.where(MISSING, -1, 0)}, "mask: it hides nothing"),
        ({"centre": (np.nan, 3)}, r"centre: .* is no point; give \(x, y\)"),
        ({"centre": "44"}, "centre: '44' is no point"),
        ({"centre": (1, 2, 3)}, r"centre: \(1, 2, 3\) is no point"),
        ({"centre": (1e9, 0)}, r"centre: \[1e\+09, 0\] is far from the image of 90 x 80 pixels"),
        ({"poni": "a.poni"}, "centre and poni both say where the beam is"),
        ({"settings": None}, "settings: None; name a preset"),
        ({"settings": {"fit": 3}, "seed": 2}, "settings: fit"),
        ({"device": "gpu"}, "device: 'gpu' is none"),
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
    healed.write(tmp_path / "new" / "B.TIF")
    assert storage.read_tiff(tmp_path / "new" / "B.TIF").tobytes() == healed.image.tobytes()
    healed.draw(tmp_path / "a.png", title="cost $_{$x")
    (tmp_path / "file").write_text("")
    for refused in (lambda: healed.save(tmp_path / "file"), lambda: healed.write(tmp_path / "file" / "a.tif")):
        with pytest.raises(scatterheal.ScanError, match=r"file: (File exists|Not a directory); a file and a folder"):
            refused()
    with pytest.raises(scatterheal.ScanError, match=r"a\.jpg: a picture is written as \.png"):
        healed.draw(tmp_path / "a.jpg")
    with pytest.raises(scatterheal.ScanError, match=r"a\.cbf: no format is known by this ending; use \.tif"):
        healed.write(tmp_path / "a.cbf")


def test_a_frame_is_named_by_a_number_or_not_at_all():
    for frame in ("0", "SUM", 1.5, [0], True):
        with pytest.raises(scatterheal.ScanError, match=r"demo_waxs\.tif: frame: .* is none; give its number"):
            scatterheal.read_frame(DEMO, frame=frame)
    assert scatterheal.read_frame(DEMO, frame=np.int64(0)).counts.shape == (180, 164)


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
    Path("same.yaml").write_text("image: frame.npy\nkind: frame\ncentre: [44, 38]\n")
    assert commands.main(["heal", "same.yaml", *asked[3:7]]) == 0
    assert Path("healed/same/healed.tif").read_bytes() == Path("healed/frame/healed.tif").read_bytes()
    capsys.readouterr()
    assert commands.main(["heal", "same.yaml", "--frame", "0"]) == 1
    assert "same.yaml: it says itself what the scan is" in capsys.readouterr().err


def test_the_shell_refuses_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("frame.npy", np.where(MISSING, -1, COUNTS).astype(np.int32))
    (tmp_path / "twice.yaml").write_text("folds: 1\nfolds: 2\n")
    (tmp_path / "file").write_text("")
    asked = ["frame.npy", "--centre", "44,38"]
    for options, says in (
        (["--centre", "44,["], "frame.npy: centre: "),
        (["--centre", "1e9,1e9"], "frame.npy: centre: [1e+09, 1e+09] is far"),
        (["--crop", "a: ["], "frame.npy: crop: "),
        (["--frame", "\N{SUPERSCRIPT TWO}"], "frame.npy: frame: "),
    ):
        assert commands.main(["heal", *asked, "--method", "polar_smooth", *options]) == 1
        assert commands.main(["add", *asked, *options]) == 1
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 2 and said[0].startswith(says)
        Path("scans/frame.yaml").unlink(missing_ok=True)
    for options, says in ((["-o", "file"], "Not a directory"), (["--settings", "twice.yaml"], "folds is given twice")):
        assert commands.main(["heal", *asked, "--method", "polar_smooth", *options]) == 1
        said = capsys.readouterr().err
        assert says in said and len(said.splitlines()) == 1
    assert commands.main(["add", *asked, "--scans", "file"]) == 1
    assert "file: File exists" in capsys.readouterr().err


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
