"""Where a job's words go: its log file, and for what matters the terminal."""

from __future__ import annotations

import atexit
import logging
import resource
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any

from scatterheal.config import Config, file_of, scan_files
from scatterheal.errors import ScanError

# The log that was begun last, by each thread for itself and those that it starts.
_own: ContextVar[logging.FileHandler] = ContextVar("log")


def begin(path: str, config: Mapping[str, Any], scan: str | None = None) -> logging.Logger:
    """Send log lines to a file, and end the job with one clear line where the input is at fault.

    The lines are those of the thread that calls this, and of threads that it starts from now on: runs that are trained
    side by side have a log each.

    Parameters
    ----------
    path : str
        The log file.
    config : mapping
        The workflow's configuration; it says which YAML file a message about the scan starts with.
    scan : str, optional
        The scan that the job is about.

    Returns
    -------
    logging.Logger
        The root logger, at level INFO.
    """
    about = "config.yaml" if scan is None else file_of(scan, scan_files(config.get("scans", Config().scans)))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    log, own = logging.getLogger(), logging.FileHandler(path, mode="w")
    own.name = path
    own.addFilter(lambda record: _own.get(None) is own)
    _own.set(own)
    log.addHandler(own)
    log.setLevel(logging.INFO)
    if scan is not None:
        # Once, also where a job writes several logs.
        atexit.unregister(_say_memory)
        atexit.register(_say_memory, log)

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, ScanError):
            log.error("%s: %s", about, error)
            say(f"{about}: {error}")
        elif issubclass(kind, KeyboardInterrupt):
            log.error("interrupted")
        else:
            log.critical("unexpected error, please report it", exc_info=(kind, error, trace))
            say(f"{about}: unexpected {kind.__name__}: {error} (see {_own.get().name})")

    sys.excepthook = hook
    return log


def _say_memory(log: logging.Logger) -> None:
    """The most that the job ever held, which Snakemake's own benchmarks see once in half a minute only."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    log.info("at most %.2f GB of memory", kilobytes * 1024 / 1e9)


def say(line: str) -> None:
    """Show a line on the terminal, in one write: `print` makes two, and other jobs' lines get in between."""
    sys.stderr.write(f"{line}\n")
