"""What a run of the workflow is to do, and what is wrong with that: without Snakemake."""

import errno
import json
import os
from pathlib import Path

import pandas as pd
import pytest
import tifffile
import yaml

from scatterheal.errors import ScanError
from scatterheal.pipeline import plan, tracking
from scatterheal.pipeline.summary import after_failure

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with one good frame of 60 x 40 pixels, `good`."""
    monkeypatch.chdir(tmp_path)
    scan_of("good")
    return tmp_path


def scan_of(name, **said):
    """Write a scan of a frame of 60 x 40 pixels, whose YAML says this too."""
    Path("scans").mkdir(exist_ok=True)
    tifffile.imwrite("scans/frame.tif", [[x * y % 7 for x in range(60)] for y in range(40)], dtype="int32")
    Path("scans", f"{name}.yaml").write_text(yaml.safe_dump({"image": "frame.tif", "kind": "frame", **said}))


def read(**said):
    return plan.read_plan({"scans": "scans", "results": "results", **said}, "mine.yaml")


def cropped(name, scan, box):
    """What the rule crop leaves behind of a scan."""
    Path("results", name).mkdir(parents=True)
    asked = scan.model_dump(mode="json", include=plan.CROPPED_BY)
    found = {"asked": asked, "sha256": tracking.whole_content(scan.image), "box": box}
    Path("results", name, "crop.json").write_text(json.dumps(found))


def test_a_plan_has_the_runs_and_the_scans_and_says_which_cannot_be_used(folder):
    scan_of("bad", color="jet")
    found = read(grid={"lr": [0.01, 0.1]}, methods=["dip", "telea"])
    assert (list(found.runs), list(found.scans)) == (["lr-0.01", "lr-0.1", "telea"], ["good"])
    assert found.refused["bad"].startswith("scans/bad.yaml: color: unknown key; remove it")


def test_a_wrong_configuration_is_one_line_that_names_its_file(folder):
    with pytest.raises(ScanError, match=r"^mine\.yaml: searches: unknown key"):
        read(searches="grid")


def test_new_scans_are_looked_at_in_their_files_and_known_ones_by_the_size_of_their_crop(folder):
    scan_of("outside", mask={"user": {"circle": [70, 5, 2]}})
    found = read()
    line = "scans/outside.yaml: mask.user: it reaches from (68, 3) to (72, 7), outside the cropped image of {}"
    assert [*plan.check_scans(found)] == ["outside"]
    assert plan.check_scans(found)["outside"].startswith(line.format("60 x 40"))
    cropped("outside", found.scans["outside"], {"left": 0, "top": 0, "right": 50, "bottom": 40})
    assert plan.check_scans(found)["outside"].startswith(line.format("50 x 40"))


def test_an_earlier_crop_counts_only_for_the_same_file_and_the_same_crop(folder):
    good = read().scans["good"]
    results = Path("results", "good")
    assert plan.cropped_size(results, good) is None
    cropped("good", good, {"left": 5, "top": 10, "right": 55, "bottom": 30})
    assert plan.cropped_size(results, good) == (50, 20)
    assert plan.cropped_size(results, good.model_copy(update={"crop": (0, 0, 9, 9)})) is None
    tracking.content.cache_clear()
    tifffile.imwrite("scans/frame.tif", [[1, 2]], dtype="int32")
    assert plan.cropped_size(results, good) is None


def test_a_folder_that_cannot_be_written_is_named_by_what_there_is_of_it(folder, monkeypatch):
    assert plan.unwritable(Path("results/new")) is None
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert plan.unwritable(Path("scans")) == "scans cannot be written; choose another folder, or see who may"
    assert plan.unwritable(Path("results/new")).startswith(f"{folder} cannot be written")


@pytest.mark.parametrize("said", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_one_line(folder, monkeypatch, said):
    assert plan.without_room(folder) is None

    def full(dir):
        raise OSError(said, os.strerror(said))

    monkeypatch.setattr(plan.tempfile, "TemporaryFile", full)
    assert plan.without_room(folder) == f"{folder}: {os.strerror(said)}; make room there, and start again"


def test_an_unreadable_file_of_a_scan_is_one_line(folder):
    with pytest.raises(ScanError, match=r"^scans/lost\.poni: cannot be read .*; check who may read it$"):
        tracking.content(Path("scans/lost.poni"))


def test_after_a_failure_each_scan_says_what_its_logs_said_or_which_rules_did_not_come_to_an_end(folder):
    files = {name: Path(f"scans/{name}.yaml") for name in ("done", "said", "killed")}
    for name in ("done", "said"):
        Path("results", name).mkdir(parents=True)
        pd.DataFrame({"run": ["telea"], "method": ["telea"], "score": [1.5]}).to_csv(f"results/{name}/ranking.csv")
    Path("results/logs/mask").mkdir(parents=True)
    Path("results/logs/mask/said.log").write_text("a word\nscans/said.yaml: mask: it hides all\n")
    unfinished = [
        *[("said", "mask", True), ("said", "rank", False)],
        *[("killed", "crop", True), ("killed", "crop", False), ("killed", "rank", False), (None, "summary", False)],
    ]
    table = after_failure(Path("results"), files, unfinished, 0, "best").set_index("scan")
    assert table.problem["said"] == "scans/said.yaml: mask: it hides all"
    assert table.problem["killed"] == (
        "scans/killed.yaml: killed, out of time or not begun, see the logs in results/logs: crop"
    )
    assert pd.isna(table.problem["done"]) and table.score["done"] == 1.5
    # The ranking of an earlier run is not this one's.
    assert pd.isna(table.score["said"])
