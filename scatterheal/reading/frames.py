"""Read detector frames with what their headers say, and mask files."""

from __future__ import annotations

import bz2
import gzip
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scatterheal.errors import ScanError, one_line
from scatterheal.pattern.geometry import Geometry
from scatterheal.reading import bitmaps
from scatterheal.reading.codes import large_codes
from scatterheal.reading.hdf5 import hdf5_stack
from scatterheal.reading.headers import Stack, dectris_header, text_header

Counts = NDArray[np.float32]

# MATLAB's log10 of no counts at all: cSAXS plots log10(counts + 1e-15).
LOG10_OF_NOTHING = -10
# Counts that went through a logarithm are whole to this part of themselves, nearly all of them.
WHOLE, MOSTLY = 1e-5, 0.999

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NUMPY = b"\x93NUMPY"
CBF = b"###CBF"
# What stands before the pixels of a CBF file.
CBF_STARTER = b"\x0c\x1a\x04\xd5"

# Of an NXdetector's pixel_mask: bits 0..15 reject a pixel, bit 31 marks an interpolated one.
NOT_MEASURED = 0x8000FFFF


class Frame(NamedTuple):
    """One detector frame."""

    counts: Counts
    """Photon counts (height, width) in the file's own row order; negative: codes for no measurement."""
    header: Geometry
    missing: NDArray[np.bool_] | None
    """Pixels that the file calls unmeasured beside its counts (an HDF5 file's pixel_mask; in a sum, also those
    saturated in one of its frames), or None where it says nothing."""


def read_frame(path: Path, inside: str | None = None, frame: int | Literal["sum"] | None = None) -> Frame:
    """Read one detector frame.

    What a file is, its first bytes tell, not its ending.

    Parameters
    ----------
    path : Path
        TIFF, CBF, EDF and what else fabio reads; HDF5 (NeXus, Eiger, CXI); an .npy array; a MATLAB .fig that
        shows log10 of counts.
    inside : str, optional
        Path of the dataset inside an HDF5 file. Without it NeXus's `default` and `signal` attributes tell,
        then the places where Eiger and CXI files keep their frames, then the only image that there is.
    frame : int or "sum", optional
        Index from 0, through all numbered datasets of an Eiger file; or the sum of all frames, where
        a pixel that carries a code in any frame keeps it. A file of a single frame needs none.

    Returns
    -------
    frame : Frame

    Raises
    ------
    ScanError
        When the file is no frame, broken or shorter than its header says, when it holds several frames or
        datasets and none is chosen, or when it lacks the chosen one.

    References
    ----------
    .. [1] NeXus definitions, https://manual.nexusformat.org: NXdata (default, signal), NXdetector (pixel_mask).
    .. [2] Dectris' codes for pixels without a measurement: pyFAI.detectors.Dectris (dummy -2, delta 1.5).

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "two.npy"
    ...     np.save(path, np.uint16([[[1, 2], [3, 65535]], [[4, 0], [1, 65535]]]))
    ...     read_frame(path, frame=1).counts.tolist(), read_frame(path, frame="sum").counts.tolist()
    ([[4.0, 0.0], [1.0, -1.0]], [[5.0, 2.0], [4.0, -1.0]])
    """
    with _opened(path, inside) as stack:
        if not stack.frames:
            raise ScanError(f"{path}: holds no frame (0 of them); copy it again")
        if frame is None and stack.frames > 1:
            raise ScanError(
                f"{path}: holds {stack.frames} frames (0..{stack.frames - 1}); say which: frame: 0, or frame: sum"
            )
        if isinstance(frame, int) and not 0 <= frame < stack.frames:
            raise ScanError(f"{path}: frame: {frame} is not among its frames 0..{stack.frames - 1}; correct it")
        if frame == "sum":
            counts, saturated = _sum(path, stack)
            exposure = stack.header.exposure_time
            header = stack.header._replace(
                exposure_time=exposure and exposure * stack.frames,
                # Counts of several frames say nothing about one frame's limit: `missing` holds what it hid.
                count_cutoff=stack.header.count_cutoff if stack.frames == 1 else None,
            )
        else:
            counts, header, saturated = _checked(path, stack.read(frame or 0)), stack.header, None
        masked = _masked(path, stack, frame, counts.shape)
        parts = [part for part in (masked, saturated) if part is not None]
        missing = np.logical_or.reduce(parts) if parts else None
    return Frame(np.ascontiguousarray(counts, dtype=np.float32), header, missing)


def count_frames(path: Path, inside: str | None = None) -> int:
    """How many frames a file holds, without reading their pixels.

    Parameters
    ----------
    path, inside
        As for `read_frame`.

    Raises
    ------
    ScanError
        When the file cannot be read, or holds several datasets and none is chosen.
    """
    with _opened(path, inside) as stack:
        return stack.frames


def read_mask(path: Path, convention: str, inside: str | None = None) -> NDArray[np.bool_]:
    """Read a mask file: True where the pixel is missing.

    Parameters
    ----------
    path : Path
        PNG, BMP or GIF, Fit2D's .msk, or a format that `read_frame` reads.
    convention : {"zero_is_missing", "nonzero_is_missing"}
        Files of both polarities exist, so it is never guessed.
    inside : str, optional
        Path of the dataset inside an HDF5 file.

    Raises
    ------
    ScanError
        When the file cannot be read.
    """
    if path.suffix.lower() in (".png", ".bmp", ".gif"):
        with one_line(path, "is it a picture?"), Image.open(path) as picture:
            values = np.asarray(picture if picture.mode in ("1", "L", "I", "I;16") else picture.convert("RGB"))
            values = values.max(axis=2) if values.ndim == 3 else values
    else:
        values = read_frame(path, inside).counts
    return values == 0 if convention == "zero_is_missing" else values != 0


@contextmanager
def _opened(path: Path, inside: str | None) -> Iterator[Stack]:
    """Whatever the file is, its frames."""
    import h5py

    with one_line(path, "is it complete, and is its ending right?"):
        with _unpacked(path) as stream:
            start = stream.read(16)
        if not start:
            raise ScanError(f"{path}: is empty (0 bytes); copy it again")
        if start.startswith(bitmaps.BEGIN) or path.suffix.lower() in bitmaps.PICTURES:
            raise ScanError(f"{path}: a picture holds colours, not counts; write kind: figure in the scan's YAML")
        if path.suffix.lower() != ".fig" and h5py.is_hdf5(path):
            with hdf5_stack(path, inside) as stack:
                yield stack
            return
        if inside is not None:
            raise ScanError(f"{path}: data: only an HDF5 file has paths inside, and this is none; leave it out")
        if path.suffix.lower() == ".fig":
            yield Stack(1, lambda _: _fig_counts(path))
        elif start.startswith(NUMPY):
            values = np.load(path, mmap_mode="r", allow_pickle=False)
            frames = values.reshape(-1, *values.shape[-2:]) if values.ndim > 2 else values[None]
            yield Stack(len(frames), lambda index: frames[index])
        else:
            with _tiff_stack(path) if start.startswith(TIFF) else _fabio_stack(path, start) as stack:
                yield stack


def _unpacked(path: Path) -> BinaryIO:
    """The file's bytes, also where it is compressed as a whole."""
    # What each of them opens reads as a BinaryIO does; the types of the standard library do not say so.
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
    return openers.get(path.suffix.lower(), open)(path, "rb")


class _RaiseErrors(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise OSError(record.getMessage())


@contextmanager
def _strict(name: str) -> Iterator[None]:
    """Raise what the reader of that name only logs as an error, such as a body that it fills up with zeros."""
    logger, handler = logging.getLogger(name), _RaiseErrors(logging.ERROR)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextmanager
def _tiff_stack(path: Path) -> Iterator[Stack]:
    import tifffile

    with _strict("tifffile"), _unpacked(path) as stream, tifffile.TiffFile(stream) as tiff:
        size = stream.seek(0, os.SEEK_END)

        def read(index: int) -> NDArray:
            page = tiff.pages[index]
            ends = np.add(page.dataoffsets, page.databytecounts)
            # tifffile fills segments that were never written with zeros.
            if not len(ends) or min(page.databytecounts) == 0 or ends.max() > size:
                raise OSError(f"it ends before the pixels of its {first.imagelength} x {first.imagewidth} image do")
            return page.asarray()

        first = tiff.pages.first
        # Pilatus TIFFs name the detector in the tag of the camera's model.
        model = first.tags.get("Model")
        yield Stack(len(tiff.pages), read, dectris_header(first.description, model.value if model else None))


@contextmanager
def _fabio_stack(path: Path, start: bytes) -> Iterator[Stack]:
    import fabio

    with _strict("fabio"):
        if start.startswith(CBF) or ".cbf" in path.name.lower():
            _check_cbf(path)
        elif path.suffix.lower() in (".gz", ".bz2"):
            # fabio gives zeros for the rest of a truncated file.
            with _unpacked(path) as stream:
                stream.seek(0, os.SEEK_END)
        with fabio.open(str(path)) as image:
            if getattr(image, "incomplete_file", False):
                raise OSError("its last frame is incomplete")

            def read(index: int) -> NDArray:
                values = image.get_frame(index).data if index else image.data
                if values is None:
                    raise OSError("fabio found no frame in it")
                return values

            yield Stack(image.nframes, read, text_header(dict(image.header)))


def _check_cbf(path: Path) -> None:
    """Refuse a CBF file without its pixels: fabio would search for them forever."""
    with _unpacked(path) as stream:
        content = stream.read()
    header, starter, pixels = content.partition(CBF_STARTER)
    if not starter:
        raise OSError("it ends before its pixels begin")
    size, fast, slow = (
        int(found[1]) if (found := re.search(rb"X-Binary-" + key + rb":\s*(\d+)", header)) else 0
        for key in (b"Size", b"Size-Fastest-Dimension", b"Size-Second-Dimension")
    )
    # Byte offsets take at least one byte a pixel.
    if len(pixels) < size or size < fast * slow:
        raise OSError(f"it ends before the pixels of its {slow} x {fast} image do")


def _masked(
    path: Path, stack: Stack, frame: int | Literal["sum"] | None, shape: tuple[int, int]
) -> NDArray[np.bool_] | None:
    if stack.pixel_mask is None:
        return None
    missing = (stack.pixel_mask.astype(np.uint64) & NOT_MEASURED) > 0
    if missing.shape[-2:] != shape:
        raise ScanError(f"{path}: its pixel_mask has the shape {missing.shape}, its frame {shape}; repair or remove it")
    masks = missing.reshape(-1, *shape)
    # One mask for all frames, or one for each.
    if len(masks) == 1 or frame == "sum":
        return np.logical_or.reduce(masks, axis=0)
    return masks[frame or 0]


def _sum(path: Path, stack: Stack) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    """All frames added up, and the pixels that are saturated in one of them."""
    cutoff = stack.header.count_cutoff
    first = _checked(path, stack.read(0))
    total, codes, saturated = np.zeros(first.shape), np.zeros(first.shape), np.zeros(first.shape, bool)
    for index in range(stack.frames):
        counts = _checked(path, stack.read(index)) if index else first
        measured = counts >= 0
        np.copyto(codes, counts, where=(codes == 0) & ~measured)
        total += np.where(measured, counts, 0)
        if cutoff is not None:
            saturated |= counts >= cutoff
    return np.where(codes == 0, total, codes), None if cutoff is None else saturated


def _checked(path: Path, counts: NDArray) -> NDArray:
    """One frame with its codes as negative numbers."""
    if counts.ndim != 2 or min(counts.shape) < 2 or counts.dtype.kind not in "biuf":
        raise ScanError(
            f"{path}: holds {counts.dtype} values of shape {counts.shape}, not one frame; export a single 2-D frame"
        )
    return signed(counts)


def signed(counts: NDArray) -> NDArray:
    """Codes of pixels without a measurement as negative numbers, also where the file is unsigned.

    A detector's -1 and -2 are the two largest numbers of an unsigned type (Dectris), and of types that no
    photon count ever fills -3 too, as in pyFAI's dummies. Programs that convert 32-bit frames to 64 bits or to
    floats keep them as large numbers. Of another type they are told by what they look like (`large_codes`).
    """
    if counts.dtype.kind == "f" or (counts.dtype.kind == "i" and counts.dtype.itemsize == 8):
        # float32 cannot tell the three apart.
        converted = (counts >= 2**32 - 3) & (counts <= 2**32)
        counts = np.where(converted, np.minimum(counts.astype(np.float64) - 2**32, -1), counts)
    elif counts.dtype.kind == "u" and counts.dtype.itemsize >= 2:
        largest = int(np.iinfo(counts.dtype).max)
        codes = 2 if counts.dtype.itemsize == 2 else 3
        # Counted from the top in the file's own integers: float64 cannot tell the largest uint64 apart.
        below = largest - counts
        counts = np.where(below < codes, -1.0 - below, counts)
    further = large_codes(counts)
    return np.where(np.isin(counts, further), -1.0, counts) if further else counts


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
    counts: NDArray[np.float64] = np.where(counted, 10.0 ** np.where(counted, values, 0), 0)
    counts[np.isnan(values)] = np.nan
    if np.nanmean(np.abs(counts - np.round(counts)) <= WHOLE * counts) < MOSTLY:
        raise ScanError(f"{path}: its image is not log10 of counts; export the counts as TIFF, EDF or NPY")
    return np.round(counts)
