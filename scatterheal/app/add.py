"""Start a scan: look at its file, and write a YAML with everything that was found, and a picture to check it by."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.path import Path as Outline
from matplotlib.transforms import Bbox

from scatterheal.app.options import OPTIONS, keys_of, scan_of
from scatterheal.errors import ScanError
from scatterheal.mask.reasons import FOUND, OBSTACLES, check_share
from scatterheal.pattern import pixels
from scatterheal.pattern.found import Part
from scatterheal.pictures.look import look_of, render
from scatterheal.pictures.mask_overlay import mask_overlay
from scatterheal.pipeline.prepare import Prepared, prepare
from scatterheal.reading.frames import count_frames
from scatterheal.settings.models import frames_of
from scatterheal.settings.reading import SCHEMAS
from scatterheal.storage import make_folder, replacing

# For editors, which know only real files.
SCHEMA = Path(str(SCHEMAS)) / "scan.schema.json"


class Added(NamedTuple):
    """What was written for one file."""

    name: str
    """The scan's name."""
    yaml: Path
    overlay: Path
    summary: list[str]
    """What was found, a line each."""
    problem: str | None = None
    """What the YAML still has to say before the scan can be healed; then nothing was looked for, and nothing drawn."""


def add(path: Path, folder: Path, options: argparse.Namespace | None = None) -> Added:
    """Write ``<scan>.yaml`` and ``<scan>_mask.png`` for a file.

    Parameters
    ----------
    path : Path
        A detector frame or a figure.
    folder : Path
        Where the scans' YAML files are; the file itself may lie elsewhere and stays there.
    options : Namespace, optional
        What `scatterheal.app.options.add_scan_options` gives.

    Returns
    -------
    Added

    Raises
    ------
    ScanError
        The file cannot be read at all, an option is wrong, or the scan's YAML is there already. Nothing is written
        then.
    """
    if path.is_dir():
        raise ScanError(f"{path} is a folder; give the files in it")
    if not path.is_file():
        raise ScanError(f"there is no file {path}; correct the name")
    if path.stat().st_size == 0:
        raise ScanError(f"{path} is empty (0 bytes); copy it here again")
    keys = keys_of(path, options or argparse.Namespace(**dict.fromkeys(OPTIONS)))
    image = _near(path, folder)
    name = _free_name(path, image, folder)
    target, overlay = folder / f"{name}.yaml", folder / f"{name}_mask.png"
    frames, prepared, problem, summary = 1, None, "", []
    try:
        frames = count_frames(path, keys.get("data")) if keys["kind"] == "frame" else 1
        if frames > 1:
            keys.setdefault("frame", 0)
        scan = scan_of(keys, path)
        first = frames_of(scan.frame)
        prepared = prepare(scan if first is None else scan.model_copy(update={"frame": first[0]}))
    except ScanError as error:
        # A file that is broken needs no YAML; one that needs another key gets it there.
        if error.__cause__ is not None:
            raise
        problem = str(error)
    make_folder(folder)
    with replacing(target) as part:
        part.write_text(_yaml(keys, image, frames, prepared or problem, overlay, folder), encoding="utf-8")
    if prepared:
        summary = [f"{key}: {line}" for key, line in _found(prepared).items()]
        look = look_of(prepared.intensity.values, prepared.intensity.meaning)
        picture = render(prepared.cropped.image, look)
        mask_overlay(overlay, picture, prepared.reasons.reasons, None, prepared.reasons.found.beam_centre, name)
    return Added(name, target, overlay, summary, problem)


def _near(path: Path, folder: Path) -> Path:
    """A file as the YAML names it: beside the YAML a name is enough; a file elsewhere keeps its whole path."""
    near = path.resolve().is_relative_to(folder.resolve().parent)
    return Path(os.path.relpath(path.resolve(), folder.resolve())) if near else path.resolve()


def _free_name(path: Path, image: Path, folder: Path) -> str:
    """A scan's name for a file: its own, with its ending where another file's scan has that name."""
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", path.stem).strip("_.-") or "scan"
    for name in (stem, f"{stem}_{path.suffix[1:].lower()}"):
        target = folder / f"{name}.yaml"
        if not target.exists():
            return name
        if f"image: {image.as_posix()}\n" in target.read_text(encoding="utf-8"):
            break
    raise ScanError(f"{target} is there already; edit it by hand, or remove it to start anew")


def seen_from(folder: Path, path: Path) -> str:
    """The way from a folder to a file, with forward slashes; the whole path where that is on another drive.

    Examples
    --------
    >>> seen_from(Path("work/scans"), Path("work/data/frame.cbf"))
    '../data/frame.cbf'
    """
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        # Windows: there is no way from one drive to another.
        return path.as_posix()


def _found(prepared: Prepared) -> dict[str, str]:
    """One line for each thing that was found, or was not, by the key of the YAML that overrides it."""
    found, reasons = prepared.reasons.found, prepared.reasons.reasons
    centre, detector = found.centre, found.detector
    lines = {}
    if prepared.cropped.image.ndim == 2:
        if isinstance(detector, str):
            lines["detector"] = f"given: {detector}"
        else:
            lines["detector"] = f"found {detector.name}: {detector.sure}" if detector else "none of pyFAI's is known"
    else:
        meaning = prepared.intensity.meaning
        lines["colour"] = meaning.how
        if meaning.colour_scale:
            lines["colour"] += f"; {meaning.colour_scale.off_share:.1%} of the pixels are off it"
    if centre is None:
        lines["centre"] = found.problem or "not found"
    else:
        sure = "" if centre.sd is None else f", sd {centre.sd:.1f} pixels"
        lines["centre"] = f"found [{centre.x:.1f}, {centre.y:.1f}] by {centre.how}{sure}"
        if centre.how == "brightest spot":
            lines["centre"] += ": only about there, so check it"
    for part in OBSTACLES:
        records = [record for record in found.parts if record.part == part.name]
        shapes = [_shape(record, reasons.shape) for record in records]
        lines[part.name] = "; ".join(shapes) if shapes else "none found"
    unmeasured = reasons & pixels.UNMEASURED > 0
    lines["unmeasured"] = f"found {unmeasured.mean():.1%} of the image" if unmeasured.any() else "none found"
    stripe = reasons & pixels.STRIPE > 0
    rows, columns = stripe.all(axis=1).sum(), stripe.all(axis=0).sum()
    lines["stripes"] = f"found {rows} rows and {columns} columns"
    shares = [
        f"{reason.words} {np.mean(reasons & reason.bit > 0):.2%}"
        for reason in pixels.REASONS
        if (reasons & reason.bit).any()
    ]
    lines["missing"] = f"{np.mean(reasons > 0):.1%} of the image: {', '.join(shares) or 'nothing'}"
    try:
        check_share(reasons, allow_large_mask=False)
    except ScanError as error:
        # The YAML and the picture are what it takes to mend that.
        lines["missing"] += f"; to be mended before it can be healed: {error}"
    return lines


def _shape(record: Part, shape: tuple[int, int]) -> str:
    """A found part as one would write it in the YAML, and how much comes through."""
    if record.radius and record.centre:
        drawn = f"circle: [{', '.join(map(str, [*record.centre, record.radius]))}]"
    elif record.polygon:
        height, width = shape
        inside = Outline(record.polygon).clip_to_bbox(Bbox([[-0.5, -0.5], [width - 0.5, height - 0.5]]))
        drawn = f"polygon: {np.asarray(inside.vertices)[:-1].round(1).tolist()}"
    else:
        drawn = f"rectangle: {list(record.box or ())}"
    return f"found {{{drawn}}}, transmission {record.transmission:.2f}"


def _yaml(
    keys: Mapping[str, Any], image: Path, frames: int, prepared: Prepared | str, overlay: Path, folder: Path
) -> str:
    """The text of a starter YAML: every key is what was given, or what the pipeline does by itself, with what it found.

    Of a scan that was not prepared it says why.
    """
    schema = seen_from(folder.resolve(), SCHEMA)
    lines = [f"# yaml-language-server: $schema={schema}"]
    given = {key: f"{key}: {json.dumps(value)}" for key, value in keys.items() if key not in ("image", "kind", "mask")}
    if "poni" in keys:
        given["poni"] = f"poni: {_near(Path(keys['poni']), folder).as_posix()}"
    mask = dict(keys.get("mask", {}))
    if "file" in mask:
        mask["file"] = _near(Path(mask["file"]), folder).as_posix()
    of_mask = [f"  {key}: {json.dumps(value)}" for key, value in mask.items()]
    named = [f"image: {image.as_posix()}", f"kind: {keys['kind']}"]
    if isinstance(prepared, str):
        lines += [f"# Written by scatterheal add, which could not look at it: {prepared}", *named, *given.values()]
        return "\n".join([*lines, *(["mask:", *of_mask] if of_mask else [])]) + "\n"
    found = _found(prepared)
    lines.append(
        f"# Written by scatterheal add. Compare with {overlay.name}; what is wrong there, give here instead of auto."
    )
    lines += [*named, *(given[key] for key in ("data", "crop") if key in given)]
    if frames > 1:
        others = f"of {frames}; or sum, or several as scans of their own: [0, 5] or 0-{frames - 1}"
        lines.append(f"{given['frame']}   # {others}")
    if keys["kind"] == "frame":
        lines.append(given.get("detector") or f"detector: auto   # {found['detector']}")
    else:
        lines += [f"# {found['colour']}", _colour(prepared)]
    lines.append(given.get("poni") or given.get("centre") or f"centre: auto   # {found['centre']}")
    lines += [
        "mask:",
        *of_mask,
        *(f"  {part.name}: auto   # {found[part.name]}" for part in FOUND),
        f"  stripes: {{horizontal: auto, vertical: auto}}   # {found['stripes']}",
    ]
    return "\n".join(lines) + "\n"


def _colour(prepared: Prepared) -> str:
    """The line on a figure's colours: what its file says, or what to fill in."""
    of_map, labels = prepared.intensity.meaning.colour_scale, prepared.cropped.crop.bar_labels
    if of_map is None:
        return "colour: {map: luminance}   # or a named map with its range and scale"
    if labels.limits is None:
        return "colour: {}   # give what the colour bar says, for example {range: [0, 3], scale: log10}"
    limits = ", ".join(f"{value:g}" for value in labels.limits)
    return f"colour: {{range: [{limits}], scale: {of_map.scale}}}   # as the file's own labels say"
