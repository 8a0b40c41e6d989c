"""Read detector frames and mask files."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scatterheal.bitmaps import EPS
from scatterheal.errors import ScanError, one_line

Counts = NDArray[np.float32]

# MATLAB's log10 of no counts at all: cSAXS plots log10(counts + 1e-15).
LOG10_OF_NOTHING = -10


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
    with one_line(path, "is it complete, and is its ending right?"):
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
        with one_line(path, "is it a picture?"), Image.open(path) as picture:
            values = np.asarray(picture.convert("L"))
    else:
        values = read_counts(path)
    return values == 0 if convention == "zero_is_missing" else values != 0
