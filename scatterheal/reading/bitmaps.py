"""The bitmaps that a figure's file holds, at their own resolution: EPS, PNG, JPEG."""

from __future__ import annotations

import re
import zlib
from base64 import a85decode
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from scatterheal.errors import ScanError, one_line

Rgb = NDArray[np.uint8]

EPS = (".eps", ".ps", ".epsf")
# Files of these endings hold colours.
PICTURES = (*EPS, ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
# Whatever their ending, files that begin so do: PNG, JPEG, GIF, EPS (plain and with a preview).
BEGIN = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%!PS", b"\xc5\xd0\xd3\xc6")


def is_picture(path: Path) -> bool:
    """Whether a file holds colours rather than counts: by its ending, and of a TIFF by its channels.

    Examples
    --------
    >>> is_picture(Path("figure.EPS")), is_picture(Path("frame.cbf"))
    (True, False)
    """
    if path.suffix.lower() in (".tif", ".tiff"):
        import tifffile

        try:
            with tifffile.TiffFile(path) as file:
                return file.pages.first.photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
        except tifffile.TiffFileError:
            # Not a TIFF at all: what reads frames says what is wrong with it.
            return False
    return path.suffix.lower() in PICTURES


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
                if path.suffix.lower() in (".tif", ".tiff") and picture.mode[0] in "IF":
                    raise ScanError(f"{path}: holds counts and no colours; write kind: frame in the scan's YAML")
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
    program = _postscript(program)
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
    directions = eps_page(program).directions
    for (_, width, height, matrix, channels, data), (right, up) in zip(
        sorted(found, key=lambda item: item[0]), directions, strict=True
    ):
        if len(data) < width * height * channels:
            raise ScanError(f"a bitmap of {width} x {height} pixels is cut short; copy the file again")
        pixels = np.frombuffer(data, np.uint8, width * height * channels).reshape(height, width, channels)
        # The image's matrix says how its columns and rows run along the axes, and those may be turned on the page.
        along, _, _, down = map(float, matrix.strip(b"[] ").split()[:4])
        pixels = pixels[:: 1 if (down > 0) != up else -1, :: 1 if (along > 0) == right else -1]
        bitmaps.append(np.array(np.broadcast_to(pixels, (height, width, 3))))
    return bitmaps


class Text(NamedTuple):
    """A piece of text on the page of an EPS."""

    text: str
    """What it says; a raised smaller part follows a caret, as in 10^2."""
    left: float
    """Where it begins, points from the left of the page."""
    middle: float
    """The middle of its digits' height, points from the bottom of the page."""
    size: float
    """Size of its font, points."""


class Page(NamedTuple):
    """Where bitmaps and texts stand on the page of an EPS, in points from its lower left corner."""

    bitmaps: list[tuple[float, float, float, float]]
    """Left, bottom, right, top of each bitmap, in the order of `eps_bitmaps`."""
    texts: list[Text]
    """In the file's order, the horizontal ones."""
    directions: tuple[tuple[bool, bool], ...] = ()
    """For each bitmap whether x runs to the right and y upwards where it is drawn."""


# Digits of Helvetica and DejaVu Sans are 0.72 to 0.73 of the font's size high.
HALF_A_DIGIT = 0.36

_NUMBER = rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_OPERATOR = re.compile(
    rb"\[(?P<matrix>\s*(?:%(n)s\s+){5}%(n)s\s*)\]\s*(?:concat|CT)\b"
    rb"|(?<![\w./])(?P<first>%(n)s)\s+(?P<second>%(n)s)\s+(?P<moved>translate|scale|moveto|m|M)\b"
    rb"|(?<![\w./])(?P<degrees>%(n)s)\s+rotate\b"
    rb"|/[\w-]+\s+(?P<size>%(n)s)\s+(?:selectfont|F)\b"
    rb"|\((?P<text>(?:\\.|[^\\()])*)\)\s*(?:show|t)\b"
    rb"|/(?P<glyph>\w+)\s+glyphshow\b"
    rb"|(?<![\w/])(?P<state>gsave|GS|grestore|GR)\b" % {b"n": _NUMBER},
    re.DOTALL,
)
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_GLYPHS = {name: str(digit) for digit, name in enumerate(_DIGITS)} | {
    "period": ".",
    "minus": "-",
    "hyphen": "-",
    "space": " ",
    "parenleft": "(",
    "parenright": ")",
}


def eps_page(program: bytes) -> Page:
    """Where an EPS file's bitmaps and texts stand, as MATLAB and matplotlib write them.

    Parameters
    ----------
    program : bytes
        The whole file.

    References
    ----------
    PostScript Language Reference, third edition, section 4.3.3 (matrices of row vectors: the last operation
    applies first).

    Examples
    --------
    >>> eps_page(b"gsave 10 20 translate /Helvetica 5 selectfont 1 2 moveto (0.5) show grestore").texts
    [Text(text='0.5', left=11.0, middle=23.8, size=5.0)]
    """
    program = _postscript(program)
    images = sorted(match.span() for pattern in (_DICTIONARY, _READHEX) for match in pattern.finditer(program))
    matrix, size, point, saved = np.eye(3), 1.0, np.zeros(2), []
    boxes, directions, in_word = [], [], False
    texts: list[Text] = []
    for operator in _operators(program, images):
        if operator is None:
            corners = np.array([[0, 0, 1], [1, 1, 1]]) @ matrix
            boxes.append((*corners[:, :2].min(axis=0).tolist(), *corners[:, :2].max(axis=0).tolist()))
            directions.append((bool(matrix[0, 0] > 0), bool(matrix[1, 1] > 0)))
        elif operator["matrix"] or operator["degrees"] or operator["moved"] in (b"translate", b"scale"):
            matrix = _matrix(operator) @ matrix
        elif operator["moved"]:
            point = (np.array([float(operator["first"]), float(operator["second"]), 1]) @ matrix)[:2]
        elif operator["size"]:
            size = float(operator["size"])
        elif operator["state"] in (b"gsave", b"GS"):
            saved.append((matrix, size, point))
        elif operator["state"]:
            matrix, size, point = saved.pop() if saved else (np.eye(3), size, point)
            in_word = False
        else:
            # Text runs along the first row of the matrix; digits stand on the point.
            along, up = size * matrix[0, :2], size * matrix[1, :2]
            height = float(abs(up[1]))
            here = Text(_spelled(operator), float(point[0]), float(point[1]) + HALF_A_DIGIT * height, height)
            if operator["glyph"] and in_word:
                raised = "^" if here.size < 0.9 * texts[-1].size and "^" not in texts[-1].text else ""
                texts[-1] = texts[-1]._replace(text=texts[-1].text + raised + here.text)
            elif abs(along[0]) > abs(along[1]):
                texts.append(here)
                in_word = operator["glyph"] is not None
    return Page(boxes, texts, tuple(directions))


def _postscript(program: bytes) -> bytes:
    """The PostScript of a DOS EPS, which starts with a table of where it and its preview lie."""
    if program[:4] != b"\xc5\xd0\xd3\xc6":
        return program
    start, length = (int.from_bytes(program[k : k + 4], "little") for k in (4, 8))
    return program[start : start + length]


def _operators(program: bytes, images: list[tuple[int, int]]) -> Iterator[re.Match[bytes] | None]:
    """The operators of a page in their order, None for each of its images."""
    start = max(program.find(b"%%EndProlog"), 0)
    for image_start, image_end in images:
        yield from _OPERATOR.finditer(program, start, image_start)
        yield None
        start = image_end
    yield from _OPERATOR.finditer(program, start)


def _matrix(operator: re.Match[bytes]) -> NDArray[np.float64]:
    """The matrix of a concat, translate, scale or rotate, for row vectors."""
    if operator["matrix"]:
        a, b, c, d, x, y = map(float, operator["matrix"].split())
    elif operator["degrees"]:
        angle = np.deg2rad(float(operator["degrees"]))
        a, b, c, d, x, y = np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle), 0, 0
    else:
        first, second = float(operator["first"]), float(operator["second"])
        a, b, c, d, x, y = (
            (1, 0, 0, 1, first, second) if operator["moved"] == b"translate" else (first, 0, 0, second, 0, 0)
        )
    return np.array([[a, b, 0], [c, d, 0], [x, y, 1]])


def _spelled(operator: re.Match[bytes]) -> str:
    """The characters that a text operator shows."""
    if operator["glyph"]:
        name = operator["glyph"].decode()
        return _GLYPHS.get(name, name if len(name) == 1 else "?")
    return re.sub(rb"\\(.)", rb"\1", operator["text"]).decode("latin1")
