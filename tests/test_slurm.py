"""Through a real SLURM, on this machine alone and with a GPU that is none: what jobs ask for, and that they go on."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import warm
from test_workflow import CONFIG, configure, edit, new_project

PACKAGES = {"munged": "munge", "slurmctld": "slurmctld", "slurmd": "slurmd", "scontrol": "slurm-client"}
# Not elsewhere: Snakemake's jobs do not pass on where SLURM is configured.
CONF, GRES = Path("/etc/slurm/slurm.conf"), Path("/etc/slurm/gres.conf")
MARK = "# scatterheal's tests wrote this"
RUN = "domain-polar_lr-0.01"


def run(*command):
    """What a command says."""
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def wait_until(happened, *arguments):
    end = time.monotonic() + 180
    while not happened(*arguments):
        assert time.monotonic() < end, (happened, arguments)
        time.sleep(0.1)


@contextlib.contextmanager
def running(*command, **how):
    """A child of this process until the end of the block."""
    with subprocess.Popen(command, start_new_session=True, **how) as child:
        try:
            yield child
        finally:
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()


def install():
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip("to start a SLURM takes root and apt-get")
    for file in (CONF, GRES):
        if file.exists() and MARK not in file.read_text():
            pytest.skip(f"{file} is someone else's")
    if not all(map(shutil.which, PACKAGES)):
        try:
            run("apt-get", "update")
            options = ["--yes", "--no-install-recommends"]
            run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", *options, *PACKAGES.values())
        except subprocess.SubprocessError as error:
            pytest.skip(f"apt-get installs no SLURM: {error.stderr or error}")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """One node, with more cores and memory than the machine has, and a GPU that is only counted."""
    install()
    folder = tmp_path_factory.mktemp("cluster")
    munge = {name: folder / f"munge.{name}" for name in ("socket", "key-file", "pid-file", "seed-file", "log-file")}
    munge["key-file"].write_bytes(os.urandom(1024))
    munge["key-file"].chmod(0o400)
    host = socket.gethostname().split(".")[0]
    with contextlib.ExitStack() as stack:
        for file in (CONF, GRES):
            file.parent.mkdir(exist_ok=True)
            stack.callback(file.unlink, missing_ok=True)
        # Only with a character device for a GPU are jobs told CUDA_VISIBLE_DEVICES.
        GRES.write_text(f"{MARK}\nAutoDetect=off\nNodeName=localhost Name=gpu File=/dev/null\n")
        CONF.write_text(f"""{MARK}
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
# A job that is queued again waits until its first permit has expired.
AuthInfo=socket={munge["socket"]},cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/pgid
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
MpiDefault=none
# Finished jobs are remembered until the tests have looked at them.
MinJobAge=3600
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=localhost NodeHostname={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 Gres=gpu:1
PartitionName=only Nodes=localhost
""")
        options = [f"--{name}={file}" for name, file in munge.items()]
        stack.enter_context(running("munged", "--foreground", "--force", *options))
        wait_until(munge["socket"].exists)
        stack.enter_context(running("slurmctld", "-D", "-c"))
        stack.enter_context(running("slurmd", "-D", "-c", "-N", "localhost"))
        wait_until(lambda: "idle" in subprocess.run("sinfo", capture_output=True, text=True, timeout=60).stdout)
        # Jobs outlive the daemons: they end before.
        stack.callback(wait_until, lambda: not run("squeue", "--noheader"))
        stack.callback(run, "scancel", "--user=root")
        yield


def snakemake(project, *arguments, python=sys.executable, look_after=4):
    """Snakemake with the profile; what is added is for a cluster without accounting, tiny networks and less waiting."""
    return running(
        *(python, "-m", "snakemake", "--workflow-profile", "profiles/slurm", *arguments),
        *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", str(look_after)),
        *("--set-threads", "inpaint=1", "refit=1"),
        **{"cwd": project, "env": {**os.environ, "PYTHONPATH": str(project)}},
    )


def jobs():
    """What SLURM says of each job, finished ones too, in the order of their numbers."""
    return run("scontrol", "--oneliner", "show", "job").splitlines()


@pytest.fixture(scope="module")
def finished(cluster, tmp_path_factory):
    """A project with one demo scan, the profile edited as docs/cluster.md says, run through SLURM."""
    project = new_project(tmp_path_factory.mktemp("finished") / "project")
    profile = project / "profiles" / "slurm" / "profile.yaml"
    edit(profile, "  slurm_account: CHANGE\n", "")
    edit(profile, "slurm_partition: CHANGE", "slurm_partition: only")
    (project / "scans" / "demo_saxs.yaml").unlink()
    fit = {**CONFIG["fit"], "iterations": 120, "check_every": 30, "snapshot_every": 60}
    configure(project, grid={"domain": ["polar"], "lr": [0.01]}, fit=fit, methods=["dip"], refits=1)
    # Nothing is taken away here, and so the jobs may be forks of a Python that has its imports.
    with snakemake(project, python=warm.python(), look_after=16) as started:
        assert started.wait(600) == 0
    return project


def test_jobs_ask_for_what_the_profile_says(finished):
    """A scan is five of them, its light rules joined, and the summary one."""
    names = [re.search("Comment=rule_([a-z]+)", job)[1] for job in jobs()]
    assert sorted(names) == ["compare", "finish", "inpaint", "prepare", "refit", "summary"]
    asked = dict(zip(names, jobs(), strict=True))
    assert all("JobState=COMPLETED" in job for job in asked.values())
    for rule in ("inpaint", "refit"):
        training = asked.pop(rule)
        assert re.search(r"TresPerJob=gres.gpu:1\b", training)
        assert "TimeLimit=04:00:00 " in training and "mem=8000M," in training
    assert not any("gpu" in job for job in asked.values())
    assert "TimeLimit=00:10:00 " in asked["summary"] and "mem=2000M," in asked["summary"]


def test_a_training_that_slurm_takes_away_goes_on_to_the_same_bytes(finished):
    """First put back into the queue, as a pre-empted one is, then cancelled."""
    outcome = finished / "results" / "demo_waxs" / "runs" / RUN
    log = finished / "results" / "logs" / "inpaint" / "demo_waxs" / f"{RUN}.log"
    whole = {path: path.read_bytes() for path in (outcome / "models.tif", outcome / "metrics.json")}
    shutil.rmtree(outcome)
    log.unlink()

    def said(words):
        # Each start of the job removes the log of the one before.
        with contextlib.suppress(FileNotFoundError):
            return words in log.read_text()

    with snakemake(finished, str((outcome / "metrics.json").relative_to(finished))) as started:
        for begun, *take in (("iteration", "scontrol", "requeue"), ("goes on from the state", "scancel")):
            wait_until(said, begun)
            run(*take, *run("squeue", "--noheader", "--format=%i").split())
            wait_until(said, "told to end")
        assert started.wait(300) == 0
    assert said("goes on from the state in") and not said("told to end")
    assert {path: path.read_bytes() for path in whole} == whole
    assert not outcome.with_name(f".{RUN}.state").exists()
    taken, again = jobs()[-2:]
    assert "JobState=CANCELLED" in taken and "Restarts=1" in taken
    assert "JobState=COMPLETED" in again and "Restarts=0" in again
