"""Where a job's words go: its log file, and for what matters the terminal."""

from __future__ import annotations

import atexit
import logging
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from scatterheal import storage
from scatterheal.errors import ScanError
from scatterheal.settings.models import Config
from scatterheal.settings.reading import file_of, scan_files

# The log that was begun last, in the context of each thread.
_own: ContextVar[logging.FileHandler] = ContextVar("log")


def begin(path: str, config: Mapping[str, Any], scan: str | None = None) -> logging.Logger:
    """Send log lines to a file, and end the job with one clear line where the input is at fault.

    The lines are those of the context that calls this: runs that are trained side by side have a log each
    (`scatterheal.compute.side_by_side` hands its own on to its threads). A log that was begun before goes on.

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
    log = logging.getLogger()

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, OSError) and _of_the_disk(error, Path(config.get("results", Config().results))):
            log.error("", exc_info=(kind, error, trace))
            error = ScanError(storage.trouble(error.filename or "the disk", error))
        if isinstance(error, KeyboardInterrupt):
            log.error("interrupted")
        elif isinstance(error, ScanError):
            log.error("%s: %s", about, error)
            say(f"{about}: {error}")
        else:
            # Of side by side trainings each has its own; of them all the last one's hook is asked.
            own = _own.get(None)
            line = f"{about}: unexpected {kind.__name__}: {error} (see {own.name if own else path})"
            log.critical("%s; please report it", line, exc_info=(kind, error, trace))
            say(line)

    sys.excepthook = hook
    # A log on a full disk is no trouble of its own.
    logging.raiseExceptions = False
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    own = next((begun for begun in _logs(log) if begun.name == path), None)
    if own is None:
        own = logging.FileHandler(path, mode="w")
        own.name = path
        own.addFilter(_only_of(own))
        log.addHandler(own)
        log.setLevel(logging.INFO)
    _own.set(own)
    if scan is not None:
        # Once, also where a job writes several logs.
        atexit.unregister(_say_memory)
        atexit.register(_say_memory, log)
    return log


def _of_the_disk(error: OSError, results: Path) -> bool:
    """Whether that is the disk's trouble with the results, and no mistake of ours."""
    if error.errno in storage.FULL:
        return True
    return error.errno in storage.REMEDIES and Path(error.filename or "").absolute().is_relative_to(results.absolute())


def _say_memory(log: logging.Logger) -> None:
    """In every log, the most that the job ever held, which Snakemake's own benchmarks see twice a minute only."""
    most = _most_memory()
    for begun in _logs(log):
        _own.set(begun)
        log.info("at most %.2f GB of memory", most / 1e9)


def _most_memory() -> int:
    """The most bytes that this process ever held."""
    try:
        import resource
    except ImportError:
        # Windows; elsewhere psutil knows only what is held now.
        return psutil.Process().memory_info().peak_wset
    # Linux counts kilobytes, macOS bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _only_of(own: logging.Handler) -> Callable[[logging.LogRecord], bool]:
    """A filter: what is said where this handler is the log."""
    return lambda record: _own.get(None) is own


def _logs(log: logging.Logger) -> list[logging.FileHandler]:
    """All that were begun."""
    return [handler for handler in log.handlers if isinstance(handler, logging.FileHandler)]


def say(line: str) -> None:
    """Show a line on the terminal, in one write: `print` makes two, and other jobs' lines get in between."""
    sys.stderr.write(f"{line}\n")
