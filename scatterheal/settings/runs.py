"""The grid of runs, and their names."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scatterheal.errors import ScanError
from scatterheal.settings.models import Config, Fit
from scatterheal.settings.validated import validated


def runs_of(config: Config, path: Path | str = "config.yaml") -> dict[str, dict[str, Any]]:
    """Every combination of the grid, and every other method: the run's name and all of its hyperparameters.

    The name holds the axes alone, sorted, so that another value, another order of the axes or a new
    default leaves the names of the existing runs as they are. A method that is no network has its own name and nothing
    else.

    Raises
    ------
    ScanError
        One line for a value that its key does not take, or one that is given twice.

    Examples
    --------
    >>> from scatterheal.settings.reading import read_config
    >>> config = read_config({"grid": {"lr": [0.01, 0.1], "param_noise": [False]}})
    >>> list(runs_of(config))
    ['lr-0.01_param_noise-false', 'lr-0.1_param_noise-false']
    >>> list(runs_of(read_config({"grid": {"lr": [0.01]}, "methods": ["dip", "telea"]})))
    ['lr-0.01', 'telea']
    """
    grid = config.grid or {}
    axes = sorted(grid)
    runs: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*(grid[axis] for axis in axes)) if "dip" in config.methods else ():
        chosen = dict(zip(axes, values, strict=True))
        fit = hyperparameters_of(validated(Fit, {**config.fit.model_dump(), **chosen}, path, "grid"))
        run = "_".join(f"{axis}-{spelled(fit[axis])}" for axis in axes) or "run"
        if run in runs:
            raise ScanError(f"{path}: grid: the run {run} comes up twice; remove the repeated value")
        runs[run] = fit
    return runs | {method: {"method": method} for method in config.methods if method != "dip"}


def hyperparameters_of(fit: Fit) -> dict[str, Any]:
    """A network's hyperparameters as plain values, as they stand in run.json: all but where it is trained."""
    return {"method": "dip", **fit.model_dump(exclude={"device"})}


def fit_of(hyperparameters: Mapping[str, Any]) -> Fit:
    """The inverse of `hyperparameters_of`.

    Examples
    --------
    >>> fit_of(hyperparameters_of(Fit(lr=0.1))).lr
    0.1
    """
    return Fit.model_validate({key: value for key, value in hyperparameters.items() if key != "method"})


def spelled(value: Any) -> str:
    """A hyperparameter's value as it stands in a run's name."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
