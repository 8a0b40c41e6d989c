"""Read and write every file format: detector frames, figures as bitmaps, masks, results."""

from __future__ import annotations

import json
import logging
import os
import re
import zlib
from base64 import a85decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scatterheal.errors import ScanError

if TYPE_CHECKING:
    import pandas as pd

Counts = NDArray[np.float32]
Rgb = NDArray[np.uint8]

EPS = (".eps", ".ps", ".epsf")

# MATLAB's log10 of no counts at all: cSAXS plots log10(counts + 1e-15).
LOG10_OF_NOTHING = -10


@contextmanager
def _one_line(path: Path, remedy: str) -> Iterator[None]:
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


def read_counts(path: Path) -> Counts:
    """Read one detector frame.

    Parameters
    ----------
    path : Path
        A MATLAB .fig (log10 counts), an .npy array, or any format that fabio reads (TIFF, CBF, EDF).

    Returns
    -------
    counts : float32 array (height, width)
        Photon counts in the file's own row order; negative values are the detector's codes for
        pixels without a measurement (in unsigned files its two largest numbers).

    Raises
    ------
    ScanError
        When the file is no frame, broken, or not one two-dimensional array.
    """
    if path.suffix.lower() in (*EPS, ".png", ".jpg", ".jpeg"):
        raise ScanError(f"{path}: a picture holds colours, not counts; write kind: figure in the scan's YAML")
    with _one_line(path, "is it complete, and is its ending right?"):
        if path.suffix.lower() == ".fig":
            counts = _fig_counts(path)
        elif path.suffix.lower() == ".npy":
            counts = np.load(path, allow_pickle=False)
        else:
            import fabio

            # What it says of a broken file goes into our one line instead.
            logging.getLogger("fabio").setLevel(logging.CRITICAL)
            with fabio.open(str(path)) as frame:
                if frame.nframes > 1:
                    raise ScanError(f"{path}: holds {frame.nframes} frames; export the one to heal")
                counts = frame.data
            if counts is None:
                raise OSError("fabio found no frame in it")
    if counts.ndim != 2 or min(counts.shape) < 2 or counts.dtype.kind not in "biuf":
        raise ScanError(
            f"{path}: holds {counts.dtype} values of shape {counts.shape}, not one frame; export a single 2-D frame"
        )
    return np.ascontiguousarray(_signed(counts), dtype=np.float32)


def _signed(counts: NDArray) -> NDArray:
    """Codes of pixels without a measurement as negative numbers, also where the file is unsigned.

    A detector's -1 and -2 are the two largest numbers of an unsigned type (Dectris, pyFAI's dummies).
    """
    if counts.dtype.kind != "u" or counts.dtype.itemsize < 2:
        return counts
    largest = int(np.iinfo(counts.dtype).max)
    return np.where(counts >= largest - 1, counts.astype(np.float64) - largest - 1, counts)


def _fig_counts(path: Path) -> NDArray[np.float64]:
    """The counts behind the first image of a MATLAB figure that shows log10 of them."""
    from scipy.io import loadmat

    figure = loadmat(path, squeeze_me=True, struct_as_record=False)["hgS_070000"]
    shown = [
        item.properties.CData
        for axes in np.atleast_1d(figure.children)
        if axes.type == "axes"
        for item in np.atleast_1d(axes.children)
        if item.type == "image"
    ]
    if not shown:
        raise ScanError(f"{path}: this MATLAB figure holds no image; save it with the image in its axes")
    values = np.asarray(shown[0], dtype=np.float64)
    counted = values > LOG10_OF_NOTHING
    counts = np.where(counted, 10.0 ** np.where(counted, values, 0), 0)
    counts[np.isnan(values)] = np.nan
    if np.nanmax(np.abs(counts - np.round(counts))) > 1e-3 * np.nanmax(counts):
        raise ScanError(f"{path}: its image is not log10 of counts; export the counts as TIFF, EDF or NPY")
    return np.round(counts)


def read_bitmaps(path: Path) -> list[Rgb]:
    """Read a figure: the bitmaps that it holds, at their own resolution, nothing rendered.

    Parameters
    ----------
    path : Path
        EPS with embedded bitmaps (MATLAB's and matplotlib's are known), PNG, JPEG, or any other
        picture that Pillow opens.

    Returns
    -------
    bitmaps : list of uint8 arrays (height, width, 3)
        All bitmaps of an EPS in the file's order; one whole picture otherwise.

    Raises
    ------
    ScanError
        When the file is no picture, broken, or an EPS without a bitmap.
    """
    if path.suffix.lower() == ".fig":
        raise ScanError(f"{path}: a MATLAB .fig holds counts; write kind: frame in the scan's YAML")
    with _one_line(path, "is it complete, and is its ending right?"):
        if path.suffix.lower() in EPS:
            program = path.read_bytes()
            bitmaps = eps_bitmaps(program)
            if not bitmaps and b"%%EOF" not in program[-2048:]:
                raise OSError("it ends early")
        else:
            with Image.open(path) as picture:
                bitmaps = [_rgb(picture)]
    if not bitmaps:
        raise ScanError(f"{path}: this EPS embeds no bitmap; save the figure as PNG instead")
    return bitmaps


def _rgb(picture: Image.Image) -> Rgb:
    """Eight bits a colour; transparent parts on white, as a viewer shows them."""
    if picture.mode.startswith("I"):
        grey = np.asarray(picture, dtype=np.float64) / 257
        return np.repeat(np.clip(np.round(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    if picture.has_transparency_data:
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture.convert("RGBA"))
    return np.asarray(picture.convert("RGB"))


_DICTIONARY = re.compile(
    rb"(?P<filters>(?:/\w+\s+\w+\s+/\w+Decode\s+filter\s+def\s+)+)"
    rb"(?:/Data\s+\w+\s+def\s+)?/Device(?P<space>RGB|Gray)\s+setcolorspace\s*"
    rb"<<(?P<keys>[^>]*)>>\s*image\s+(?:\}[^}]*\}\s*if\s+RawData\s+flushfile\s+\}\s*exec\s+)?"
    rb"(?P<data>[^~]*)~>"
)
_READHEX = re.compile(
    rb"(?P<width>\d+)\s+(?P<height>\d+)\s+8\s+\[(?P<matrix>[^\]]*)\]\s*"
    rb"\{\s*currentfile\s+\w+\s+readhexstring\s+pop\s*\}\s*(?:bind\s+)?(?:false\s+3\s+colorimage)\s"
    rb"(?P<data>[0-9a-fA-F\s]*)"
)
_PAGE_FLIP = re.compile(rb"%%BeginPageSetup\s+\[\s*\S+\s+0\s+0\s+-\S+\s+\S+\s+\S+\s*\]\s*(?:CT|concat)")


def eps_bitmaps(program: bytes) -> list[Rgb]:
    """The bitmaps embedded in an EPS file, top row first, without a PostScript interpreter.

    Two ways of embedding are read: image dictionaries in ASCII85 with or without Flate compression
    (MATLAB, Apache FOP), and ``readhexstring`` with ``colorimage`` (matplotlib).

    Parameters
    ----------
    program : bytes
        The whole file.

    Returns
    -------
    bitmaps : list of uint8 arrays (height, width, 3)
        In the file's order.

    Raises
    ------
    ScanError
        When a bitmap is compressed or stored in a way that is not read here, or is cut short.

    References
    ----------
    PostScript Language Reference, third edition, sections 3.13 (filters) and 4.10 (images).
    """
    # A DOS EPS starts with a table of where its PostScript and its preview lie.
    if program[:4] == b"\xc5\xd0\xd3\xc6":
        start, length = (int.from_bytes(program[k : k + 4], "little") for k in (4, 8))
        program = program[start : start + length]
    flipped = _PAGE_FLIP.search(program) is not None
    found = []
    for match in _DICTIONARY.finditer(program):
        keys = dict(re.findall(rb"/(\w+)\s+(\[[^\]]*\]|\S+)", match["keys"]))
        filters = re.findall(rb"/(\w+)Decode", match["filters"])
        if set(filters) - {b"ASCII85", b"Flate"} or keys.get(b"BitsPerComponent") != b"8":
            raise ScanError(f"a bitmap packed with {b', '.join(filters).decode()} is not known; save it as PNG")
        data = a85decode(match["data"])
        data = zlib.decompress(data) if b"Flate" in filters else data
        channels = 3 if match["space"] == b"RGB" else 1
        found.append((match.start(), int(keys[b"Width"]), int(keys[b"Height"]), keys[b"ImageMatrix"], channels, data))
    for match in _READHEX.finditer(program):
        data = bytes.fromhex(match["data"].decode())
        found.append((match.start(), int(match["width"]), int(match["height"]), match["matrix"], 3, data))
    bitmaps = []
    for _, width, height, matrix, channels, data in sorted(found, key=lambda item: item[0]):
        if len(data) < width * height * channels:
            raise ScanError(f"a bitmap of {width} x {height} pixels is cut short; copy the file again")
        pixels = np.frombuffer(data, np.uint8, width * height * channels).reshape(height, width, channels)
        # The first row is at the top when the page's y axis and the image's run the same way.
        top_first = (float(matrix.strip(b"[] ").split()[3]) > 0) == flipped
        bitmaps.append(np.array(np.broadcast_to(pixels if top_first else pixels[::-1], (height, width, 3))))
    return bitmaps


def read_mask(path: Path, convention: str) -> NDArray[np.bool_]:
    """Read a mask file: True where the pixel is missing.

    Parameters
    ----------
    path : Path
        PNG, or a format that `read_counts` reads.
    convention : {"zero_is_missing", "nonzero_is_missing"}
        Files of both polarities exist, so it is never guessed.

    Raises
    ------
    ScanError
        When the file cannot be read.
    """
    if path.suffix.lower() in (".png", ".bmp", ".gif"):
        with _one_line(path, "is it a picture?"), Image.open(path) as picture:
            values = np.asarray(picture.convert("L"))
    else:
        values = read_counts(path)
    return values == 0 if convention == "zero_is_missing" else values != 0


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that takes its place only when all of it is written."""
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write plain values, indented."""
    with replacing(path) as part:
        part.write_text(json.dumps(value, indent=2) + "\n")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index."""
    with replacing(path) as part:
        table.to_csv(part, index=False)


def write_tiff(path: Path, image: NDArray) -> None:
    """Write float32 or uint8 values as they are: (height, width) or RGB (height, width, 3)."""
    import tifffile

    with replacing(path) as part:
        tifffile.imwrite(part, image, photometric="rgb" if image.ndim == 3 else "minisblack")


def read_tiff(path: Path) -> NDArray:
    """Read back what `write_tiff` wrote."""
    import tifffile

    return tifffile.imread(path)


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an 8-bit picture: (height, width) or (height, width, 3)."""
    with replacing(path) as part:
        Image.fromarray(image).save(part)


def read_png(path: Path) -> NDArray[np.uint8]:
    """Read back what `write_png` wrote."""
    with Image.open(path) as picture:
        return np.asarray(picture)
