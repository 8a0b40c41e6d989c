"""`scatterheal add`: a starter YAML that says what was found, and that the pipeline takes."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from scatterheal import storage
from scatterheal.app import commands
from scatterheal.app.add import seen_from
from scatterheal.pipeline import prepare
from scatterheal.settings.models import Scan
from scatterheal.settings.reading import read_scan, read_scans, scan_files

DEMOS = Path(__file__).parents[1] / "scans"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with the two demo scans' files."""
    for name in ("demo_saxs.png", "demo_waxs.tif"):
        shutil.copy(DEMOS / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_it_writes_is_what_the_pipeline_does_by_itself(folder, capsys):
    assert commands.main(["add", "demo_waxs.tif", "demo_saxs.png"]) == 0
    said = capsys.readouterr().out
    scans, problems = read_scans(scan_files("scans"))
    assert list(scans) == ["demo_saxs", "demo_waxs"] and not problems
    assert [scan.kind for scan in scans.values()] == ["figure", "frame"]
    for name, scan in scans.items():
        plain = Scan(image=scan.image, kind=scan.kind)
        np.testing.assert_array_equal(prepare.prepare(scan).reasons.reasons, prepare.prepare(plain).reasons.reasons)
        text = Path(f"scans/{name}.yaml").read_text()
        assert text.startswith("# yaml-language-server: $schema=")
        assert "beamstop: auto   # found {circle: [" in text and "holder: auto   # found {polygon: [" in text
        with Image.open(f"scans/{name}_mask.png") as overlay:
            assert overlay.width > 500
    assert "scans/demo_waxs.yaml: written; look at scans/demo_waxs_mask.png" in said
    assert said.splitlines()[-1].endswith("snakemake --cores all")


def test_a_detector_that_is_given_is_said_as_it_is(folder, capsys):
    assert commands.main(["add", "demo_waxs.tif", "--detector", "none"]) == 0
    assert "detector: given: none" in capsys.readouterr().out


def test_what_was_found_can_be_pasted_in_place_of_auto(folder):
    commands.main(["add", "demo_waxs.tif"])
    path = Path("scans/demo_waxs.yaml")
    automatic = prepare.prepare(read_scan(path)).reasons.reasons
    lines = path.read_text().replace("auto   # found {", "{").splitlines()
    path.write_text("\n".join(line.partition("}, transmission")[0] + "}" * ("}, trans" in line) for line in lines))
    pasted = yaml.safe_load(path.read_text())
    assert set(pasted["mask"]["beamstop"]) == {"circle"} and set(pasted["mask"]["holder"]) == {"polygon"}
    drawn = prepare.prepare(read_scan(path)).reasons.reasons
    both = (drawn > 0) & (automatic > 0)
    assert both.sum() > 0.95 * ((drawn > 0) | (automatic > 0)).sum()


def test_several_frames_and_a_file_elsewhere(folder, capsys):
    (folder / "data").mkdir()
    counts = storage.read_tiff(folder / "demo_waxs.tif")
    np.save(folder / "data" / "run 7.npy", np.stack([counts, counts, counts]))
    assert commands.main(["add", "data/run 7.npy"]) == 0
    scan = read_scan(folder / "scans" / "run_7.yaml")
    assert scan.frame == 0 and scan.image.resolve() == folder / "data" / "run 7.npy"
    assert "of 3; or sum, or several as scans of their own: [0, 5] or 0-2" in Path("scans/run_7.yaml").read_text()


def test_what_cannot_be_added_is_one_line_and_stops_nothing(folder, capsys):
    (folder / "broken.cbf").write_text("no frame")
    (folder / "empty.tif").touch()
    (folder / "page.png").write_bytes(b"no picture")
    assert commands.main(["add", "broken.cbf", "empty.tif", "page.png", "none.tif", "demo_waxs.tif"]) == 1
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 4
    for name in ("broken.cbf", "empty.tif", "page.png", "none.tif"):
        assert name in said.err
    assert sorted(path.name for path in (folder / "scans").iterdir()) == ["demo_waxs.yaml", "demo_waxs_mask.png"]
    before = Path("scans/demo_waxs.yaml").read_bytes()
    assert commands.main(["add", "demo_waxs.tif"]) == 1
    assert "scans/demo_waxs.yaml is there already" in capsys.readouterr().err
    assert Path("scans/demo_waxs.yaml").read_bytes() == before


def test_another_file_of_the_same_name_gets_a_name_of_its_own(folder):
    commands.main(["add", "demo_waxs.tif"])
    np.save(folder / "demo_waxs.npy", storage.read_tiff(folder / "demo_waxs.tif"))
    assert commands.main(["add", "demo_waxs.npy"]) == 0
    assert (folder / "scans" / "demo_waxs_npy.yaml").is_file()


def test_a_file_on_another_drive_is_named_whole(monkeypatch):
    def refuse(path, start):
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr(os.path, "relpath", refuse)
    assert seen_from(Path("/scans"), Path("/python/schema.json")) == "/python/schema.json"


def test_colour_pictures_in_a_tiff_are_figures(folder):
    with Image.open("demo_saxs.png") as picture:
        picture.convert("RGB").save("figure.tif")
    assert commands.main(["add", "figure.tif"]) == 0
    assert read_scan(Path("scans/figure.yaml")).kind == "figure"
