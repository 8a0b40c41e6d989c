"""The options by which a shell describes a scan: the same for `add` and `heal`, the keys of a scan's YAML."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import shtab
import yaml

if TYPE_CHECKING:
    from scatterheal.settings.models import Scan

# What add_scan_options gives, by the names in its result.
OPTIONS = ("data", "frame", "crop", "centre", "poni", "detector", "mask", "mask_convention", "allow_large_mask")


def add_scan_options(command: argparse.ArgumentParser) -> None:
    """The options, each a key of the YAML."""
    group = command.add_argument_group(
        "the scan", "what a file does not say itself, or says wrongly; of all files named"
    )
    group.add_argument("--data", metavar="PATH", help="the path inside an HDF5 file: /entry/data/data")
    group.add_argument("--frame", help="which frame of several, from 0: 12, sum, or 0-99 as scans of their own")
    group.add_argument("--crop", metavar="L,T,R,B", help="left, top, right, bottom in the file's pixels")
    group.add_argument(
        "--centre", metavar="X,Y", help="the beam centre, pixels of the cropped image; below 0: --centre=-9,20"
    )
    poni = group.add_argument("--poni", metavar="FILE", help="a pyFAI geometry file")
    poni.complete = shtab.FILE  # type: ignore[attr-defined]
    group.add_argument("--detector", metavar="NAME", help="pyFAI's name of the detector, or none")
    mask = group.add_argument(
        "--mask", metavar="FILE", help="a mask of the cropped image's shape, with --mask-convention"
    )
    mask.complete = shtab.FILE  # type: ignore[attr-defined]
    group.add_argument(
        "--mask-convention", choices=("zero_is_missing", "nonzero_is_missing"), help="what the mask says"
    )
    group.add_argument("--allow-large-mask", action="store_true", help="also where more than half is missing")


def keys_of(path: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """The keys of a scan's YAML that the options give; plain values.

    Parameters
    ----------
    path : Path
        The scan's image.
    chosen : Namespace
        From a parser with `add_scan_options`.

    Examples
    --------
    >>> parser = argparse.ArgumentParser(); add_scan_options(parser)
    >>> keys_of(Path("a.cbf"), parser.parse_args(["--centre", "3,4.5", "--frame", "2"]))
    {'image': 'a.cbf', 'kind': 'frame', 'frame': 2, 'centre': [3, 4.5]}
    """
    # Slow to import, and `doctor` has to work where some of it is broken.
    from scatterheal.reading.bitmaps import is_picture

    keys: dict[str, Any] = {"image": str(path), "kind": "figure" if is_picture(path) else "frame"}
    for key in ("data", "frame", "crop", "centre", "poni", "detector"):
        if (said := getattr(chosen, key)) is not None:
            keys[key] = _numbers(said) if key in ("crop", "centre") else said
    if keys.get("frame", "").isdecimal():
        keys["frame"] = int(keys["frame"])
    mask = {"file": chosen.mask, "mask_convention": chosen.mask_convention, "allow_large_mask": chosen.allow_large_mask}
    if any(mask.values()):
        keys["mask"] = {key: value for key, value in mask.items() if value}
    return keys


def _numbers(said: str) -> Any:
    """A list of numbers as it is written on a command line; what is none stays text, and is refused with its key."""
    try:
        return yaml.safe_load(f"[{said}]")
    except yaml.YAMLError:
        return said


def scan_of(keys: dict[str, Any], path: Path) -> Scan:
    """The validated scan, its paths relative to the working folder.

    Raises
    ------
    ScanError
        One line: the file, the key, what it takes.
    """
    from scatterheal.settings.models import Scan
    from scatterheal.settings.validated import validated

    return validated(Scan, keys, path)
