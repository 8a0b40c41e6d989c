"""What the pipeline makes, and what an edit reruns: through Snakemake's own command line."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from scatterheal import frames, simulate, storage

ROOT = Path(__file__).parents[1]
CONFIG = {
    "grid": {"lr": [0.01, 0.05], "param_noise": [False]},
    "fit": {"channels": 4, "iterations": 2, "snapshot_every": 1, "max_side": 48},
}
PER_RUN = {"healed.tif", "model.tif", "run.json", "metrics.json", "curve.csv", "snapshots"}
PER_SCAN = {
    *("cropped.png", "image.tif", "intensity.tif", "crop.json", "mask.png", "reasons.tif", "hidden.png"),
    *("mask_overlay.png", "runs", "ranking.csv", "contact_sheet.png", "evolution.png", "before_after.png"),
    *("healed.tif", "healed.png", "model.tif", "provenance.json"),
}
AFTER_THE_MASK = {
    *("mask", "holdout", "inpaint", "rank", "heal", "summary"),
    *("mask_overlay", "contact_sheet", "evolution", "before_after", "picture"),
}


def snakemake(project, *arguments, check=True):
    """Run snakemake in the project's folder; its output as text."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
    )
    output = done.stdout + done.stderr
    assert not check or done.returncode == 0, output
    return output if check else (done.returncode, output)


def planned(project, *arguments):
    """How many jobs of each rule a dry run would start."""
    output = snakemake(project, "--dry-run", *arguments)
    table = output.split("Job stats:")[1].split("Reasons:")[0] if "Job stats:" in output else ""
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}
    return {rule: count for rule, count in jobs.items() if rule not in ("all", "total")}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def configure(project, **changed):
    (project / "config.yaml").write_text(yaml.safe_dump({**CONFIG, **changed}))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project with the two demo scans, run once with a tiny grid."""
    project = tmp_path_factory.mktemp("finished") / "project"
    for part in ("workflow", "scripts", "scatterheal", "profiles", "envs", "scans"):
        shutil.copytree(ROOT / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Snakefile", project)
    configure(project)
    snakemake(project)
    return project


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project to edit, as old as the original."""
    return shutil.copytree(finished, tmp_path / "project")


def test_a_run_makes_everything_that_it_promises(finished):
    results = finished / "results"
    for scan in ("demo_saxs", "demo_waxs"):
        assert {path.name for path in (results / scan).iterdir()} == {*PER_SCAN, "truth.tif"}
        runs = sorted(path.name for path in (results / scan / "runs").iterdir())
        assert runs == ["lr-0.01_param_noise-false", "lr-0.05_param_noise-false"]
        for run in runs:
            folder = results / scan / "runs" / run
            assert {path.name for path in folder.iterdir()} == PER_RUN
            snapshots = sorted(path.name for path in (folder / "snapshots").glob("*.png"))
            assert snapshots == ["000000.png", "000001.png", "000002.png"]
            assert json.loads((folder / "run.json").read_text())["lr"] == float(run.split("_")[0][3:])
            log = (results / "logs" / "inpaint" / scan / f"{run}.log").read_text()
            assert re.match(r"device: (cpu|cuda) \(.*\), torch 2", log.splitlines()[0])
        ranking = pd.read_csv(results / scan / "ranking.csv")
        assert sorted(ranking.run) == runs
        assert ranking.hidden_mse.is_monotonic_increasing or ranking.collapsed.any()
    assert pd.read_csv(results / "summary.csv").scan.tolist() == ["demo_saxs", "demo_waxs"]
    assert planned(finished) == {}


def test_known_pixels_are_those_of_the_scans_own_file(finished):
    for scan, file in (("demo_saxs", "demo_saxs.png"), ("demo_waxs", "demo_waxs.tif")):
        results = finished / "results" / scan
        box = json.loads((results / "crop.json").read_text())["box"]
        with Image.open(finished / "scans" / file) as picture:
            raw = np.asarray(picture.convert("RGB") if scan == "demo_saxs" else picture)
        raw = raw[box["top"] : box["bottom"], box["left"] : box["right"]]
        healed, reasons = storage.read_tiff(results / "healed.tif"), storage.read_tiff(results / "reasons.tif")
        assert healed.dtype == (np.uint8 if scan == "demo_saxs" else np.float32)
        assert healed[reasons == 0].tobytes() == raw[reasons == 0].astype(healed.dtype).tobytes()
        assert np.array_equal(storage.read_png(results / "mask.png") > 0, reasons == 0)
        best = pd.read_csv(results / "ranking.csv").run[0]
        assert (results / "healed.tif").read_bytes() == (results / "runs" / best / "healed.tif").read_bytes()
        record = json.loads((results / "provenance.json").read_text())
        assert record["hyperparameters"] == json.loads((results / "runs" / best / "run.json").read_text())


def test_the_demos_are_what_the_simulator_makes_and_their_masks_cover_its_holes(finished):
    counts, _ = simulate.demo_frame()
    np.testing.assert_array_equal(frames.read_counts(finished / "scans" / "demo_waxs.tif"), counts)
    reasons = storage.read_tiff(finished / "results" / "demo_waxs" / "reasons.tif")
    radius, _ = simulate.radius_and_azimuth(simulate.FRAME_SHAPE, simulate.FRAME_CENTRE)
    holes = (counts < 0) | (radius < 9) | (counts == 1048575)
    holes[90:97, :84] = True
    assert reasons[holes].all()
    assert (reasons[~holes] > 0).sum() < 10


def test_the_same_config_gives_the_same_bytes(finished, project):
    shutil.rmtree(project / "results")
    snakemake(project, "--forceall")
    for path in (finished / "results").rglob("*"):
        if path.is_file() and not {"benchmarks", "logs"} & set(path.parts) and path.name != ".snakemake_timestamp":
            assert path.read_bytes() == (project / path.relative_to(finished)).read_bytes(), path


def test_adding_a_scan_runs_only_its_jobs(project):
    for ending in ("tif", "yaml"):
        shutil.copy(project / "scans" / f"demo_waxs.{ending}", project / "scans" / f"another.{ending}")
    edit(project / "scans" / "another.yaml", "demo_waxs.tif", "another.tif")
    edit(project / "scans" / "another.yaml", "truth: demo_waxs_truth.tif\n", "")
    output = snakemake(project, "--dry-run")
    assert planned(project) == {
        **dict.fromkeys(["crop", "grayscale", *AFTER_THE_MASK], 1),
        "inpaint": 2,
        "picture": 2,
    }
    assert set(re.findall(r"wildcards: scan=(\w+)", output)) == {"another"}


def test_editing_a_mask_redoes_nothing_before_it(project):
    edit(project / "scans" / "demo_saxs.yaml", "threshold: 10", "threshold: 12")
    assert planned(project) == {**dict.fromkeys(AFTER_THE_MASK, 1), "inpaint": 2}


def test_an_image_replaced_by_an_older_file_is_a_new_image(project):
    path = project / "scans" / "demo_waxs.tif"
    counts = frames.read_counts(path)
    counts[0, 0] += 1
    storage.write_tiff(path, counts)
    os.utime(path, (1e9, 1e9))
    assert planned(project)["crop"] == 1


def test_another_crop_is_checked_against_its_own_size(project):
    """Not against what an earlier crop left in the results."""
    yaml_file = project / "scans" / "demo_saxs.yaml"
    edit(yaml_file, "kind: figure", "kind: figure\ncrop: [53, 36, 120, 110]")
    code, output = snakemake(project, "--dry-run", check=False)
    assert code != 0 and "outside the cropped image of 67 x 74 pixels" in output
    edit(yaml_file, "crop: [53, 36, 120, 110]", "crop: [53, 36, 260, 194]")
    assert planned(project)["crop"] == 1


def test_editing_a_comment_redoes_nothing(project):
    edit(project / "scans" / "demo_saxs.yaml", "# Simulated", "# A simulated")
    edit(project / "scans" / "demo_saxs.yaml", "kind: figure", "kind:   figure   # a picture")
    assert planned(project) == {}


def test_another_hyperparameter_value_trains_only_the_new_runs_and_keeps_every_path(project):
    old = project / "results/demo_saxs/runs/lr-0.05_param_noise-false/healed.tif"
    before = old.stat().st_mtime_ns
    configure(project, grid={"param_noise": [False], "lr": [0.02, 0.05, 0.01]})
    jobs = planned(project)
    assert jobs["inpaint"] == 2
    assert not {"crop", "grayscale", "mask", "holdout", "truth"} & jobs.keys()
    snakemake(project)
    assert old.stat().st_mtime_ns == before
    assert len(pd.read_csv(project / "results/demo_saxs/ranking.csv")) == 3


def test_touching_every_file_redoes_nothing(project):
    for path in [*project.glob("s*/*"), *project.glob("workflow/**/*"), project / "Snakefile", project / "config.yaml"]:
        if path.is_file():
            os.utime(path)
    assert planned(project) == {}


def test_a_fresh_checkout_redoes_nothing(project):
    for part in ("workflow", "scripts", "scatterheal", "scans", "envs"):
        fresh = project / f"fresh_{part}"
        shutil.copytree(project / part, fresh, copy_function=shutil.copyfile)
        shutil.rmtree(project / part)
        fresh.rename(project / part)
    assert planned(project) == {}


def test_editing_the_training_code_redoes_the_trainings_but_not_its_comments(project):
    edit(project / "scatterheal" / "fit.py", "# 6. One step of Adam.", "# 6. Adam's step.")
    edit(project / "scatterheal" / "fit.py", "Fit a network to the valid pixels", "Fits a network to the valid pixels")
    edit(project / "scatterheal" / "fit.py", '"""The loss of every iteration."""', '"""All losses."""')
    assert planned(project) == {}
    edit(project / "scatterheal" / "fit.py", "optimiser.step()", "optimiser.step(None)")
    assert planned(project) == {
        "inpaint": 4,
        **dict.fromkeys(("rank", "heal", "contact_sheet", "evolution", "before_after", "picture"), 2),
        "summary": 1,
    }


def test_editing_the_pictures_trains_nothing(project):
    edit(project / "scatterheal" / "pictures.py", "DOTS_PER_INCH = 120", "DOTS_PER_INCH = 60")
    redrawn = dict.fromkeys(("mask_overlay", "contact_sheet", "evolution", "before_after"), 2)
    assert planned(project) == {**redrawn, "picture": 4}


def test_another_device_redoes_nothing(project):
    configure(project, fit={**CONFIG["fit"], "device": "cpu"})
    assert planned(project) == {}


def test_a_failed_scan_is_one_clear_line_and_stops_no_other(project):
    """A mask edited after the crop is what only its job finds out."""
    shutil.rmtree(project / "results" / "demo_waxs" / "runs")
    edit(project / "scans" / "demo_saxs.yaml", "rectangle: [94, 74, 111, 91]", "rectangle: [0, 0, 207, 158]")
    edit(project / "scans" / "demo_saxs.yaml", "threshold: 10}", "threshold: 255}")
    code, output = snakemake(project, check=False)
    assert code != 0
    assert "scans/demo_saxs.yaml: mask: it hides" in output
    assert "Traceback" not in output
    assert (project / "results" / "demo_waxs" / "runs" / "lr-0.01_param_noise-false" / "healed.tif").is_file()
    assert not (project / "results" / "demo_saxs" / "mask.png").exists()


def test_a_lost_run_is_made_again(project):
    shutil.rmtree(project / "results" / "demo_waxs" / "runs" / "lr-0.01_param_noise-false")
    assert planned(project)["inpaint"] == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image: none.png\nkind: figure\n", "scans/bad.yaml: image: there is no file scans/none.png; correct the name"),
        ("image: demo_saxs.png\nkind: figure\ncolor: {}\n", "scans/bad.yaml: color: unknown key; remove it"),
        (
            "image: demo_saxs.png\nkind: figure\nmask: {holder: {polygon: [[1, 1], [400, 1], [3, 9]]}}\n",
            "scans/bad.yaml: mask.holder: it reaches from (1, 1) to (400, 9), outside the cropped image of 207 x 158",
        ),
        ("image: demo_saxs.yaml\nkind: figure\n", "scans/bad.yaml: scans/demo_saxs.yaml: cannot be read"),
        ("image: demo_waxs.tif\nkind: figure\n", "scans/bad.yaml: crop: no plot area found in the figure"),
        (
            "image: demo_waxs.tif\nkind: frame\ndetector: Eiger4M\n",
            "scans/bad.yaml: detector: Eiger4M has (2167, 2070)",
        ),
        (
            "image: demo_waxs.tif\nkind: frame\nmask: {user: {rectangle: [0, 0, 164, 180]}}\n",
            "scans/bad.yaml: mask: it hides the whole image; make its parts smaller",
        ),
    ],
)
def test_bad_input_is_refused_before_any_job_starts(project, text, words):
    (project / "scans" / "bad.yaml").write_text(text)
    code, output = snakemake(project, check=False)
    assert code != 0
    assert words in output
    assert "Traceback" not in output
    assert "Job stats" not in output


def test_cuda_where_there_is_none_fails_clearly(project):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    configure(project, fit={**CONFIG["fit"], "device": "cuda"}, grid={"lr": [0.03], "param_noise": [False]})
    code, output = snakemake(project, check=False)
    assert code != 0
    assert "fit.device: cuda was asked for, but" in output
    assert "Traceback" not in output


def test_profiles_ask_for_what_they_should(project):
    slurm = snakemake(project, "--dry-run", "--workflow-profile", "profiles/slurm", "--forceall")
    assert re.search(r"rule inpaint:(?:(?!\nrule ).)*?resources:[^\n]*\bgpu=1\b", slurm, re.S)
    assert re.search(r"rule crop:(?:(?!\nrule ).)*?resources:[^\n]*slurm_partition=CHANGE", slurm, re.S)
    workstation = snakemake(project, "--dry-run", "--workflow-profile", "profiles/workstation", "--forceall")
    assert re.search(r"rule inpaint:(?:(?!\n(?:local)?rule ).)*?resources:[^\n]*\bgpu=1\b", workstation, re.S)
    plain = snakemake(project, "--dry-run", "--forceall")
    assert re.search(r"rule inpaint:(?:(?!\n(?:local)?rule ).)*?resources:[^\n]*\bgpu=0\b", plain, re.S)


def test_the_paper_preset_as_config_file_is_forty_runs_whatever_config_yaml_says(project):
    configure(project, grid={"seed": [0, 1]})
    jobs = planned(project, "--configfile", "workflow/presets/paper.yaml", "--config", "results=paper")
    assert jobs["inpaint"] == 2 * 40


def test_the_report_is_made(project):
    snakemake(project, "--report", "results/report.html")
    assert (project / "results" / "report.html").stat().st_size > 1_000_000
