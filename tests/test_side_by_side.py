"""Trainings side by side, in threads as on a GPU: none sees another, and each has its own log."""

import logging
import subprocess
import sys
import threading
import time

import pytest
import torch
from test_inpaint import CPU, HIDDEN, SCAN, hyperparameters
from test_search import same

from scatterheal.compute.memory import SPARING
from scatterheal.compute.side_by_side import side_by_side
from scatterheal.dip import network
from scatterheal.dip.halving import Rung, halving, trainings
from scatterheal.dip.inpaint import Training, inpaint
from scatterheal.errors import ScanError
from scatterheal.pipeline import logs

pytestmark = pytest.mark.usefixtures("shallow")

# Stands for a GPU: a device that is no CPU, and has no streams.
OTHER = torch.device("meta")

RUNS = [hyperparameters(lr=lr, seed=seed) for lr in (0.3, 0.01) for seed in (0, 5)]


def test_a_run_is_what_it_would_be_alone():
    def train(asked):
        return inpaint(SCAN, HIDDEN, asked, CPU)

    alone, together = side_by_side(train, RUNS, CPU), side_by_side(train, RUNS, OTHER)
    for one, other in zip(alone, together, strict=True):
        assert one.models.tobytes() == other.models.tobytes() and one.curve == other.curve
    assert len({one.models.tobytes() for one in alone}) == len(RUNS)


def test_weights_are_the_seeds_whoever_else_builds():
    def drawn(seed):
        built = network.build("vase", 2, 1, channels=2, seed=seed)
        return torch.cat([weights.detach().flatten() for weights in built.parameters()])

    before = torch.get_rng_state()
    seeds = [0, 5] * 20
    for seed, weights in zip(seeds, side_by_side(drawn, seeds, OTHER), strict=True):
        assert weights.equal(drawn(seed))
    assert torch.get_rng_state().equal(before)


def test_all_are_at_work_at_once_and_the_first_error_is_told():
    meeting = threading.Barrier(3, timeout=120)

    def work(item):
        meeting.wait()
        return 1 / item

    assert side_by_side(work, [1, 2, 4], OTHER) == [1, 0.5, 0.25]
    with pytest.raises(ZeroDivisionError):
        side_by_side(work, [1, 0, 2], OTHER)


@pytest.mark.parametrize(
    ("most", "told"),
    [
        (4, ["1 at a time"]),
        (2, ["2 at a time"]),
        (1, ["2 at a time", "1 at a time"]),
        (0, ["2 at a time", "1 at a time", "the fast engine keeping less, which takes longer"]),
    ],
)
def test_what_the_memory_is_too_small_for_is_done_again_with_fewer_beside_it(most, told, caplog):
    """So many fit at a time; 0: one, and that only if it is sparing."""
    at_work, busiest, lock = 0, [], threading.Lock()

    def work(item):
        nonlocal at_work
        with lock:
            at_work += 1
            fits = at_work <= most or (at_work == 1 and SPARING.get())
            busiest.append(at_work)
        time.sleep(0.05)
        with lock:
            at_work -= 1
        if not fits:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return 2 * item

    assert side_by_side(work, range(5), OTHER) == [0, 2, 4, 6, 8]
    # What comes later, and is smaller, need not be sparing.
    assert max(busiest) == 5 and not SPARING.get()
    said = [message.partition("again, ")[2] for message in caplog.messages]
    assert said == told


def test_the_only_one_that_does_not_fit_is_alone_at_once():
    starts = []

    def work(item):
        starts.append(item)
        if item == 3 and not SPARING.get():
            raise torch.OutOfMemoryError("CUDA out of memory")

    side_by_side(work, range(8), OTHER)
    assert starts[8:] == [3, 3] and sorted(starts[:8]) == list(range(8))


def test_what_does_not_fit_alone_either_is_told():
    def work(item):
        raise torch.OutOfMemoryError(f"item {item}")

    with pytest.raises(ScanError, match="too small for a training, also alone in this job and sparing; fewer channels"):
        side_by_side(work, range(3), OTHER)


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_a_search_that_runs_out_of_memory_comes_to_the_same_bytes(engine, monkeypatch):
    monkeypatch.setattr("scatterheal.dip.halving.rungs", lambda *_: [Rung(3, 4), Rung(1, 12)])
    asked = {f"lr-{lr}": hyperparameters(engine=engine, iterations=12, check_every=2, lr=lr) for lr in (0.3, 0.1, 0.01)}
    whole = dict(halving(trainings(SCAN, HIDDEN, asked, CPU), CPU))
    look_at, ran_out = Training._look_at, set()

    def looked_at(training, paintings):
        look_at(training, paintings)
        # In either rung, after a check that is not its first.
        if paintings[0].iteration in {2, 8} - ran_out:
            ran_out.add(paintings[0].iteration)
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Training, "_look_at", looked_at)
    monkeypatch.setattr(
        "scatterheal.dip.halving.side_by_side", lambda work, items, device: side_by_side(work, items, OTHER)
    )
    done = dict(halving(trainings(SCAN, HIDDEN, asked, CPU), CPU))
    assert ran_out == {2, 8}
    assert done.keys() == whole.keys()
    for run in asked:
        same(done[run], whole[run])


def test_each_has_a_log_of_its_own_or_that_of_who_began_it(tmp_path, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    files = {name: str(tmp_path / f"{name}.log") for name in ("job", "a", "b")}
    meeting = threading.Barrier(3, timeout=120)

    def work(name):
        if name:
            logs.begin(files[name], {})
        meeting.wait()
        logging.getLogger("scatterheal").info("from %s", name)
        meeting.wait()

    logs.begin(files["job"], {})
    side_by_side(work, ["a", None, "b"], OTHER)
    logging.info("the end")
    said = {name: (tmp_path / f"{name}.log").read_text() for name in files}
    assert said == {"job": "from None\nthe end\n", "a": "from a\n", "b": "from b\n"}


def test_ctrl_c_again_and_again_leaves_no_training_behind():
    """Nobody would see it; and what is told to end is told so once, not for the rest of the process."""
    told = """
import os, signal, time
from scatterheal.compute.ending import ENDING
from scatterheal.compute.side_by_side import side_by_side
import torch

# A shell starts what runs in its background without it.
signal.signal(signal.SIGINT, signal.default_int_handler)

def work(times):
    # When all have begun, and are waited for.
    time.sleep(0.5)
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
    while not ENDING.told:
        time.sleep(0.01)
    time.sleep(0.3)
    ended.append(times)

for times in (1, 3):
    ended = []
    try:
        side_by_side(work, [times], torch.device("cpu"), at_once=1)
    except KeyboardInterrupt:
        print(ended, ENDING.told)
"""
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "[1] False\n[3] False\n", done.stderr
