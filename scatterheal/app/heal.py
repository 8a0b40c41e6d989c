"""Heal files from a shell, without the workflow: one line of result for each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from scatterheal.api import Healed, configuration, heal_scan, seconds
from scatterheal.app.options import OPTIONS, keys_of, scan_of
from scatterheal.errors import ScanError, one_line
from scatterheal.settings.models import Config, Scan, frames_of
from scatterheal.settings.reading import UniqueKeys, read_scan


def heal_files(chosen: argparse.Namespace) -> int:
    """Heal every file that is named; one that cannot be healed is one line, and stops no other.

    Parameters
    ----------
    chosen : Namespace
        paths, output, settings, method, budget, device, seed, and the options of a scan.

    Returns
    -------
    code : int
        0 where every file was healed, 1 otherwise.
    """
    problems = 0
    try:
        config, budget = configuration(_settings(chosen.settings), chosen.method, chosen.seed), seconds(chosen.budget)
    except ScanError as error:
        print(error, file=sys.stderr)
        return 1
    used: set[str] = set()
    # A bar where somebody looks on, and lines alone in a log.
    with tqdm(
        total=len(chosen.paths), unit="frame", disable=None, bar_format="{l_bar}{bar}| {elapsed}<{remaining}"
    ) as bar:
        for path in chosen.paths:
            try:
                for name, scan in _scans(path, chosen):
                    healed = _heal(scan, config, chosen.device, budget, bar)
                    folder = Path(chosen.output, _unused(name, used))
                    healed.save(folder)
                    bar.write(_line(path, healed, folder))
            except ScanError as error:
                named = str(error) if str(path) in str(error) else f"{path}: {error}"
                bar.write(named, file=sys.stderr)
                problems += 1
            bar.n = round(bar.n)
    return 1 if problems else 0


def _settings(said: str) -> str | Mapping[str, Any]:
    """A preset's name, or the keys of a YAML file like config.yaml."""
    if said in ("scattering", "paper"):
        return said
    path = Path(said)
    with one_line(path, "name a preset (scattering, paper) or a file like config.yaml"):
        keys = yaml.load(path.read_text(encoding="utf-8"), UniqueKeys)
        if not isinstance(keys, dict):
            raise ValueError("it holds no keys")
    return keys


def _scans(path: Path, chosen: argparse.Namespace) -> Iterator[tuple[str, Scan]]:
    """The scans of a file, an image or a YAML, by name: one, or one for each frame that is asked for."""
    for missing, says in (
        (path.is_dir(), "is a folder; give the files in it"),
        (not path.exists(), "there is no such file"),
    ):
        if missing:
            raise ScanError(f"{path}: {says}")
    if path.suffix.lower() in (".yaml", ".yml"):
        if any(getattr(chosen, option) for option in OPTIONS):
            raise ScanError(f"{path}: it says itself what the scan is; change it there, and leave the option out")
        scan = read_scan(path)
    else:
        scan = scan_of(keys_of(path, chosen), path)
    frames = frames_of(scan.frame)
    if frames is None:
        yield path.stem, scan
        return
    for frame in frames:
        yield f"{path.stem}_f{frame:05d}", scan.model_copy(update={"frame": frame})


def _heal(scan: Scan, config: Config, device: str, budget: float | None, bar: tqdm) -> Healed:
    """Heal one, and let the bar follow."""
    done = bar.n

    def told(share: float, what: str) -> None:
        bar.set_description_str(f"{scan.image.name}: {what}", refresh=False)
        bar.n = done + share
        bar.refresh()

    return heal_scan(scan, config, device, budget, told)


def _unused(name: str, used: set[str]) -> str:
    """A folder's name that no other file of this call has taken."""
    free = next(found for k in range(1, len(used) + 2) if (found := name if k == 1 else f"{name}_{k}") not in used)
    used.add(free)
    return free


def _line(path: Path, healed: Healed, folder: Path) -> str:
    """What a user is to know of a healed file: one line, and one for each doubt."""
    (best,) = (row for _, row in healed.scores.iterrows() if row.run == healed.method)
    missing = healed.reasons > 0
    unchecked = healed.beyond.sum() / max(missing.sum(), 1)
    says = (
        f"{path}: {missing.mean():.1%} of the pixels healed by {healed.method} ({unchecked:.0%} of them behind the "
        f"beamstop or too far to check), score {best.score:.4f}; {folder}/healed.tif"
    )
    return "\n".join([says, *(f"  take care: {remark}" for remark in healed.remarks)])
