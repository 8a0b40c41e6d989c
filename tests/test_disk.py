"""A results folder that is full, cannot be written or is removed under a run: a clear line, and the next run ends."""

import os
import re
import shutil
import subprocess
import time

import pytest
import warm
from test_workflow import CONFIG, NETWORKS, configure, new_project, snakemake

ONE = {"scans": ["scans/demo_waxs.yaml"], "grid": {"domain": ["polar"], "lr": [0.01]}, "refits": 1}
DONE, TRAINED = "results/demo_waxs/healed.tif", f"results/demo_waxs/runs/{NETWORKS[0]}/metrics.json"


@pytest.fixture
def project(tmp_path):
    """A new project with one scan and one network."""
    project = new_project(tmp_path / "project")
    configure(project, **ONE)
    return project


@pytest.fixture
def mounted(project):
    """Mount a small disk in memory, with these options, as the results folder or another one of the project."""
    folders = []

    def mount(options, name="results"):
        folders.append(folder := project / name)
        folder.mkdir(exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"this user may not mount: {done.stderr.strip()}")

    yield mount
    for folder in folders:
        while subprocess.run(["umount", folder], capture_output=True).returncode == 0:
            pass


def lines_of(output, word):
    return [line for line in output.splitlines() if word in line and line.startswith("scans/")]


def test_a_full_disk(project, mounted):
    mounted("size=300k")
    # Full at the first files, then at the last.
    for larger in ("1500k", "200m"):
        code, output = snakemake(project, DONE, check=False)
        assert code != 0 and not (project / DONE).exists()
        told = lines_of(output, "results/demo_waxs/")
        assert told and all(re.search(r"room( there)?, and start again$", line) for line in told)
        assert "Traceback" not in output
        subprocess.run(["mount", "-o", f"remount,size={larger}", project / "results"], check=True)
    # Nothing that is half a file counts as one.
    snakemake(project, DONE)
    assert not list((project / "results").rglob("*.part*"))


def test_no_room_for_what_snakemake_itself_writes(project, mounted):
    mounted("size=4m", ".snakemake")
    filler = project / ".snakemake" / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(2**23))
    code, output = snakemake(project, DONE, check=False)
    assert code != 0 and "Traceback" not in output
    assert f"{project}/.snakemake: No space left on device; make room there, and start again" in output.splitlines()
    filler.unlink()
    snakemake(project, "results/demo_waxs/mask.png")


def test_a_folder_that_cannot_be_written(project, mounted):
    mounted("size=200m")
    snakemake(project, "results/demo_waxs/mask.png")
    subprocess.run(["mount", "-o", "remount,ro", project / "results"], check=True)
    code, output = snakemake(project, TRAINED, check=False)
    assert code != 0 and "Traceback" not in output
    assert "config.yaml: results: results cannot be written; choose another folder, or see who may" in output
    # Where nothing is to be made it need not be.
    snakemake(project, "results/demo_waxs/mask.png")
    subprocess.run(["mount", "-o", "remount,rw", project / "results"], check=True)
    snakemake(project, TRAINED)


def test_a_folder_that_is_removed_under_a_run(project):
    configure(project, **ONE, fit={**CONFIG["fit"], "iterations": 40, "snapshot_every": 40})
    running = subprocess.Popen(
        [warm.python(), "-m", "snakemake", "--cores", "2", TRAINED],
        **{"cwd": project, "env": {**os.environ, "PYTHONPATH": str(project)}},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True},
    )
    log = project / "results" / "logs" / "inpaint" / "demo_waxs" / f"{NETWORKS[0]}.log"
    while not log.exists() or "takes about" not in log.read_text():
        assert running.poll() is None
        time.sleep(0.1)
    shutil.rmtree(project / "results")
    output, _ = running.communicate()
    assert running.returncode != 0 and "Traceback" not in output
    told = lines_of(output, "it was removed while jobs ran")
    assert told and all(line.endswith("see that nothing does, and start again") for line in told)
    configure(project, **ONE)
    snakemake(project, TRAINED)
