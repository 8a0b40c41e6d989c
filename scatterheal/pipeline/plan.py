"""What a run of the workflow is to do, and what is wrong with that before any job starts."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from scatterheal.errors import ScanError
from scatterheal.pipeline.tracking import whole_content
from scatterheal.settings.models import Config, Scan
from scatterheal.settings.reading import check_geometry, file_of, read_config, read_scans, scan_files
from scatterheal.settings.runs import runs_of

# Bytes for Snakemake's logs, locks and records of jobs.
ROOM = 2**20
# What the crop of a scan depends on, of the keys in its YAML.
CROPPED_BY = {"kind", "crop", "data", "frame"}


class Plan(NamedTuple):
    """What the configuration asks for.

    Attributes
    ----------
    config : Config
    runs : dict of str to dict
        All hyperparameters of each run.
    files : dict of str to Path
        The YAML file of each scan, as `scatterheal.settings.reading.file_of` takes them.
    scans : dict of str to Scan
    refused : dict of str to str
        One line for each scan that cannot be used.
    """

    config: Config
    runs: dict[str, dict[str, Any]]
    files: dict[str, Path]
    scans: dict[str, Scan]
    refused: dict[str, str]


def read_plan(raw: dict[str, Any], path: Path | str) -> Plan:
    """The plan of a configuration, from its own words and those of the scans' YAML files.

    Parameters
    ----------
    raw : dict
        The configuration as Snakemake read it.
    path : path
        The file that messages name.

    Raises
    ------
    ScanError
        One line: what is wrong with the configuration. Scans that cannot be used are in `refused` instead.
    """
    config = read_config(raw, path)
    runs = runs_of(config, path)
    files = scan_files(config.scans, path)
    return Plan(config, runs, files, *read_scans(files))


def check_scans(plan: Plan) -> dict[str, str]:
    """What is wrong with which scan: one that is new, or has changed, is looked at in its file, which takes time."""
    problems = {}
    for name, scan in plan.scans.items():
        try:
            if size := cropped_size(Path(plan.config.results, name), scan):
                check_geometry(scan.mask, size)
            else:
                # Its packages are slow to import, and nothing else here needs them.
                from scatterheal.pipeline.prepare import check

                check(scan)
        except ScanError as error:
            problems[name] = f"{file_of(name, plan.files)}: {error}"
    return problems


def cropped_size(folder: Path, scan: Scan) -> tuple[int, int] | None:
    """Width and height of a scan as an earlier run cropped it, pixels; None where it is new or has changed.

    Parameters
    ----------
    folder : Path
        results/<scan>
    scan : Scan
    """
    done = folder / "crop.json"
    found = json.loads(done.read_text()) if done.is_file() else {}
    asked = scan.model_dump(mode="json", include=CROPPED_BY)
    if (found.get("asked"), found.get("sha256")) != (asked, whole_content(scan.image)):
        return None
    box = found["box"]
    return box["right"] - box["left"], box["bottom"] - box["top"]


def unwritable(folder: Path) -> str | None:
    """What is wrong with a folder, made or not, into which nothing can be written, or None."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return None if os.access(there, os.W_OK) else f"{there} cannot be written; choose another folder, or see who may"


def without_room(folder: Path) -> str | None:
    """What is wrong with the disk of a folder in which Snakemake keeps its own files, or None.

    Snakemake itself would tell by one traceback a line.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM))
    except OSError as error:
        from scatterheal.storage import FULL, trouble

        return trouble(folder.absolute(), error) if error.errno in FULL else None
    return None


def batches(networks: list[str], search: str, runs_per_job: int) -> dict[str, list[str]]:
    """The rules that train the grid, one job a scan each, and the runs of each rule.

    With one run a job it is one rule for all of them, and a search by halving has a rule of its own.

    Parameters
    ----------
    networks : list of str
        The runs that train a network.
    search : {"grid", "halving"}
    runs_per_job : int

    Examples
    --------
    >>> batches(["a", "b", "c"], "grid", 1), batches(["a", "b", "c"], "halving", 2)
    ({'inpaint': ['{run}']}, {})
    >>> batches(["a", "b", "c"], "grid", 2)
    {'inpaint_1': ['a', 'b'], 'inpaint_2': ['c']}
    """
    if search == "halving" or not networks:
        return {}
    if runs_per_job == 1:
        return {"inpaint": ["{run}"]}
    firsts = range(0, len(networks), runs_per_job)
    return {f"inpaint_{k}": networks[first:][:runs_per_job] for k, first in enumerate(firsts, start=1)}
