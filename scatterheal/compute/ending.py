"""A job that is told to end keeps what it has, and ends."""

from __future__ import annotations

import logging
import signal
import time
from types import FrameType, SimpleNamespace

log = logging.getLogger(__name__)

# Whether this job is to end soon: a training then hands over what it has after the iteration that it is in. No Event: a
# signal may come while the thread that it interrupts holds an Event's lock.
ENDING = SimpleNamespace(told=False)
# What a process that SIGTERM ends leaves with.
TERMINATED = 128 + signal.SIGTERM


def end_if_told(after: float = 0) -> None:
    """End the job that is told to, now or in the next seconds.

    Raises
    ------
    SystemExit
        It was.
    """
    end = time.monotonic() + after
    while not ENDING.told and time.monotonic() < end:
        time.sleep(0.1)
    if ENDING.told:
        log.warning("told to end; the next start goes on from the last state")
        raise SystemExit(TERMINATED)


def end_in_time() -> None:
    """From now on SIGTERM and Ctrl-C let trainings keep their state before the process ends; Ctrl-C again ends it."""

    def told(number: int, _: FrameType | None) -> None:
        ENDING.told = True
        # SLURM says SIGTERM twice at a job's time limit, a hundredth of a second apart.
        if number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
