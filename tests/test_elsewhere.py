"""The workflow away from home: as a module of another Snakefile, and by conda's environment file."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import warm
import yaml
from test_workflow import CONFIG, edit, jobs_of, new_project

ROOT = Path(__file__).parents[1]


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with the Snakefile of docs/cluster.md, which takes a copy of this repository as a module."""
    project, folder = new_project(tmp_path / "scatterheal"), tmp_path / "elsewhere"
    edit(project / "scatterheal" / "version.py", '__version__ = "', '__version__ = "module of ')
    lines = re.search(r"```python\n(module scatterheal:.*?)```", (ROOT / "docs" / "cluster.md").read_text(), re.S)[1]
    assert "/path/to/scatterheal" in lines
    folder.mkdir()
    (folder / "Snakefile").write_text(lines.replace("/path/to/scatterheal", str(project)))
    shutil.copytree(project / "scans", folder / "data")
    one = {"scans": ["data/demo_waxs.yaml"], "results": "healed", "grid": {"lr": [0.01]}, "refits": 1}
    (folder / "mine.yaml").write_text(yaml.safe_dump({"scatterheal": {**CONFIG, **one}}))
    return folder


def snakemake(folder, *arguments):
    """Run snakemake in a folder, where nothing but what is installed tells where the package is."""
    command = [warm.python(), "-m", "snakemake", "--cores", "2", *arguments, "--configfile", "mine.yaml"]
    unset = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=unset, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_another_snakefile_takes_the_workflow_as_a_module(elsewhere):
    jobs = jobs_of(snakemake(elsewhere, "--dry-run"))
    assert jobs["scatterheal_all"] == jobs["scatterheal_inpaint"] == jobs["scatterheal_heal"] == 1
    output = snakemake(elsewhere, "healed/demo_waxs/provenance.json")
    assert "localrules directive" not in output
    # The scripts are those of the module, and so is what they import.
    versions = json.loads((elsewhere / "healed" / "demo_waxs" / "provenance.json").read_text())["versions"]
    assert versions["scatterheal"].startswith("module of ")


def test_the_rules_and_commands_of_a_snakefile_that_takes_the_module_stay_its_own(elsewhere):
    own = 'rule own:\n    output: "own.txt"\n    shell: "true && touch {output}"\n\n'
    file = elsewhere / "Snakefile"
    file.write_text(own + file.read_text())
    assert jobs_of(snakemake(elsewhere)) == {"own": 1}
    assert (elsewhere / "own.txt").exists()


def test_the_environment_of_conda_stands_for_itself_with_the_pinned_versions():
    """Snakemake makes it from a copy of this one file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["workflow"], *extras["opencv"]]
    names = {re.match(r"[\w.-]+", need)[0].lower() for need in needed}
    pinned = (ROOT / "requirements.txt").read_text().splitlines()
    environment = yaml.safe_load((ROOT / "envs" / "scatterheal.yaml").read_text())
    assert environment["dependencies"][-1]["pip"] == [line for line in pinned if line.split("==")[0].lower() in names]
