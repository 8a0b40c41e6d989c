"""Locks between processes: files that a process holds until it ends, however it does."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

# What a file system says that knows no locks.
WITHOUT = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS}
# Closed by the system alone.
_held: list[int] = []


def hold(path: Path) -> bool:
    """Lock a file until this process ends; a killed one lets go of it too.

    Parameters
    ----------
    path : Path
        Made where there is none, with its folder.

    Returns
    -------
    held : bool
        Whether nobody else has it; also on a file system that knows no locks, and the log says so.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     hold(Path(folder, "lock")), hold(Path(folder, "lock"))
    (True, False)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except PermissionError:
            # Another user's, in a folder that all share.
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        except OSError as error:
            if error.errno not in WITHOUT:
                raise
            log.warning("%s: this file system knows no locks; see that nothing runs twice", path)
        # Who held it before may have removed it since.
        if path.exists() and os.path.samestat(os.fstat(file), os.stat(path)):
            _held.append(file)
            return True
        os.close(file)
