"""The one error that a user can mend, and that is shown as one line without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ScanError(ValueError):
    """Bad input: the message names the file, the key and the remedy in one line."""


@contextmanager
def one_line(path: Path, remedy: str) -> Iterator[None]:
    """Turn whatever a reader raises on a broken file into one line that names it.

    The readers (fabio, Pillow, SciPy) raise anything from OSError to struct.error there, hence the
    broad except; the original error stays attached.
    """
    try:
        yield
    except ScanError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ScanError(f"{path}: cannot be read ({reason}); {remedy}") from error
