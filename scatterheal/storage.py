"""The files of results/: each is written under a temporary name and renamed when it is complete."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scatterheal.errors import ScanError

if TYPE_CHECKING:
    import pandas as pd


# What a disk may say, and what to do.
FULL = (errno.ENOSPC, errno.EDQUOT)
REMEDIES = {
    **dict.fromkeys(FULL, "make room there"),
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "see who may write there",
    errno.EPERM: "see who may write there",
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR, errno.EISDIR), "a file and a folder have one name: choose another"),
    errno.ENOENT: "it was removed while jobs ran: see that nothing does",
}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that takes its place only when all of it is written.

    Raises
    ------
    ScanError
        It could not be written: the disk is full, or who runs this may not write there.
    """
    part = part_of(path)
    try:
        yield part
        os.replace(part, path)
    except OSError as error:
        raise ScanError(trouble(path, error)) from error
    finally:
        # What is left on a disk that has become read-only stays there.
        with suppress(OSError):
            part.unlink(missing_ok=True)


def trouble(path: Path | str, error: OSError) -> str:
    """What a disk refuses, in one line: the file, the reason and the remedy.

    Examples
    --------
    >>> trouble("results/healed.tif", OSError(errno.ENOSPC, "No space left on device"))
    'results/healed.tif: No space left on device; make room there, and start again'
    """
    reason = error.strerror or " ".join(str(error).split())
    return f"{path}: {reason}; {REMEDIES.get(error.errno or 0, 'see that there is room')}, and start again"


def make_folder(folder: Path) -> None:
    """Make a folder where there is none.

    Raises
    ------
    ScanError
        It cannot be made: a file has its name, or who runs this may not write there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScanError(trouble(folder, error)) from error


def part_of(path: Path) -> Path:
    """The temporary name.

    Examples
    --------
    >>> part_of(Path("scan/healed.tif")).as_posix()
    'scan/.healed.part.tif'
    """
    return path.with_name(f".{path.stem}.part{path.suffix}")


def as_json(value: Any) -> str:
    """Plain values as JSON, indented; NaN, which JSON does not know, as null.

    Raises
    ------
    ValueError
        A number is infinite.

    Examples
    --------
    >>> as_json([1.5, float("nan")]).split()
    ['[', '1.5,', 'null', ']']
    """
    return json.dumps(_without_nan(value), indent=2, allow_nan=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def write_json(path: Path, value: Any) -> None:
    """Write plain values, see `as_json`."""
    with replacing(path) as part:
        part.write_text(as_json(value) + "\n")


def read_json(path: Path) -> Any:
    """Read back what `write_json` wrote, None for NaN."""
    return json.loads(path.read_text())


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index; whole numbers as such, also beside cells that say nothing."""
    with replacing(path) as part:
        table.convert_dtypes().to_csv(part, index=False)


def write_tiff(path: Path, image: NDArray, compress: bool = False, description: str | None = None) -> None:
    """Write float32 or uint8 values as they are: (height, width) or RGB (height, width, 3).

    Compressed files (zlib) are smaller, but not every program of the field reads them. The description, in ASCII,
    becomes the tag ImageDescription.
    """
    import tifffile

    with replacing(path) as part:
        photometric = "rgb" if image.ndim == 3 else "minisblack"
        compression = "zlib" if compress else None
        # Without metadata: tifffile's own, which it reads shapes from, would be a second ImageDescription.
        metadata: dict[str, Any] | None = {} if description is None else None
        tifffile.imwrite(
            part, image, photometric=photometric, compression=compression, description=description, metadata=metadata
        )


def read_tiff(path: Path) -> NDArray:
    """Read back what `write_tiff` wrote."""
    import tifffile

    return tifffile.imread(path)


def write_pages(path: Path, pages: NDArray) -> None:
    """Write several images of one size, (pages, height, width) or RGB (pages, height, width, 3), one to a page."""
    import tifffile

    with replacing(path) as part:
        photometric = "rgb" if pages.ndim == 4 else "minisblack"
        tifffile.imwrite(part, pages, photometric=photometric, compression="zlib")


def read_pages(path: Path) -> NDArray:
    """Read back what `write_pages` wrote, also of a single page."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        return np.stack([page.asarray() for page in file.pages])


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an 8-bit picture: (height, width) or (height, width, 3)."""
    with replacing(path) as part:
        Image.fromarray(image).save(part)


def read_png(path: Path) -> NDArray[np.uint8]:
    """Read back what `write_png` wrote."""
    with Image.open(path) as picture:
        return np.asarray(picture)
