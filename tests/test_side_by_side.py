"""Trainings side by side, in threads as on a GPU: none sees another, and each has its own log."""

import logging
import sys
import threading

import pytest
from test_inpaint import CPU, HIDDEN, SCAN, hyperparameters

from scatterheal import logs
from scatterheal.inpaint import inpaint
from scatterheal.side_by_side import in_threads, side_by_side

RUNS = [hyperparameters(iterations=8, lr=lr, seed=seed) for lr in (0.3, 0.01) for seed in (0, 5)]


def test_a_run_is_what_it_would_be_alone():
    def train(asked):
        return inpaint(SCAN, HIDDEN, asked, CPU)

    alone, together = side_by_side(train, RUNS, CPU), in_threads(train, RUNS, CPU)
    for one, other in zip(alone, together, strict=True):
        assert one.models.tobytes() == other.models.tobytes() and one.curve == other.curve
    assert len({one.models.tobytes() for one in alone}) == len(RUNS)


def test_all_are_at_work_at_once_and_the_first_error_is_told():
    meeting = threading.Barrier(3, timeout=20)

    def work(item):
        meeting.wait()
        return 1 / item

    assert in_threads(work, [1, 2, 4], CPU) == [1, 0.5, 0.25]
    with pytest.raises(ZeroDivisionError):
        in_threads(work, [1, 0, 2], CPU)


def test_each_has_a_log_of_its_own_or_that_of_who_began_it(tmp_path, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    files = {name: str(tmp_path / f"{name}.log") for name in ("job", "a", "b")}
    meeting = threading.Barrier(3, timeout=20)

    def work(name):
        if name:
            logs.begin(files[name], {})
        meeting.wait()
        logging.getLogger("scatterheal").info("from %s", name)
        meeting.wait()

    logs.begin(files["job"], {})
    in_threads(work, ["a", None, "b"], CPU)
    logging.info("the end")
    said = {name: (tmp_path / f"{name}.log").read_text() for name in files}
    assert said == {"job": "from None\nthe end\n", "a": "from a\n", "b": "from b\n"}
