"""The bitmaps that a figure's file holds, at their own resolution: EPS, PNG, JPEG."""

from __future__ import annotations

import re
import zlib
from base64 import a85decode
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scatterheal.errors import ScanError, one_line

Rgb = NDArray[np.uint8]

EPS = (".eps", ".ps", ".epsf")


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
    with one_line(path, "is it complete, and is its ending right?"):
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
