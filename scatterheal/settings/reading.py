"""From config.yaml and <scan>.yaml to the models, with one line for whatever is wrong."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from scatterheal.errors import ScanError
from scatterheal.settings.models import Config, Fit, Mask, Scan, frames_of
from scatterheal.settings.validated import validated

# Of the package, also where that is no checkout: workflow/presets and workflow/schemas are links to them.
PRESETS = resources.files("scatterheal.settings") / "presets"
SCHEMAS = resources.files("scatterheal.settings") / "schemas"
# What the pipeline itself puts into the results folder.
RESERVED = ("logs", "benchmarks", "summary.csv", "report.html")


class UniqueKeys(yaml.SafeLoader):
    """Reads YAML, and refuses a key that is given twice instead of taking the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping with every key once."""
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_config(raw: dict[str, Any], path: Path | str = "config.yaml") -> Config:
    """Validate what Snakemake read from config.yaml (and from --config), filled up by the preset.

    Parameters
    ----------
    raw : dict
        The merged configuration.
    path : path
        The file that messages name.

    Returns
    -------
    Config
        With `grid` set and every key of `fit` explicit.

    Raises
    ------
    ScanError
        One line: file, key and remedy.

    Examples
    --------
    >>> config = read_config({"fit": {"iterations": 5, "lr": 0.1}})
    >>> config.fit.snapshot_every, sorted(config.grid)
    (100, ['domain', 'start'])
    """
    config = validated(Config, raw, path)
    given = raw.get("fit") or {}
    both = sorted(set(config.grid or {}) & set(given))
    if both:
        raise ScanError(f"{path}: fit.{both[0]}: grid has an axis {both[0]} that overrides it; remove one of the two")
    preset = yaml.safe_load((PRESETS / f"{config.preset}.yaml").read_text(encoding="utf-8"))
    # What is given wins over the preset: a fixed value over its axis too.
    preset_grid = {axis: values for axis, values in preset["grid"].items() if axis not in given}
    grid = preset_grid if config.grid is None else config.grid
    fit = validated(Fit, {**preset["fit"], **given}, path, "fit")
    return config.model_copy(update={"grid": grid, "fit": fit})


def read_scan(path: Path) -> Scan:
    """Read and validate one <scan>.yaml; its relative paths become relative to the working folder.

    Parameters
    ----------
    path : Path
        The YAML file.

    Raises
    ------
    ScanError
        One line: unreadable YAML, unknown key, wrong type, missing or empty image.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), UniqueKeys)
    except OSError as error:
        raise ScanError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise ScanError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "syntax"
        raise ScanError(f"{path}: not valid YAML{line} ({problem}); correct it there") from error
    scan = validated(Scan, raw if raw is not None else {}, path)
    files = {"image": scan.image, "truth": scan.truth, "poni": scan.poni, "mask.file": scan.mask.file}
    for key, file in files.items():
        if file is None:
            continue
        if not (path.parent / file).is_file():
            raise ScanError(f"{path}: {key}: there is no file {path.parent / file}; correct the name or add the file")
        if (path.parent / file).stat().st_size == 0:
            raise ScanError(f"{path}: {key}: {path.parent / file} is empty (0 bytes); copy it here again")
    mask = scan.mask.model_copy(update={"file": scan.mask.file and path.parent / scan.mask.file})
    return scan.model_copy(
        update={
            "image": path.parent / scan.image,
            "truth": scan.truth and path.parent / scan.truth,
            "poni": scan.poni and path.parent / scan.poni,
            "mask": mask,
        }
    )


def scan_files(scans: str | list[str], path: Path | str = "config.yaml") -> dict[str, Path]:
    """The YAML file of every scan, by the scan's name: the file's name without its ending.

    Parameters
    ----------
    scans : str or list of str
        A folder of <scan>.yaml files, or the files.
    path : path
        The configuration file that messages name.

    Raises
    ------
    ScanError
        The folder holds none, or two have one name.
    """
    if isinstance(scans, str):
        files = sorted([*Path(scans).glob("*.yaml"), *Path(scans).glob("*.yml")])
        if not files:
            raise ScanError(f"{path}: scans: no <scan>.yaml in the folder {scans!r}; add one or name another folder")
    else:
        files = [Path(scan) for scan in scans]
    named: dict[str, Path] = {}
    for file in files:
        # A name that paths do not like is refused with its scan, and needs one that they do until then.
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", file.stem).lstrip("_.-") or "scan"
        name += "_" * (name in RESERVED)
        if name.lower() in map(str.lower, named):
            raise ScanError(f"{path}: scans: two files are called {file.stem}; rename one")
        named[name] = file
    return named


def read_scans(files: dict[str, Path]) -> tuple[dict[str, Scan], dict[str, str]]:
    """Read every scan's YAML; a file that names several frames is as many scans.

    Parameters
    ----------
    files : dict of str to Path
        From `scan_files`.

    Returns
    -------
    scans : dict of str to Scan
        By name; frame 12 of `run7` is called ``run7_f00012`` where the YAML names several frames.
    problems : dict of str to str
        One line for every file that cannot be used, by the name that its scan would have had.
    """
    scans: dict[str, Scan] = {}
    problems: dict[str, str] = {}
    for name, file in files.items():
        if name != file.stem:
            why = "results/{} is the pipeline's own" if file.stem in RESERVED else "use only letters, digits, _ . -"
            problems[name] = f"{file}: {why.format(file.stem)}; rename the file"
            continue
        try:
            scan = read_scan(file)
        except ScanError as error:
            problems[name] = str(error)
            continue
        several = frames_of(scan.frame)
        for frame in [scan.frame] if several is None else several:
            own = name if several is None else f"{name}_f{frame:05d}"
            if own in scans or (own != name and own in files):
                problems[own] = f"{file}: frame: there is already a scan {own}; rename one of the files"
            else:
                scans[own] = scan.model_copy(update={"frame": frame})
    return scans, problems


def file_of(scan: str, files: dict[str, Path]) -> Path:
    """The YAML file behind a scan's name.

    Examples
    --------
    >>> file_of("run7_f00012", {"run7": Path("scans/run7.yaml")}).as_posix()
    'scans/run7.yaml'
    """
    return files.get(scan) or files[re.sub(r"_f\d{5,}$", "", scan)]


def check_geometry(mask: Mask, size: tuple[int, int]) -> None:
    """Refuse shapes and stripes that reach outside the cropped image.

    Parameters
    ----------
    mask : Mask
        The geometry, in pixels of the cropped image.
    size : (width, height)
        Of the cropped image, pixels.

    Raises
    ------
    ScanError
        One line with the key and the reach.

    Examples
    --------
    >>> check_geometry(Mask(holder={"circle": [5, 5, 2]}), (8, 8))
    >>> check_geometry(Mask(holder={"circle": [5, 5, 4]}), (8, 8))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    scatterheal.errors.ScanError: mask.holder: it reaches from (1, 1) to (9, 9), outside ...
    """
    width, height = size
    for part, shape in mask.shapes():
        left, top, right, bottom = shape.bounds()
        # Up to a pixel beyond the rim's centres: people write the outer edge, or the width, for the last pixel.
        if left < -1 or top < -1 or right > width or bottom > height:
            raise ScanError(
                f"mask.{part}: it reaches from ({left:g}, {top:g}) to ({right:g}, {bottom:g}), "
                f"outside the cropped image of {width} x {height} pixels; keep within 0..{width}, 0..{height}"
            )
    for part, length in (("horizontal", height), ("vertical", width)):
        lines = getattr(mask.stripes, part)
        for first, last in lines if isinstance(lines, list) else []:
            if not 0 <= first < last <= length:
                raise ScanError(f"mask.stripes.{part}: [{first}, {last}] is not within 0..{length}; correct it")
