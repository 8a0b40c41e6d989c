# What all files of this folder know: the plan, the code that rules track, input and parameter functions.

import gc
import logging
import os
import re
import sys
import time
from pathlib import Path

from snakemake.logging import logger

from scatterheal.errors import ScanError
from scatterheal.pipeline import plan, tracking
from scatterheal.settings.reading import file_of

# This checkout, also where another Snakefile takes it as a module.
ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
# Where scripts find the package: the one that is tracked, whatever is installed.
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
STARTED = time.time()
# The graph of a large grid is millions of small objects, none of them garbage: looking for some in it took an eighth
# of the time.
gc.set_threshold(200_000, 20, 100)

# A module has its configuration from the Snakefile that takes it, which may have no file of its own.
CONFIG_FILE = " + ".join(str(file) for file in workflow.configfiles) or "config"
try:
    CONFIG, RUNS, FILES, SCANS, REFUSED = PLAN = plan.read_plan(config, CONFIG_FILE)
    # Jobs on other machines parse this file again: the check belongs to the first time alone.
    if workflow.is_main_process:
        if problem := plan.without_room(Path(".snakemake")):
            # Nor has the log that this line goes to any.
            logging.raiseExceptions = False
            raise ScanError(problem)
        REFUSED |= plan.check_scans(PLAN)
        for problem in REFUSED.values():
            logger.error(problem)
        logger.info(f"scatterheal: {len(SCANS.keys() - REFUSED)} scans x {len(RUNS)} runs x {CONFIG.folds} folds")
except ScanError as error:
    # One clear line a problem; a WorkflowError would add where in this file it was raised.
    logger.error(str(error))
    sys.exit(1)

RESULTS = CONFIG.results
# A scan that cannot be used ends with one line, and stops no other.
USED = [name for name in SCANS if name not in REFUSED]
FIGURES = [name for name in SCANS if SCANS[name].kind == "figure"]
AXES = sorted(CONFIG.grid)
NETWORKS = [run for run, chosen in RUNS.items() if chosen["method"] == "dip"]
BASELINES = [run for run in RUNS if run not in NETWORKS]
# The hyperparameters that all networks share; the others are in their names.
SHARED = CONFIG.fit.model_dump(exclude={"device", *AXES})
BATCHES = plan.batches(NETWORKS, CONFIG.search, CONFIG.runs_per_job)
# What a profile says of `inpaint` holds for all rules that train the grid, unless it names them too.
for said in ("overwrite_resources", "overwrite_threads"):
    of = getattr(workflow.resource_settings, said)
    inpaint, *others = map(workflow.modifier.modify_rulename, ["inpaint", *BATCHES, "halving"])
    if inpaint in of:
        setattr(workflow.resource_settings, said, dict.fromkeys(others, of[inpaint]) | {**of})
# What a script reads of a scan before it heals or judges it: scatterheal.pipeline.read_pattern, and the hidden pixels.
EXPOSURE = {name: f"{RESULTS}/{{scan}}/{name}.tif" for name in ("image", "intensity", "flags", "reasons", "hidden")}
EXPOSURE |= {"meaning": f"{RESULTS}/{{scan}}/intensity.json", "parts": f"{RESULTS}/{{scan}}/found.json"}


def code(script):
    """Parameter function: what a script and the code behind it say, as a hash; see scatterheal.pipeline.tracking.

    As a function, so that a job on another machine, which parses this file again, computes its own hash alone.
    """
    return lambda wildcards: tracking.code_hash(ROOT / "scripts" / f"{script}.py", ROOT / "scatterheal")


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
    from scatterheal.pipeline.summary import after_failure
    from scatterheal.storage import write_csv

    planned = workflow.dag.needrun_jobs(exclude_finished=False)
    if not (tables := [job.output[0] for job in planned if job.rule.name == "summary"]):
        return
    jobs = set(workflow.dag.needrun_jobs())
    unfinished = [
        (dict(job.wildcards.items()).get("scan"), job.rule.name, jobs.isdisjoint(workflow.dag.dependencies[job]))
        for job in jobs
    ]
    file = Path(RESULTS, "summary.csv")
    try:
        of_scans = {scan: file_of(scan, FILES) for scan in [*USED, *REFUSED]}
        write_csv(file, after_failure(Path(RESULTS), of_scans, unfinished, STARTED, CONFIG.heal_with))
        # The next run makes it again.
        workflow.persistence.cleanup_metadata(tables[0])
        os.utime(file, (0, 0))
    except (ScanError, OSError) as error:
        logger.error(f"{file} could not be written: {error}")
