"""Rank the runs of a scan by what they paint on the hidden pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def rank(runs: Mapping[str, Mapping[str, Any]], metrics: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row a run, the best first: by hidden mean squared error, collapsed runs last.

    This ranking is provisional: one set of hidden blocks, and the same one for the choice and the score.

    Parameters
    ----------
    runs : mapping
        The hyperparameters of each run.
    metrics : mapping
        What `scatterheal.inpaint.inpaint` reported for it.

    Returns
    -------
    table : DataFrame
        Columns rank (1 is the best), run, hidden_mse, known_mse, collapsed, truth_mse where the truth is
        known, then the hyperparameters.

    Examples
    --------
    >>> scores = {"a": {"hidden_mse": 0.2, "known_mse": 0.1, "collapsed": False},
    ...           "b": {"hidden_mse": 0.1, "known_mse": 0.3, "collapsed": True}}
    >>> rank({"a": {"lr": 0.01}, "b": {"lr": 0.1}}, scores)[["rank", "run", "lr"]].values.tolist()
    [[1, 'a', 0.01], [2, 'b', 0.1]]
    """
    kept = ("hidden_mse", "known_mse", "collapsed", "truth_mse")
    rows = [
        {"run": run, **{key: metrics[run][key] for key in kept if key in metrics[run]}, **hyperparameters}
        for run, hyperparameters in runs.items()
    ]
    table = pd.DataFrame(rows).sort_values(["collapsed", "hidden_mse"], kind="stable", ignore_index=True)
    table.insert(0, "rank", range(1, len(table) + 1))
    return table
