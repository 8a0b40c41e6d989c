# What all files of this folder know. The validated configuration, the scans, the runs, the code they track.

import ast
import functools
import gc
import hashlib
import json
import logging
import os
import re
import sys
import tempfile
import time
from pathlib import Path

from snakemake.logging import logger

from scatterheal.settings import reading, runs as grid
from scatterheal.errors import ScanError, one_line

CODE = Path(workflow.basedir)
STARTED = time.time()
# Bytes for logs, locks and records of jobs.
ROOM = 2**20
# The graph of a large grid is millions of small objects, none of them garbage: looking for some in it took an eighth
# of the time.
gc.set_threshold(200_000, 20, 100)


def code(script, *modules):
    """What a script and the modules that define its result say, comments and docstrings apart, as a hash.

    Passed as a parameter, so that an edit reruns what it changes, and a touched file, a new checkout or a
    better comment does not.
    """
    files = [f"scripts/{script}.py", *(f"scatterheal/{module.replace('.', '/')}.py" for module in modules)]
    return hashlib.sha256("".join(map(meaning, files)).encode()).hexdigest()


@functools.cache
def meaning(file):
    """The code of a file without comments, docstrings and other words that nothing reads."""
    tree = ast.parse((CODE / file).read_text())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            words = [part for part in node.body if isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant)]
            node.body = [part for part in node.body if part not in words] or [ast.Pass()]
    return ast.unparse(tree)


@functools.cache
def content(path):
    """The SHA-256 of a file, or None: an input that is replaced by an older one is a new input all the same."""
    if path is None:
        return None
    with one_line(path, "check who may read it"), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@functools.cache
def linked(path):
    """The files in which an HDF5 file really keeps its frames."""
    with open(path, "rb") as file:
        if file.read(8) != b"\x89HDF\r\n\x1a\n":
            return []
    from scatterheal.reading.hdf5 import linked_files

    return linked_files(Path(path))


def whole_content(path):
    """The SHA-256 of a scan's file, and of those that it links to."""
    return [content(path), *map(content, files)] if (files := linked(path)) else content(path)


def cropped_size(name, scan):
    """Width and height of the scan as an earlier run cropped it, or None where it is new or has changed."""
    done = Path(RESULTS, name, "crop.json")
    found = json.loads(done.read_text()) if done.is_file() else {}
    asked = scan.model_dump(mode="json", include=CROPPED_BY)
    if (found.get("asked"), found.get("sha256")) != (asked, whole_content(scan.image)):
        return None
    box = found["box"]
    return box["right"] - box["left"], box["bottom"] - box["top"]


def check_scans():
    """Look at every scan before any job starts, at new ones in their files; what is wrong with which."""
    problems = {}
    for name, scan in SCANS.items():
        try:
            if size := cropped_size(name, scan):
                reading.check_geometry(scan.mask, size)
            else:
                # Its packages are slow to import, and nothing else here needs them.
                from scatterheal.pipeline.prepare import check

                check(scan)
        except ScanError as error:
            problems[name] = f"{reading.file_of(name, FILES)}: {error}"
    return problems


def unwritable(folder):
    """What is wrong with a folder into which nothing can be written, made or not, or None."""
    there = next(path for path in (Path(folder), *Path(folder).absolute().parents) if path.exists())
    return None if os.access(there, os.W_OK) else f"{there} cannot be written; choose another folder, or see who may"


def without_room():
    """What is wrong with the disk for Snakemake's own files, or None: it would tell by one traceback a line."""
    own = Path(".snakemake")
    try:
        with tempfile.TemporaryFile(dir=own) as file:
            file.write(bytes(ROOM))
    except OSError as error:
        from scatterheal.storage import FULL, trouble

        return trouble(own.absolute(), error) if error.errno in FULL else None


def choose_once_a_job():
    """Let Snakemake look for the next job where one has ended, and at no other time.

    To keep to its limit of starts it looks again after a second, and again, once for each job that has ended so far:
    after some hundreds it does nothing else. A limit that somebody asks for stays.
    """
    limit = workflow.scheduling_settings.max_jobs_per_timespan
    if limit and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def write_summary():
    """Where jobs failed, and summary.csv was not made therefore: of all scans, also of those that failed."""
    from scatterheal.storage import write_csv
    from scatterheal.pipeline.summary import after_failure

    planned = workflow.dag.needrun_jobs(exclude_finished=False)
    if not (tables := [job.output[0] for job in planned if job.rule.name == "summary"]):
        return
    unfinished, jobs = {}, set(workflow.dag.needrun_jobs())
    for job in jobs:
        if scan := dict(job.wildcards.items()).get("scan"):
            ready = jobs.isdisjoint(workflow.dag.dependencies[job])
            unfinished.setdefault(scan, {}).setdefault(job.rule.name, False)
            unfinished[scan][job.rule.name] |= ready
    file = Path(RESULTS, "summary.csv")
    try:
        of_scans = {scan: reading.file_of(scan, FILES) for scan in [*USED, *REFUSED]}
        write_csv(file, after_failure(Path(RESULTS), of_scans, unfinished, STARTED, CONFIG.heal_with))
        # The next run makes it again.
        workflow.persistence.cleanup_metadata(tables[0])
        os.utime(file, (0, 0))
    except (ScanError, OSError) as error:
        logger.error(f"{file} could not be written: {error}")


# What the jobs of the rule crop ask of a scan's YAML.
CROPPED_BY = {"kind", "crop", "data", "frame"}

CONFIG_FILE = " + ".join(str(file) for file in workflow.configfiles)
try:
    CONFIG = reading.read_config(config, CONFIG_FILE)
    RUNS = grid.runs_of(CONFIG, CONFIG_FILE)
    FILES = reading.scan_files(CONFIG.scans, CONFIG_FILE)
    SCANS, REFUSED = reading.read_scans(FILES)
    RESULTS = CONFIG.results
    # Jobs on other machines parse this file again: the check belongs to the first time alone.
    if workflow.is_main_process:
        if problem := without_room():
            # Nor has the log that this line goes to any.
            logging.raiseExceptions = False
            raise ScanError(problem)
        REFUSED |= check_scans()
        for problem in REFUSED.values():
            logger.error(problem)
        logger.info(f"scatterheal: {len(SCANS.keys() - REFUSED)} scans x {len(RUNS)} runs x {CONFIG.folds} folds")
except ScanError as error:
    # One clear line a problem; a WorkflowError would add where in this file it was raised.
    logger.error(str(error))
    sys.exit(1)

# A scan that cannot be used ends with one line, and stops no other.
USED = [name for name in SCANS if name not in REFUSED]
FIGURES = [name for name in SCANS if SCANS[name].kind == "figure"]
AXES = sorted(CONFIG.grid)
NETWORKS = [run for run, chosen in RUNS.items() if chosen["method"] == "dip"]
BASELINES = [run for run in RUNS if run not in NETWORKS]
# The hyperparameters that all networks share; the others are in their names.
SHARED = CONFIG.fit.model_dump(exclude={"device", *AXES})
# The rules that train the grid, one job a scan each, and their runs; with one run a job it is one rule for all of them.
if CONFIG.search == "halving" or not NETWORKS:
    BATCHES = {}
elif CONFIG.runs_per_job == 1:
    BATCHES = {"inpaint": ["{run}"]}
else:
    firsts = range(0, len(NETWORKS), CONFIG.runs_per_job)
    BATCHES = {f"inpaint_{k}": NETWORKS[first:][: CONFIG.runs_per_job] for k, first in enumerate(firsts, start=1)}
# What a profile says of `inpaint` holds for all rules that train the grid, unless it names them too.
for said in ("overwrite_resources", "overwrite_threads"):
    of = getattr(workflow.resource_settings, said)
    if "inpaint" in of:
        setattr(workflow.resource_settings, said, dict.fromkeys([*BATCHES, "halving"], of["inpaint"]) | {**of})
# What a script reads of a scan before it heals or judges it: scatterheal.pipeline.read_pattern, and the hidden pixels.
EXPOSURE = {name: f"{RESULTS}/{{scan}}/{name}.tif" for name in ("image", "intensity", "flags", "reasons", "hidden")}
EXPOSURE |= {"meaning": f"{RESULTS}/{{scan}}/intensity.json", "parts": f"{RESULTS}/{{scan}}/found.json"}


def of_scan(*keys):
    """Parameter function: the named parts of a scan's YAML.

    Only these parts, so that an edit of the others reruns nothing; as one dict, since Snakemake
    compares parameters without their names.
    """

    return lambda wildcards: SCANS[wildcards.scan].model_dump(mode="json", include=set(keys))


def given(key, path_of):
    """Input function: a file under this name, for the scans that have one."""

    def files(wildcards):
        path = path_of(wildcards.scan, SCANS[wildcards.scan])
        return {key: str(path)} if path else {}

    return files


PONI = given("poni", lambda name, scan: scan.poni)
TRUTH = given("truth", lambda name, scan: scan.truth and f"{RESULTS}/{name}/truth.tif")


# The healed image, where that is what a picture shows.
def HEALED(wildcards):
    folder = f"{RESULTS}/{wildcards.scan}"
    return {"healed": f"{folder}/healed.tif", "reasons": f"{folder}/reasons.tif"} if wildcards.shown == "healed" else {}


def outcome(runs):
    """What these runs leave behind, as the outputs of a rule."""
    files = ("healed.tif", "models.tif", "spreads.tif", "run.json", "metrics.json", "curve.csv", "snapshots")
    of_runs = {file.split(".")[0]: expand(f"{RESULTS}/{{{{scan}}}}/runs/{{run}}/{file}", run=runs) for file in files}
    return of_runs | {"snapshots": directory(of_runs["snapshots"])}


def with_hyperparameters(wildcards, output):
    """Parameter function: the runs of a job, each with all of its hyperparameters.

    Snakemake does not record what depends on the output, so that the runs that a run shares its job with are no reason
    to train it again. Its own hyperparameters are: `SHARED` is another parameter, and the rest is in its path.
    """
    names = [Path(file).parent.name for file in output.run]
    return {name: RUNS[name] for name in names}
