"""Locks between processes: files that a process holds until it ends, however it does.

The lock itself is filelock's, on every system. Its `FileLock` would not do: it refuses another user's file in a folder
that all share, and does not see that a file which it holds was removed.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from filelock import lock_descriptor

from scatterheal.compute.ending import end_if_told

log = logging.getLogger(__name__)

# What a file system says that knows no locks, or none of files that are only read.
WITHOUT = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EBADF}
# Those that are not removed are closed by the system alone.
_held: dict[Path, int] = {}


def hold(path: Path) -> bool:
    """Lock a file until this process ends; a killed one lets go of it too.

    Parameters
    ----------
    path : Path
        Made where there is none, with its folder.

    Returns
    -------
    held : bool
        Whether no other process has it; also on a file system that knows no locks, and the log says so.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hold(Path(folder, "lock")), hold(Path(folder, "lock"))
    (True, True)
    """
    if path in _held and path.exists() and os.path.samestat(os.fstat(_held[path]), os.stat(path)):
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT)
        except PermissionError:
            # Another user's, in a folder that all share.
            file = os.open(path, os.O_RDONLY)
        try:
            if not lock_descriptor(file, blocking=False):
                os.close(file)
                return False
        except OSError as error:
            if error.errno not in WITHOUT:
                raise
            log.warning("%s: this file system knows no locks; see that nothing runs twice", path)
        # Whatever this user's umask, others are to see whether it is held.
        if hasattr(os, "fchmod") and os.fstat(file).st_uid == os.getuid():
            os.fchmod(file, 0o666)
        # Who held it before may have removed it since.
        if path.exists() and os.path.samestat(os.fstat(file), os.stat(path)):
            _held[path] = file
            return True
        os.close(file)


def wait_for_one(names: Sequence[str], slots: int, folder: Path, kind: str) -> tuple[int, int]:
    """Wait until one of several things is free, and hold it until this process ends.

    Parameters
    ----------
    names : sequence of str
        What they are called by all processes.
    slots : int
        So many processes may have the same one; one that nobody has comes first.
    folder : Path
        Where the locks of all processes lie.
    kind : str
        What the log calls them.

    Returns
    -------
    number, slot : int
        Which of the things, and which of its slots.

    Raises
    ------
    SystemExit
        The job was told to end.
    """
    waits = False
    while True:
        for slot, number in itertools.product(range(slots), range(len(names))):
            if hold(folder / f"scatterheal-{names[number]}-{slot}.lock"):
                return number, slot
        if not waits:
            log.info("every %s is taken: waits until one is free", kind)
        waits = True
        end_if_told(after=1)


def remove(path: Path) -> None:
    """Remove a lock's file, and let go of it where this process has it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     held = hold(Path(folder, "lock"))
    ...     remove(Path(folder, "lock"))
    ...     list(Path(folder).iterdir())
    []
    """
    file = _held.pop(path, None)
    if os.name == "nt" and file is not None:
        # Windows removes no file that is open.
        os.close(file)
        file = None
    path.unlink(missing_ok=True)
    # Only now, so that who waited for it sees that it is gone, and makes its own.
    if file is not None:
        os.close(file)
