"""Who has what: GPUs and files of states, each process its own, until it ends, however it does."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scatterheal.compute import gpus, locks
from scatterheal.compute.checkpoint import SideFile
from scatterheal.compute.devices import computes_in_16_bits
from scatterheal.compute.ending import ENDING, TERMINATED
from scatterheal.errors import ScanError

TAKES_ONE = """
import logging, sys
from pathlib import Path
from scatterheal.compute.ending import end_in_time
from scatterheal.compute.locks import wait_for_one

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
end_in_time()
print(*wait_for_one(["a", "b"], int(sys.argv[2]), Path(sys.argv[1]), "GPU"), flush=True)
input()
"""
HOLDS = """
import sys
from pathlib import Path
from scatterheal.compute import locks
print(locks.hold(Path(sys.argv[1])), flush=True)
input()
"""


@pytest.fixture
def start():
    """Start processes of such a script, which wait at its end; they are ended with the test."""
    processes = []

    def process(script, *arguments):
        command = [sys.executable, "-c", script, *map(str, arguments)]
        processes.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return processes[-1]

    yield process
    for each in processes:
        each.kill()
        each.communicate()


def said(process):
    return process.stdout.readline().strip()


def test_each_process_takes_a_free_gpu_and_shares_one_only_if_it_may(start, tmp_path):
    assert [said(start(TAKES_ONE, tmp_path, 2)) for _ in range(4)] == ["0 0", "1 0", "0 1", "1 1"]
    fifth = start(TAKES_ONE, tmp_path, 2)
    assert said(fifth) == "every GPU is taken: waits until one is free"
    # Told to end while it waits.
    fifth.terminate()
    assert fifth.wait(120) == TERMINATED


def test_a_process_that_is_killed_frees_its_gpu(start, tmp_path):
    first, second = start(TAKES_ONE, tmp_path, 1), start(TAKES_ONE, tmp_path, 1)
    taken = {said(first): first, said(second): second}
    assert set(taken) == {"0 0", "1 0"}
    third = start(TAKES_ONE, tmp_path, 1)
    assert said(third).startswith("every GPU is taken")
    taken["1 0"].kill()
    assert said(third) == "1 0"


def test_a_job_without_a_gpu_takes_the_processor():
    if not torch.cuda.is_available():
        assert gpus.take_device({"gpu_slots": 3}) == torch.device("cpu")
    assert gpus.take_device({"fit": {"device": "cpu"}}) == torch.device("cpu")


def test_a_lock_that_was_removed_is_no_lock(start, tmp_path):
    path = tmp_path / "folder" / "lock"
    holder = start(HOLDS, path)
    assert said(holder) == "True" and not locks.hold(path)
    path.unlink()
    # What a process has it may take again.
    assert locks.hold(path) and locks.hold(path)
    assert said(start(HOLDS, path)) == "False"


def test_two_processes_do_not_train_the_same(start, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("scatterheal.compute.checkpoint.LINGERING", 2)
    side = SideFile(tmp_path / ".lr-0.01.state", "this")
    other = start(HOLDS, side.lock)
    assert said(other) == "True"
    with pytest.raises(ScanError, match=r"\.lr-0\.01\.lock: another process trains this run; wait for its end"):
        side.hold()
    ENDING.told = True
    try:
        with pytest.raises(SystemExit):
            side.hold()
    finally:
        ENDING.told = False
    # One that is being ended is waited for.
    os.kill(other.pid, signal.SIGKILL)
    side.hold()
    assert Path(side.lock).exists()
    side.remove()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("capabilities", "expected"), [({}, False), ({"amx_bf16": True}, True), ({"avx512_bf16": True}, True)]
)
def test_which_processors_compute_in_16_bits(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert computes_in_16_bits(torch.device("cpu")) == expected
