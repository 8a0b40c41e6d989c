"""What a run leaves in results/<scan>/runs/<run>/; and, until its job is done, beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from scatterheal import storage
from scatterheal.dip.inpaint import Inpainted
from scatterheal.pattern.pattern import Pattern, overlay
from scatterheal.pictures.look import Look, render
from scatterheal.validation.metrics import Metrics

# Says what a finished run is the outcome of; it is written last.
FINGERPRINT = "fingerprint.json"


def write(folder: Path, done: Inpainted, run: Mapping[str, Any], scan: Pattern, look: Look) -> None:
    """Write healed.tif, models.tif, spreads.tif, run.json, metrics.json, curve.csv and snapshots/.

    Parameters
    ----------
    folder : Path
        Made where there is none.
    done : Inpainted
    run : mapping
        The run's hyperparameters as they were asked for, and under `taken` those that the scan and the computer could
        take.
    scan : Pattern
    look : Look
        How snapshots are drawn.
    """
    (folder / "snapshots").mkdir(parents=True, exist_ok=True)
    storage.write_pages(folder / "models.tif", done.models)
    storage.write_pages(folder / "spreads.tif", done.spreads)
    storage.write_tiff(folder / "healed.tif", overlay(scan.image, scan.missing, done.models.mean(axis=0)))
    for iteration, (_, snapshot) in done.snapshots.items():
        storage.write_png(folder / "snapshots" / f"{iteration:06d}.png", render(snapshot, look))
    storage.write_csv(folder / "curve.csv", pd.DataFrame(done.curve))
    storage.write_json(folder / "run.json", run)
    metrics: Metrics = {
        **done.metrics,
        "score_after": {iteration: score for iteration, (score, _) in done.snapshots.items()},
    }
    storage.write_json(folder / "metrics.json", metrics)


def aside(folder: Path) -> Path:
    """Where the outcome of a run lies until all runs of its job are done: a failed job's own folders are cleared.

    Examples
    --------
    >>> aside(Path("runs/lr-0.01")).as_posix()
    'runs/.lr-0.01'
    """
    return folder.with_name(f".{folder.name}")


def is_kept(folder: Path, of: str) -> bool:
    """Whether an earlier job that did not get to its end left the outcome with this fingerprint aside."""
    said = aside(folder) / FINGERPRINT
    return said.is_file() and storage.read_json(said) == of


def keep(
    folder: Path,
    of: str,
    done: Inpainted,
    run: Mapping[str, Any],
    scan: Pattern,
    look: Look,
) -> None:
    """Write an outcome aside, and when it is complete its fingerprint; as for `write`."""
    shutil.rmtree(aside(folder), ignore_errors=True)
    write(aside(folder), done, run, scan, look)
    storage.write_json(aside(folder) / FINGERPRINT, of)


def hand_over(folder: Path) -> None:
    """Put an outcome that lies aside where it belongs."""
    kept = aside(folder)
    # Without its fingerprint first, so that what is no longer complete is never taken for it.
    (kept / FINGERPRINT).unlink()
    # No folder takes the place of another one with files in it, which an earlier job may have left.
    shutil.rmtree(folder / "snapshots", ignore_errors=True)
    for path in kept.iterdir():
        os.replace(path, folder / path.name)
    kept.rmdir()
