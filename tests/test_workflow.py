"""What the pipeline makes, and what an edit reruns: through Snakemake's own command line."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import fabio
import h5py
import numpy as np
import pandas as pd
import psutil
import pytest
import warm
import yaml
from PIL import Image

import scatterheal
from scatterheal import storage
from scatterheal.app import simulate
from scatterheal.reading import frames

ROOT = Path(__file__).parents[1]
# The default's likelihood in polar coordinates, tiny; on all scans of a project.
CONFIG = yaml.safe_load((ROOT / ".test" / "config.yaml").read_text())
CONFIG = {key: value for key, value in CONFIG.items() if key not in ("scans", "results")}
NETWORKS = ["domain-polar_lr-0.01", "domain-polar_lr-0.05"]
OF_A_METHOD = {"healed.tif", "models.tif", "run.json", "metrics.json"}
PER_RUN = {*OF_A_METHOD, "spreads.tif", "curve.csv", "snapshots"}
PER_SCAN = {
    *("image.tif", "crop.json", "intensity.tif", "intensity.json", "flags.tif", "cropped.png"),
    *("reasons.tif", "mask.png", "found.json", "hidden.tif", "mask_overlay.png"),
    *("runs", "ranking.csv", "runs.json", "contact_sheet.png", "evolution.png", "before_after.png"),
    *("chosen.json", "model.tif", "spread.tif", "sd.tif", "distance.tif", "beyond.tif", "coverage.csv"),
    *(
        "calibration.json",
        "calibration.png",
        "certainty.png",
        "radial.csv",
        "radial.png",
        "azimuthal.csv",
        "azimuthal.png",
    ),
    *("healed.tif", "healed.edf", "healed.h5", "healed.png", "orientation.json", "provenance.json"),
}
PER_FIGURE = {*PER_SCAN, "residual.tif", "colours.png"}
# What another run that heals a scan redoes, beside the run itself and the tables and sheets of all runs.
AFTER_THE_CHOICE = {"refit", "certainty", "heal", "profiles", "before_after", "picture"}
AFTER_A_RUN = {*AFTER_THE_CHOICE, "rank", "contact_sheet", "evolution"}
AFTER_THE_MASK = {*AFTER_A_RUN, "mask", "holdout", "inpaint", "baseline", "mask_overlay", "summary"}


def snakemake(project, *arguments, check=True, python=None):
    """Run snakemake in the project's folder; its output as text. Its processes are forks, unless a Python is named."""
    done = subprocess.run(
        [python or warm.python(), "-m", "snakemake", "--cores", "2", *arguments],
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
    return jobs_of(snakemake(project, "--dry-run", *arguments))


def jobs_of(output):
    """How many jobs of each rule Snakemake says it starts."""
    table = output.split("Job stats:")[1].split("Reasons:")[0] if "Job stats:" in output else ""
    jobs = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}
    return {rule: count for rule, count in jobs.items() if rule not in ("all", "total")}


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def configure(project, **changed):
    (project / "config.yaml").write_text(yaml.safe_dump({**CONFIG, **changed}))


def new_project(project):
    """A copy of the repository's own files with the two demo scans."""
    for part in ("workflow", "scripts", "scatterheal", "profiles", "envs", "scans"):
        shutil.copytree(ROOT / part, project / part)
    shutil.copy(ROOT / "Snakefile", project)
    return project


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project with the two demo scans, run once with a tiny grid."""
    project = new_project(tmp_path_factory.mktemp("finished") / "project")
    configure(project)
    snakemake(project)
    return project


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project to edit, as old as the original."""
    return shutil.copytree(finished, tmp_path / "project")


def test_a_run_makes_everything_that_it_promises(finished):
    results = finished / "results"
    for scan, files in (("demo_saxs", PER_FIGURE), ("demo_waxs", PER_SCAN)):
        assert {path.name for path in (results / scan).iterdir()} == {*files, "truth.tif"}
        runs = sorted(path.name for path in (results / scan / "runs").iterdir())
        assert runs == [*NETWORKS, "telea"]
        assert {path.name for path in (results / scan / "runs" / "telea").iterdir()} == OF_A_METHOD
        for run in NETWORKS:
            folder = results / scan / "runs" / run
            assert {path.name for path in folder.iterdir()} == PER_RUN
            snapshots = sorted(path.name for path in (folder / "snapshots").glob("*.png"))
            assert snapshots == ["000000.png", "000002.png", "000004.png"]
            chosen = json.loads((folder / "run.json").read_text())
            assert chosen["lr"] == float(run.split("lr-")[1])
            assert chosen["taken"] == {key: value for key, value in chosen.items() if key != "taken"}
            log = (results / "logs" / "inpaint" / scan / f"{run}.log").read_text()
            assert re.match(r"device: (cpu|cuda) \(.*\), torch 2", log.splitlines()[0])
            assert "Warning" not in log
        ranking = pd.read_csv(results / scan / "ranking.csv")
        assert sorted(ranking.run) == runs
        assert ranking["rank"].tolist() == [1, 2, 3]
        assert np.isfinite(ranking[["score", "truth_error", "truth_mse"]]).all(axis=None)
        radial, azimuthal = (pd.read_csv(results / scan / f"{name}.csv") for name in ("radial", "azimuthal"))
        for profile in (radial, azimuthal):
            assert np.isfinite(profile.after_intensity).all() and np.isfinite(profile.truth_intensity).any()
        # Behind the beamstop nothing tells how far off it is.
        assert radial.after_error.isna()[0] and radial.after_error.isna().mean() < 0.2
        assert np.isfinite(azimuthal.after_error).mean() > 0.9
        assert set(json.loads((results / scan / "orientation.json").read_text())) > {"ring", "orientation"}
    summary = pd.read_csv(results / "summary.csv")
    assert summary.scan.tolist() == ["demo_saxs", "demo_waxs"]
    assert summary.method.tolist() == ["dip", "dip"]
    assert planned(finished) == {}


def test_heal_from_python_gives_the_bytes_of_the_workflow(finished):
    frame = scatterheal.read_frame(finished / "scans" / "demo_waxs.tif")
    healed = scatterheal.heal(frame, settings=CONFIG)
    results = finished / "results" / "demo_waxs"
    for name in ("model", "sd", "reasons"):
        assert storage.read_tiff(results / f"{name}.tif").tobytes() == getattr(healed, name).tobytes()
    assert storage.read_tiff(results / "healed.tif").tobytes() == healed.image.tobytes()
    assert healed.method == json.loads((results / "chosen.json").read_text())["run"]


def test_every_fold_hides_other_valid_pixels_and_each_run_is_judged_by_all_of_them(finished):
    for scan in ("demo_saxs", "demo_waxs"):
        results = finished / "results" / scan
        hidden = storage.read_pages(results / "hidden.tif") > 0
        reasons = storage.read_tiff(results / "reasons.tif")
        assert hidden.shape == (2, *reasons.shape)
        assert hidden.any(axis=(1, 2)).all() and not np.array_equal(*hidden)
        assert not hidden[:, reasons > 0].any()
        for run in (*NETWORKS, "telea"):
            assert storage.read_pages(results / "runs" / run / "models.tif").shape == hidden.shape
            metrics = json.loads((results / "runs" / run / "metrics.json").read_text())
            assert len(metrics["scores"]) == 2
            assert metrics["score"] == pytest.approx(np.mean(metrics["scores"]))


def test_measured_pixels_leave_as_they_came(finished):
    """Bit for bit in every format; and in the picture of a figure its own colours."""
    for scan in ("demo_saxs", "demo_waxs"):
        results = finished / "results" / scan
        intensity, reasons = (storage.read_tiff(results / f"{file}.tif") for file in ("intensity", "reasons"))
        valid = reasons == 0
        with fabio.open(str(results / "healed.edf")) as edf, h5py.File(results / "healed.h5") as file:
            everywhere = [storage.read_tiff(results / "healed.tif"), edf.data, file["entry/data/healed"][()]]
            assert np.array_equal(file["entry/data/reasons"][()], reasons)
        for healed in everywhere:
            assert healed.dtype == np.float32
            assert healed.tobytes() == everywhere[0].tobytes()
            assert healed[valid].tobytes() == intensity[valid].tobytes()
        assert np.isfinite(everywhere[0]).all()
        assert np.array_equal(storage.read_png(results / "mask.png") > 0, valid)
        box = json.loads((results / "crop.json").read_text())["box"]
        with Image.open(next((finished / "scans").glob(f"{scan}.[pt]*"))) as picture:
            raw = np.asarray(picture)[box["top"] : box["bottom"], box["left"] : box["right"]]
        came = storage.read_png(results / "healed.png") if scan == "demo_saxs" else everywhere[0]
        assert came[valid].tobytes() == raw[valid].astype(came.dtype).tobytes()


def test_the_record_tells_which_run_healed_a_scan_and_what_was_found_in_it(finished):
    for scan, holes in (("demo_saxs", {"beamstop", "holder"}), ("demo_waxs", {"beamstop", "holder"})):
        results = finished / "results" / scan
        ranking = pd.read_csv(results / "ranking.csv")
        chosen = json.loads((results / "chosen.json").read_text())
        assert (chosen["run"], chosen["best"]) == (ranking[ranking.method == "dip"].run.iloc[0], ranking.run[0])
        run = results / "runs" / chosen["run"]
        record = json.loads((results / "provenance.json").read_text())
        assert record["hyperparameters"] == json.loads((run / "run.json").read_text())
        assert record["metrics"] == json.loads((run / "metrics.json").read_text())
        assert record["found"] == json.loads((results / "found.json").read_text())
        assert {part["part"] for part in record["found"]["parts"]} == holes
        assert record["intensity"]["unit"] == "counts"
        coverage = pd.read_csv(results / "coverage.csv")
        assert [row["within_95"] for row in record["coverage"]] == pytest.approx(coverage.within_95.tolist())
        beyond = storage.read_tiff(results / "beyond.tif")
        assert record["not_validated_share"] == beyond.mean()
        with h5py.File(results / "healed.h5") as file:
            assert json.loads(file["entry/healing/provenance/data"][()]) == record
            assert np.array_equal(file["entry/data/beyond"][()], beyond)
            assert np.array_equal(
                file["entry/data/healed_errors"][()], storage.read_tiff(results / "sd.tif"), equal_nan=True
            )


def test_what_heals_was_trained_on_all_valid_pixels(finished):
    """The model of no fold: each of those has not seen its hidden pixels."""
    results = finished / "results" / "demo_waxs"
    run = json.loads((results / "chosen.json").read_text())["run"]
    healed, model, reasons = (storage.read_tiff(results / f"{name}.tif") for name in ("healed", "model", "reasons"))
    assert healed[reasons > 0].tobytes() == model[reasons > 0].tobytes()
    assert not any(np.array_equal(model, fold) for fold in storage.read_pages(results / "runs" / run / "models.tif"))
    assert json.loads((results / "runs" / run / "metrics.json").read_text())["iterations"] == 4
    assert "iteration 4 of 4, loss" in (finished / "results" / "logs" / "refit" / "demo_waxs.log").read_text()


def test_a_method_that_is_no_network_heals_where_it_scores_best_unless_told_otherwise(project):
    results = project / "results"
    for scan in ("demo_saxs", "demo_waxs"):
        assert pd.read_csv(results / scan / "ranking.csv").run[0] == "telea"
        told = (results / "logs" / "refit" / f"{scan}.log").read_text()
        assert "telea scores better on the hidden pixels than every network, or as well for less; domain-polar" in told
        assert "heals it all the same, as heal_with: dip says" in told
    configure(project, heal_with="best")
    assert planned(project) == {**dict.fromkeys(AFTER_THE_CHOICE, 2), "summary": 1}
    snakemake(project, "results/demo_waxs/provenance.json", "results/demo_waxs/radial.csv", "results/summary.csv")
    waxs = results / "demo_waxs"
    chosen = json.loads((waxs / "chosen.json").read_text())
    assert (chosen["run"], chosen["best"]) == ("telea", "telea")
    assert json.loads((waxs / "provenance.json").read_text())["hyperparameters"] == {"method": "telea"}
    assert not storage.read_pages(waxs / "spread.tif").any()
    sd, reasons, beyond = (storage.read_tiff(waxs / f"{name}.tif") for name in ("sd", "reasons", "beyond"))
    assert ((sd > 0) == (beyond == 0))[reasons > 0].all()
    told = (results / "logs" / "refit" / "demo_waxs.log").read_text()
    assert "telea scores better on the hidden pixels than every network, or as well for less; it heals" in told
    assert pd.read_csv(results / "summary.csv").run.tolist() == ["telea", "telea"]


def test_methods_that_are_no_networks_heal_alone_too(project):
    configure(project, methods=["telea", "radial_mean"], heal_with="best", grid={})
    shutil.rmtree(project / "results" / "demo_saxs" / "runs")
    (project / "scans" / "demo_waxs.yaml").unlink()
    snakemake(project)
    assert sorted(path.name for path in (project / "results/demo_saxs/runs").iterdir()) == ["radial_mean", "telea"]
    assert len(pd.read_csv(project / "results/demo_saxs/ranking.csv")) == 2


def test_the_demos_are_what_the_simulator_makes_and_their_masks_cover_its_holes(finished):
    counts, _ = simulate.demo_frame()
    np.testing.assert_array_equal(frames.read_frame(finished / "scans" / "demo_waxs.tif").counts, counts)
    reasons = storage.read_tiff(finished / "results" / "demo_waxs" / "reasons.tif")
    radius, _ = simulate.radius_and_azimuth(simulate.FRAME_SHAPE, simulate.FRAME_CENTRE)
    holes = (counts < 0) | (radius < 9) | (counts == 1048575)
    holes[90:97, :84] = True
    assert reasons[holes].all()
    assert (reasons[~holes] > 0).mean() < 0.01


def test_the_same_config_gives_the_same_bytes(finished, project):
    """Of the figure, which more rules make than a frame; one training in processes of its own, as a user has it."""
    shutil.rmtree(project / "results")
    (project / "scans" / "demo_waxs.yaml").unlink()
    training = f"results/demo_saxs/runs/{NETWORKS[0]}/metrics.json"
    snakemake(project, training, python=sys.executable)
    snakemake(project)
    for path in (finished / "results" / "demo_saxs").rglob("*"):
        if path.is_file() and path.name != ".snakemake_timestamp":
            assert path.read_bytes() == (project / path.relative_to(finished)).read_bytes(), path


def test_adding_a_scan_runs_only_its_jobs(project):
    for ending in ("tif", "yaml"):
        shutil.copy(project / "scans" / f"demo_waxs.{ending}", project / "scans" / f"another.{ending}")
    edit(project / "scans" / "another.yaml", "demo_waxs.tif", "another.tif")
    edit(project / "scans" / "another.yaml", "truth: demo_waxs_truth.tif\n", "")
    output = snakemake(project, "--dry-run")
    assert jobs_of(output) == {**dict.fromkeys(["crop", "intensity", *AFTER_THE_MASK], 1), "inpaint": 2, "picture": 2}
    assert set(re.findall(r"wildcards: scan=(\w+)", output)) == {"another"}


@pytest.mark.parametrize(
    "said",
    ["mask: {user: {circle: [150, 40, 5]}}", "mask: {keep: {circle: [150, 40, 5]}}", "centre: [102.5, 80]"],
)
def test_editing_the_mask_or_the_centre_redoes_nothing_before_the_mask(project, said):
    edit(project / "scans" / "demo_saxs.yaml", "kind: figure", f"kind: figure\n{said}")
    assert planned(project) == {**dict.fromkeys(AFTER_THE_MASK, 1), "inpaint": 2}


def test_editing_the_range_of_the_colours_redoes_everything_but_the_crop(project):
    edit(project / "scans" / "demo_saxs.yaml", "range: [0, 3]", "range: [0, 3.5]")
    redone = dict.fromkeys(["intensity", "truth", "colours", *AFTER_THE_MASK], 1)
    assert planned(project) == {**redone, "inpaint": 2, "picture": 2}


def test_a_geometry_file_and_a_newer_one_redo_the_mask_and_what_is_healed(project):
    poni = "PixelSize1: 1e-4\nPixelSize2: 1e-4\nDistance: 2\nPoni1: 0.009\nPoni2: 0.0082\nRot1: 0\nRot2: 0\nRot3: 0\n"
    (project / "scans" / "a.poni").write_text(poni)
    edit(project / "scans" / "demo_waxs.yaml", "kind: frame", "kind: frame\nponi: a.poni")
    assert planned(project) == {**dict.fromkeys(AFTER_THE_MASK, 1), "inpaint": 2}
    configure(project, grid={"domain": ["polar"], "lr": [0.01]})
    targets = [f"results/demo_waxs/{file}" for file in ("found.json", "provenance.json")]
    snakemake(project, targets[1])
    found = json.loads((project / targets[0]).read_text())
    assert found["centre"] == {"x": pytest.approx(81.5), "y": pytest.approx(89.5), "how": "given"}
    # Nothing of the mask depends on the distance, but healed.h5 holds it.
    edit(project / "scans" / "a.poni", "Distance: 2", "Distance: 3")
    os.utime(project / "scans" / "a.poni", (1e9, 1e9))
    snakemake(project, targets[0])
    assert planned(project, targets[1]) == {"heal": 1}


def test_an_image_replaced_by_an_older_file_is_a_new_image(project):
    path = project / "scans" / "demo_waxs.tif"
    counts = frames.read_frame(path).counts
    counts[0, 0] += 1
    storage.write_tiff(path, counts)
    os.utime(path, (1e9, 1e9))
    assert planned(project)["crop"] == 1


def test_frames_of_one_file_are_scans_of_their_own(project):
    path = project / "scans" / "stack.h5"
    (project / "scans" / "stack.yaml").write_text("image: stack.h5\nkind: frame\nframe: [0, 1]\n")
    stack = np.random.default_rng(0).poisson(9, (2, 40, 50)).astype(np.int32)
    for first in (0, 1):
        with h5py.File(path, "w") as file:
            file["entry/data/data"] = stack + first
        os.utime(path, (1e9 - first, 1e9 - first))
        jobs = planned(project)
        assert (jobs["crop"], jobs["mask"], jobs["inpaint"], jobs["picture"]) == (2, 2, 4, 4)
        if first == 0:
            snakemake(project, "results/stack_f00001/crop.json")
            assert planned(project)["crop"] == 1
    np.testing.assert_array_equal(storage.read_tiff(project / "results/stack_f00001/image.tif"), stack[1])


def test_another_crop_is_checked_against_its_own_size(project):
    """Not against what an earlier crop left in the results."""
    yaml_file = project / "scans" / "demo_saxs.yaml"
    edit(yaml_file, "kind: figure", "kind: figure\nmask: {user: {circle: [150, 40, 5]}}\ncrop: [53, 36, 120, 110]")
    output = snakemake(project, "--dry-run")
    assert "outside the cropped image of 67 x 74 pixels" in output
    edit(yaml_file, "crop: [53, 36, 120, 110]", "crop: [53, 36, 260, 194]")
    assert planned(project)["crop"] == 1


def test_editing_a_comment_redoes_nothing(project):
    edit(project / "scans" / "demo_saxs.yaml", "# Simulated", "# A simulated")
    edit(project / "scans" / "demo_saxs.yaml", "kind: figure", "kind:   figure   # a picture")
    assert planned(project) == {}


def test_another_hyperparameter_value_trains_only_the_new_runs_and_keeps_every_path(project):
    old = project / "results/demo_saxs/runs/domain-polar_lr-0.05/healed.tif"
    before = old.stat().st_mtime_ns
    configure(project, grid={"lr": [0.02, 0.05, 0.01], "domain": ["polar"]})
    assert planned(project) == {**dict.fromkeys([*AFTER_A_RUN, "inpaint"], 2), "summary": 1}
    snakemake(project, "results/demo_saxs/ranking.csv")
    assert old.stat().st_mtime_ns == before
    assert len(pd.read_csv(project / "results/demo_saxs/ranking.csv")) == 4


def test_another_method_computes_only_itself_and_what_follows(project):
    configure(project, methods=["dip", "radial_mean", "telea"])
    assert planned(project) == {**dict.fromkeys([*AFTER_A_RUN, "baseline"], 2), "summary": 1}


def test_another_number_of_folds_hides_and_computes_every_run_again(project):
    configure(project, folds=3)
    redone = dict.fromkeys([*AFTER_A_RUN, "holdout", "mask_overlay", "baseline"], 2)
    assert planned(project) == {**redone, "inpaint": 4, "summary": 1}


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
    loop = project / "scatterheal" / "dip" / "loop.py"
    edit(loop, "# 6. One step of Adam.", "# 6. Adam's step.")
    edit(loop, "Fit a network to the known pixels of", "Fits a network to the pixels of")
    edit(project / "scatterheal" / "dip" / "scene.py", '"""Where it paints."""', '"""Its canvas."""')
    assert planned(project) == {}
    edit(loop, "optimiser.step()", "optimiser.step(None)")
    assert planned(project) == {**dict.fromkeys(AFTER_A_RUN, 2), "inpaint": 4, "summary": 1}


def test_editing_a_method_computes_it_again_and_trains_nothing_but_the_refit(project):
    edit(project / "scatterheal" / "methods" / "liu2017.py", "FOLDS = (2, 4, 6, 8)", "FOLDS = (2, 4, 6)")
    assert planned(project) == {**dict.fromkeys([*AFTER_A_RUN, "baseline"], 2), "summary": 1}


def test_editing_the_pictures_trains_nothing(project):
    edit(project / "scatterheal" / "pictures" / "style.py", "DOTS_PER_INCH = 120", "DOTS_PER_INCH = 60")
    edit(project / "scatterheal" / "pictures" / "look.py", 'COLOUR_MAP = "inferno"', 'COLOUR_MAP = "magma"')
    redrawn = ("mask_overlay", "contact_sheet", "evolution", "before_after", "certainty", "heal", "profiles")
    assert planned(project) == {**dict.fromkeys(redrawn, 2), "picture": 4, "colours": 1}


def test_another_device_redoes_nothing(project):
    configure(project, fit={**CONFIG["fit"], "device": "cpu"})
    assert planned(project) == {}


def test_a_failed_scan_is_one_clear_line_and_stops_no_other(project):
    """A mask edited after the crop is what only its job finds out."""
    sheet = project / "results" / "demo_waxs" / "contact_sheet.png"
    sheet.unlink()
    edit(
        project / "scans" / "demo_saxs.yaml",
        "kind: figure",
        "kind: figure\nmask: {user: {rectangle: [0, 0, 207, 150]}}",
    )
    code, output = snakemake(project, check=False)
    assert code != 0
    assert "scans/demo_saxs.yaml: mask: it hides" in output
    assert "Traceback" not in output and "common.smk" not in output
    assert sheet.is_file()
    assert not (project / "results" / "demo_saxs" / "mask.png").exists()
    summary = pd.read_csv(project / "results" / "summary.csv", index_col="scan")
    assert summary.problem["demo_saxs"].startswith("scans/demo_saxs.yaml: mask: it hides")
    assert pd.isna(summary.problem["demo_waxs"]) and summary.score["demo_waxs"] > 0
    # The next run makes it again, also where nothing of what is in it changes.
    assert (project / "results" / "summary.csv").stat().st_mtime == 0
    # What was mended is no problem any more, whatever else is as it was.
    edit(
        project / "scans" / "demo_saxs.yaml",
        "kind: figure\nmask: {user: {rectangle: [0, 0, 207, 150]}}",
        "kind: figure",
    )
    snakemake(project)
    assert pd.read_csv(project / "results" / "summary.csv").problem.isna().all()
    assert planned(project) == {}


def test_a_job_that_is_killed_says_nothing_and_summary_names_it(project):
    file = project / "scripts" / "rank.py"
    file.write_text(f"import os\nos.kill(os.getpid(), {int(signal.SIGKILL)})\n{file.read_text()}")
    code, output = snakemake(project, check=False)
    assert code != 0 and "common.smk" not in output
    summary = pd.read_csv(project / "results" / "summary.csv", index_col="scan")
    # None of those that wait for it.
    told = "scans/{}.yaml: killed, out of time or not begun, see the logs in results/logs: rank"
    for scan in ("demo_saxs", "demo_waxs"):
        assert summary.problem[scan] == told.format(scan)


def test_snakemake_chooses_once_for_each_job_and_then_waits(project):
    for sheet in ("contact_sheet.png", "mask_overlay.png"):
        (project / "results" / "demo_waxs" / sheet).unlink()
    said = snakemake(project, "--verbose", "--cores", "1")
    assert said.count("Select jobs to execute") == said.count("Ready jobs: ") == 3


def test_another_number_of_runs_a_job_redoes_nothing(project):
    for number in (2, 3, 1):
        configure(project, runs_per_job=number)
        assert planned(project) == {}


def test_runs_that_share_a_job_give_what_each_of_them_gives_alone(finished, project):
    configure(project, runs_per_job=2)
    lost = f"results/demo_waxs/runs/{NETWORKS[1]}/metrics.json"
    (project / lost).unlink()
    output = snakemake(project, lost)
    assert jobs_of(output) == {"inpaint_1": 1}
    for path in (finished / "results" / "demo_waxs" / "runs").rglob("*"):
        if path.is_file() and path.name != ".snakemake_timestamp":
            assert path.read_bytes() == (project / path.relative_to(finished)).read_bytes(), path
    logs = project / "results" / "logs" / "inpaint" / "demo_waxs"
    assert all("iteration 4 of 4" in (logs / f"{run}.log").read_text() for run in NETWORKS)
    configure(project)
    assert "inpaint" not in planned(project)


def test_hyperparameters_train_the_runs_again_that_share_a_job(project):
    configure(project, runs_per_job=2, fit={**CONFIG["fit"], "average": 0.5})
    assert planned(project)["inpaint_1"] == 2
    # Of the jobs those that have a new run.
    configure(project, runs_per_job=2, grid={"domain": ["polar"], "lr": [0.01, 0.05, 0.1]})
    assert {rule: jobs for rule, jobs in planned(project).items() if "inpaint" in rule} == {"inpaint_2": 2}


def test_a_failed_run_loses_no_other_of_its_job(finished, project):
    """Which is not trained again where only the failed one can be at fault, and never in another setting."""
    configure(project, runs_per_job=2)
    runs = project / "results" / "demo_waxs" / "runs"
    target = f"results/demo_waxs/runs/{NETWORKS[0]}/metrics.json"
    (project / target).unlink()
    storage_module = project / "scatterheal" / "storage.py"
    before, line = storage_module.read_text(), "    with replacing(path) as part:\n        table.convert_dtypes()"
    edit(storage_module, line, f'    assert "0.05" not in str(path), "disk full"\n{line}')
    code, output = snakemake(project, target, check=False)
    assert code != 0 and "scans/demo_waxs.yaml: unexpected AssertionError: disk full" in output
    assert not list(runs.glob("domain*/*"))
    storage_module.write_text(before)
    snakemake(project, target)
    logs = [project / "results" / "logs" / "inpaint" / "demo_waxs" / f"{run}.log" for run in NETWORKS]
    assert ["trained by an earlier job" in log.read_text() for log in logs] == [True, False]
    assert sorted(path.name for path in runs.iterdir()) == [*NETWORKS, "telea"]
    for name in ("models.tif", "metrics.json", "snapshots/000004.png"):
        path = runs / NETWORKS[0] / name
        assert path.read_bytes() == (finished / path.relative_to(project)).read_bytes()


def test_a_killed_training_goes_on_to_the_same_bytes(project):
    edit(project / "scatterheal" / "compute" / "checkpoint.py", "EVERY, SHARE = 60, 0.05", "EVERY, SHARE = 0, 1e9")
    configure(project, fit={**CONFIG["fit"], "iterations": 60, "snapshot_every": 30, "check_every": 10})
    run = project / "results" / "demo_waxs" / "runs" / NETWORKS[0]
    target = str((run / "metrics.json").relative_to(project))
    state, lock = (run.with_name(f".{run.name}.{ending}") for ending in ("state", "lock"))
    snakemake(project, target)
    whole = {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert len(whole) > len(PER_RUN) and not state.exists()
    shutil.rmtree(run)
    random = np.random.default_rng(0)
    # A job that dies is started again by itself, once.
    for kills in (["job", "all"], ["job, which is told"]):
        started = subprocess.Popen(
            [warm.python(), "-m", "snakemake", "--cores", "2", target],
            **{"cwd": project, "env": {**os.environ, "PYTHONPATH": str(project)}, "process_group": 0},
            **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL},
        )
        for kill in kills:
            before = state.stat().st_mtime if state.exists() else 0
            while not state.exists() or state.stat().st_mtime == before:
                assert started.poll() is None
                time.sleep(0.02)
            time.sleep(random.uniform(0, 0.3))
            if kill == "all":
                os.killpg(started.pid, signal.SIGKILL)
                assert started.wait() != 0
                assert state.exists() and not (run / "metrics.json").exists()
                snakemake(project, "--unlock")
            else:
                (job,) = (
                    process
                    for process in psutil.process_iter(["open_files"])
                    if any(file.path == str(lock) for file in process.info["open_files"] or ())
                )
                job.send_signal(signal.SIGTERM if "told" in kill else signal.SIGKILL)
                psutil.wait_procs([job])
    assert started.wait() == 0
    assert "goes on from the state in" in (project / "results/logs/inpaint/demo_waxs" / f"{run.name}.log").read_text()
    again = {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert [name for name in whole if again[name] != whole[name] and name != ".snakemake_timestamp"] == []
    assert not state.exists()


def test_a_search_by_halving_is_one_job_a_scan_and_says_what_it_let_go(project):
    lrs = {"domain": ["polar"], "lr": [0.001, 0.01, 0.02, 0.05]}
    configure(project, search="halving", runs_per_job=2, grid=lrs)
    assert planned(project) == {**dict.fromkeys([*AFTER_A_RUN, "halving"], 2), "summary": 1}
    snakemake(project, "results/demo_waxs/contact_sheet.png", "results/demo_waxs/provenance.json")
    results = project / "results" / "demo_waxs"
    ranking = pd.read_csv(results / "ranking.csv").set_index("run")
    networks = ranking[ranking.method == "dip"]
    assert sorted(networks.trained) == [2, 2, 2, 4] and (networks.pruned == (networks.trained == 2)).all()
    assert not ranking.pruned["telea"] and np.isnan(ranking.trained["telea"])
    for run in networks.index:
        assert {path.name for path in (results / "runs" / run).iterdir()} == PER_RUN
        metrics = json.loads((results / "runs" / run / "metrics.json").read_text())
        assert (metrics["pruned"], metrics["trained"]) == (networks.pruned[run], networks.trained[run])
        assert pd.read_csv(results / "runs" / run / "curve.csv").iteration.max() == metrics["trained"]
    assert "rung 1 of 2: best is domain-polar" in (project / "results/logs/halving/demo_waxs.log").read_text()
    # Another order of the values is the same search, another value another one.
    configure(project, search="halving", grid={"lr": [0.05, 0.02, 0.01, 0.001], "domain": ["polar"]})
    assert "halving" not in planned(project, "results/demo_waxs/ranking.csv")
    configure(project, search="halving", grid={**lrs, "lr": [0.001, 0.01, 0.02]})
    assert planned(project, "results/demo_waxs/ranking.csv") == {"halving": 1, "rank": 1}
    configure(project, grid=lrs)
    assert planned(project, "results/demo_waxs/ranking.csv") == {"inpaint": 4, "rank": 1}


def test_a_lost_run_is_made_again(project):
    shutil.rmtree(project / "results" / "demo_waxs" / "runs" / "domain-polar_lr-0.01")
    assert planned(project)["inpaint"] == 1


def test_bad_scans_are_refused_together_and_redo_nothing(project):
    refused = {
        "bad.name": ("image: none.png\nkind: figure", "image: there is no file scans/none.png; correct the name"),
        "key": ("image: demo_saxs.png\nkind: figure\ncolor: {}", "color: unknown key; remove it"),
        "shape": (
            "image: demo_saxs.png\nkind: figure\nmask: {holder: {polygon: [[1, 1], [400, 1], [3, 9]]}}",
            "mask.holder: it reaches from (1, 1) to (400, 9), outside the cropped image of 207 x 158",
        ),
        "map": (
            "image: demo_saxs.png\nkind: figure\ncolour: {map: jett}",
            "colour.map: there is no map 'jett'; use colourbar",
        ),
        "poni": ("image: demo_waxs.tif\nkind: frame\nponi: poni.yaml", "scans/poni.yaml: cannot be read"),
        "frame": (
            "image: demo_waxs.tif\nkind: frame\nframe: 2",
            "scans/demo_waxs.tif: frame: 2 is not among its frames 0..0",
        ),
    }
    for name, (text, _) in refused.items():
        (project / "scans" / f"{name}.yaml").write_text(text)
    code, output = snakemake(project, check=False)
    assert code != 0 and "Traceback" not in output
    assert jobs_of(output) == {"refuse": len(refused), "summary": 1}
    for name, (_, words) in refused.items():
        assert f"scans/{name}.yaml: {words}" in output


def test_without_any_usable_scan_each_is_named(project):
    for path in (project / "scans").glob("*.yaml"):
        path.write_text("image: none.png\nkind: figure")
    code, output = snakemake(project, check=False)
    assert code != 0 and "Traceback" not in output
    assert "scans/demo_saxs.yaml: image: there is no file" in output
    assert "scans/demo_waxs.yaml: image: there is no file" in output


def test_cuda_where_there_is_none_fails_clearly(project):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    configure(project, fit={**CONFIG["fit"], "device": "cuda"}, grid={"lr": [0.03]})
    code, output = snakemake(project, check=False)
    assert code != 0
    assert "fit.device: cuda was asked for, but" in output
    assert "Traceback" not in output


def test_profiles_ask_for_what_they_should(project):
    (project / "scans" / "demo_saxs.yaml").unlink()

    def asks(rule, what, *profile):
        said = snakemake(project, "--dry-run", "--forceall", *profile)
        assert re.search(rf"rule {rule}:(?:(?!\n(?:local)?rule ).)*?{what}", said, re.S), said
        return said

    for number, search, rule in ((1, "grid", "inpaint"), (2, "grid", "inpaint_1"), (1, "halving", "halving")):
        configure(project, runs_per_job=number, search=search)
        # Of the four threads that the profile gives a training there are two on this command line.
        on_slurm = r"threads: 2\n *resources:[^\n]*\bgpu=1\b"
        said = asks(rule, on_slurm, "--workflow-profile", "profiles/slurm")
        asks(rule, r"\bgpu=1\b", "--workflow-profile", "profiles/workstation")
    assert re.search(r"rule crop:(?:(?!\nrule ).)*?resources:[^\n]*slurm_partition=CHANGE", said, re.S)
    configure(project)
    asks("inpaint", r"resources:[^\n]*\bgpu=0\b")


def test_the_paper_preset_as_config_file_is_forty_runs_whatever_config_yaml_says(project):
    configure(project, grid={"seed": [0, 1]}, methods=["dip", "pyfai"])
    jobs = planned(project, "--configfile", "workflow/presets/paper.yaml", "--config", "results=paper")
    assert jobs["inpaint"] == 2 * 40 and "baseline" not in jobs


def test_the_report_is_made(project):
    snakemake(project, "--report", "results/report.html")
    assert (project / "results" / "report.html").stat().st_size > 1_000_000


def test_a_figure_healed_as_a_picture_gives_everything_too(project):
    """Without a usable colour map: healed in its colours, and exported as luminance."""
    edit(project / "scans" / "demo_saxs.yaml", "colour: {range: [0, 3], scale: log10}", "colour: {map: luminance}")
    snakemake(project)
    results = project / "results" / "demo_saxs"
    assert json.loads((results / "intensity.json").read_text())["unit"] == "colours"
    assert np.isnan(storage.read_tiff(results / "residual.tif")).all()
    healed, image = (storage.read_tiff(results / f"{name}.tif") for name in ("healed", "image"))
    missing = storage.read_tiff(results / "reasons.tif") > 0
    assert healed.dtype == np.uint8 and healed[~missing].tobytes() == image[~missing].tobytes()
    assert {path.name for path in results.iterdir()} == {*PER_FIGURE, "truth.tif"}
    # The likelihood of counts is not for it, and it has no profiles.
    for run in NETWORKS:
        chosen = json.loads((results / "runs" / run / "run.json").read_text())
        assert (chosen["loss"], chosen["taken"]["loss"], chosen["taken"]["domain"]) == ("poisson", "mse", "polar")
        assert storage.read_pages(results / "runs" / run / "models.tif").shape == (2, *healed.shape)
    assert json.loads((results / "orientation.json").read_text()) == {"problem": "its colours are no intensities"}
    sd = storage.read_tiff(results / "sd.tif")
    beyond = storage.read_tiff(results / "beyond.tif") > 0
    assert sd.shape == missing.shape and ((sd > 0) == ~beyond)[missing].all()
