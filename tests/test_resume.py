"""A training that is interrupted, at whatever moment, comes to the bytes that it would have come to."""

import itertools
import logging
import os
import signal
from functools import partial

import numpy as np
import pytest
import torch
from test_inpaint import CPU, HIDDEN, SCAN, hyperparameters
from test_search import same

from scatterheal.compute.checkpoint import SideFile
from scatterheal.compute.ending import ENDING, TERMINATED, end_in_time
from scatterheal.dip import fast, loop
from scatterheal.dip.halving import halving, trainings
from scatterheal.dip.inpaint import inpaint
from scatterheal.dip.refit import refit

pytestmark = pytest.mark.usefixtures("shallow")


@pytest.fixture
def interrupted(monkeypatch):
    """Make the job be told to end during each of these iterations, counted over all trainings and starts."""

    announced = loop.announced

    def during(iterations):
        counts = itertools.count(1)

        def told(*arguments):
            for iteration in announced(*arguments):
                # Who is told begins no further iteration, of whichever fold.
                assert not ENDING.told
                if next(counts) in iterations:
                    ENDING.told = True
                yield iteration

        monkeypatch.setattr("scatterheal.dip.loop.announced", told)
        monkeypatch.setattr("scatterheal.dip.fast.announced", told)

    yield during
    ENDING.told = False


def started_until_done(start):
    """The result, and how often it took another start."""
    for starts in itertools.count():
        ENDING.told = False
        try:
            return start(), starts
        except SystemExit as end:
            if end.code != TERMINATED:
                raise


CHANGED = [
    {},
    {"engine": "reference"},
    {"domain": "cartesian", "loss": "mse", "input": None, "average": 0, "param_noise": True},
    {"stop": "hidden", "patience": 3},
    {"loss": "mse", "stop": "variance", "patience": 3, "average": 0, "lr": 0.01},
]


@pytest.mark.parametrize("changed", CHANGED)
def test_a_run_that_is_told_to_end_whenever_that_is(changed, interrupted, tmp_path):
    chosen = hyperparameters(**{"iterations": 5, "check_every": 2, "snapshot_every": 2, **changed})
    whole = inpaint(SCAN, HIDDEN, chosen, CPU)
    moments = 2 * whole.curve["iteration"][-1]
    for first in range(1, moments, 2):
        # In either fold, and soon again.
        side = SideFile(tmp_path / f"{first}", "this")
        interrupted({first, first + 3})
        done, starts = started_until_done(partial(inpaint, SCAN, HIDDEN, chosen, CPU, side=side))
        assert starts >= 1
        same(done, whole)


def test_a_run_that_is_killed(monkeypatch, tmp_path):
    """Nobody tells it: the state is that of the last iteration of each fold, where it is always kept."""
    chosen = hyperparameters(iterations=15, check_every=4, snapshot_every=4)
    whole, side = inpaint(SCAN, HIDDEN, chosen, CPU), SideFile(tmp_path / "state", "this")
    counts, announced, made = itertools.count(1), loop.announced, []

    def killed(*arguments):
        for iteration in announced(*arguments):
            made.append(iteration)
            if next(counts) == 21:
                raise KeyboardInterrupt
            yield iteration

    monkeypatch.setattr(fast, "announced", killed)
    monkeypatch.setattr("scatterheal.compute.checkpoint.EVERY", 0)
    monkeypatch.setattr("scatterheal.compute.checkpoint.SHARE", np.inf)
    with pytest.raises(KeyboardInterrupt):
        inpaint(SCAN, HIDDEN, chosen, CPU, side=side)
    before = len(made)
    same(inpaint(SCAN, HIDDEN, chosen, CPU, side=side), whole)
    # The first fold was at 12 then, the second in its ninth.
    assert made[before] == 9 and len(made) == before + (15 - 12) + (15 - 8)
    # Nor does one that had ended train any further.
    same(inpaint(SCAN, HIDDEN, chosen, CPU, side=side), whole)
    assert len(made) == before + (15 - 12) + (15 - 8)


def test_a_refit(interrupted, tmp_path):
    chosen, seeds = hyperparameters(check_every=4, snapshot_every=4), (3, 4)
    whole = refit(SCAN, chosen, 11, seeds, CPU)
    sides = {seed: SideFile(tmp_path / str(seed), "this") for seed in seeds}
    interrupted({2, 8, 14, 19})
    done, starts = started_until_done(lambda: refit(SCAN, chosen, 11, seeds, CPU, sides))
    assert starts == 4
    for one, other in zip(whole, done, strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_search(interrupted, tmp_path):
    asked = {
        f"lr-{lr}": hyperparameters(iterations=8, lr=lr, stop="hidden", patience=4)
        for lr in (0.3, 0.1, 0.02, 0.01, 0.002)
    }
    whole = dict(halving(trainings(SCAN, HIDDEN, asked, CPU), CPU))
    assert len({done.metrics["trained"] for done in whole.values()}) > 1
    sides = {run: SideFile(tmp_path / run, "this") for run in asked}
    interrupted({3, 7, 12, 20, 27, 28, 33})
    done, starts = started_until_done(lambda: dict(halving(trainings(SCAN, HIDDEN, asked, CPU, sides=sides), CPU)))
    assert starts >= 5
    assert done.keys() == whole.keys()
    # What waits for the others is kept too.
    assert all(side.path.exists() for side in sides.values())
    for run in asked:
        same(done[run], whole[run])


def test_the_state_of_another_training_or_half_a_file_is_not_taken_and_the_log_says_so(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "state"
    assert SideFile(path, "this").read() is None and not caplog.messages
    SideFile(path, "that").offer(lambda: {"weights": torch.ones(3), "seen": 4})
    assert not path.exists()
    SideFile(path, "that").offer(lambda: {"weights": torch.ones(3), "seen": 4}, now=True)
    assert [file.name for file in tmp_path.iterdir()] == ["state"]
    np.testing.assert_equal(SideFile(path, "that").read()["weights"].numpy(), np.ones(3))
    assert SideFile(path, "this").read() is None
    assert "is the state of a training with other input, settings or code" in caplog.messages[-1]
    whole = path.read_bytes()
    at = whole.index(np.ones(3, np.float32).tobytes())
    in_a_name = whole.replace(b"data.pkl", b"data\xffpkl")
    for damaged in (whole[:-100], whole[:at] + bytes(12) + whole[at + 12 :], in_a_name, b""):
        path.write_bytes(damaged)
        assert SideFile(path, "that").read() is None
        assert "cannot be read" in caplog.messages[-1]
    path.write_bytes(whole)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        assert SideFile(path, "that").read() is not None
    finally:
        torch.set_num_threads(threads)
    assert caplog.messages[-1].startswith(f"made with {threads} threads, and this job has {threads + 1}")


def test_who_is_told_twice_by_slurm_keeps_the_state_all_the_same(interrupted):
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        end_in_time()
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
        assert ENDING.told
        os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_disk_that_is_full_ends_no_training(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    monkeypatch.setattr("scatterheal.compute.checkpoint.EVERY", 0)
    monkeypatch.setattr("scatterheal.compute.checkpoint.SHARE", np.inf)
    chosen = hyperparameters()
    same(
        inpaint(SCAN, HIDDEN, chosen, CPU, side=SideFile(tmp_path / "state", "this")),
        inpaint(SCAN, HIDDEN, chosen, CPU),
    )
    assert "No space left on device" in caplog.text and not list(tmp_path.iterdir())
