"""A training that was interrupted goes on from its last state, which lies in a file beside its outcome."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pickle
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from scatterheal import storage
from scatterheal.compute import locks
from scatterheal.compute.devices import computes_in_16_bits
from scatterheal.compute.ending import ENDING, end_if_told
from scatterheal.errors import ScanError

# Plain numbers and tensors by name, as torch.save takes them.
State = dict[str, Any]

log = logging.getLogger(__name__)

# Seconds from one kept state to the next, or more, so that keeping takes no larger share of the time: what a kill
# loses.
EVERY, SHARE = 60, 0.05
# For so many seconds a process that was told to end may still be at it: SLURM kills it after 30 to 300 (KillWait).
LINGERING = 330


def fingerprint(asked: Any, files: Sequence[Path]) -> str:
    """What a result depends on, as a hash: plain values, and the content of files.

    Examples
    --------
    >>> fingerprint({"lr": 0.01}, []) == fingerprint({"lr": 0.01}, []) != fingerprint({"lr": 0.02}, [])
    True
    """
    known = hashlib.sha256(json.dumps(asked).encode())
    for path in files:
        with open(path, "rb") as file:
            known.update(hashlib.file_digest(file, "sha256").digest())
    return known.hexdigest()


class SideFile:
    """Where the state of one training is kept.

    Parameters
    ----------
    path : Path
    of : str
        Fingerprint of all that the training's result depends on: the state of anything else is not taken for its own.
    """

    def __init__(self, path: Path, of: str) -> None:
        self.path, self.of = path, of
        self.lock = path.with_suffix(".lock")
        self._kept, self._took = time.monotonic(), 0.0

    def hold(self) -> None:
        """Wait until no other process trains the same: one that is being ended still keeps its state.

        Raises
        ------
        ScanError
            It does not end.
        SystemExit
            The job was told to end.
        """
        for waited in range(LINGERING):
            if locks.hold(self.lock):
                return
            if waited == 0:
                log.info("another process trains this: waits for its end")
            end_if_told(after=1)
        raise ScanError(f"{self.lock}: another process trains this run; wait for its end, or end it (squeue, ps)")

    def read(self) -> State | None:
        """The state that was kept, or None: there is none that this training can go on from, and the log says so."""
        if not self.path.is_file():
            return None
        try:
            with zipfile.ZipFile(self.path) as parts:
                if damaged := parts.testzip():
                    raise zipfile.BadZipFile(f"{damaged} is damaged")
            kept = torch.load(self.path, map_location="cpu", weights_only=True)
        # All that zipfile and torch.load have said of damaged files.
        except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
            log.warning("%s cannot be read (%s): the training begins anew", self.path, error)
            return None
        if kept["of"] != self.of:
            log.info(
                "%s is the state of a training with other input, settings or code: this one begins anew", self.path
            )
            return None
        log.info("goes on from the state in %s", self.path)
        if kept["threads"] != (threads := torch.get_num_threads()):
            told = "made with %d threads, and this job has %d: the result differs by rounding from that of either"
            log.warning(told, kept["threads"], threads)
        return kept["state"]

    def due(self) -> bool:
        """Whether the last state is old."""
        return time.monotonic() - self._kept >= max(EVERY, self._took / SHARE)

    def offer(self, state: Callable[[], State], now: bool = False) -> None:
        """Keep a state where the last one is old, or now; a training that cannot keep it, on a full disk, goes on."""
        if not now and not self.due():
            return
        start = time.monotonic()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with storage.replacing(self.path) as part:
                torch.save({"of": self.of, "state": state(), "threads": torch.get_num_threads()}, part)
                with open(part, "rb") as written:
                    os.fsync(written.fileno())
        except (ScanError, OSError, RuntimeError) as error:
            log.warning("the state could not be kept in %s: %s", self.path, error)
        self._kept = time.monotonic()
        self._took = self._kept - start

    def remove(self) -> None:
        """Forget the state of a training whose outcome is complete."""
        for path in (self.path, storage.part_of(self.path)):
            path.unlink(missing_ok=True)
        locks.remove(self.lock)


def wanted(side: SideFile | None) -> Callable[[], bool]:
    """Whether a training is to hand over what it has: its state is to be kept, or the job is to end."""
    return lambda: ENDING.told or (side is not None and side.due())


def keep_or_end(side: SideFile | None, state: Callable[[], State], now: bool = False) -> None:
    """Keep a training's state now and then, or now, where it has a file for it; and end the job that is told to.

    Raises
    ------
    SystemExit
        The job is to end; the state is kept.
    """
    if side:
        side.offer(state, now or ENDING.told)
    end_if_told()


def side_file(folder: Path, of: str, device: torch.device) -> SideFile:
    """Where the state of a run's training is kept: of this fingerprint, and to be gone on with on such a device alone.

    Examples
    --------
    >>> side_file(Path("runs/lr-0.01"), "3a7", torch.device("cpu")).path.as_posix()
    'runs/.lr-0.01.state'
    """
    narrow = "16 bits" if computes_in_16_bits(device) else "32 bits"
    return SideFile(folder.with_name(f".{folder.name}.state"), f"{of}, {device.type}, {narrow}, {torch.__version__}")
