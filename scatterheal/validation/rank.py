"""Rank the runs of a scan by what they paint on the hidden pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import pandas as pd

from scatterheal.validation.metrics import Metrics
from scatterheal.validation.stopping import FARTHEST_TIE

# Of the metrics what the table shows where it is known.
SHOWN = ("relative", "truth_error", "truth_mse", "iterations")


def rank(runs: Mapping[str, Mapping[str, Any]], metrics: Mapping[str, Metrics]) -> pd.DataFrame:
    """One row a run, the best first: by held-out score, ties by cost, collapsed runs last.

    A run ties with the best one where their difference, fold by fold, is not more than its standard error over the
    folds, nor than 0.1 % of the score: noise and brightness differ from fold to fold far more than the runs do, and are
    the same for all of them. Among those that tie the cheapest is first; a method that is no network costs nothing.
    Runs that successive halving has pruned cost little because they were let go, and are put before no other for that:
    they come before one that was trained to its end only where their score is lower and does not tie.

    Parameters
    ----------
    runs : mapping
        The hyperparameters of each run, as far as the scan could take them.
    metrics : mapping of Metrics
        What `scatterheal.dip.inpaint.inpaint`, or `scatterheal.validation.judge.judge`, reported for it.

    Returns
    -------
    table : DataFrame
        Columns rank (1 is the best), run, method, score (mean over the folds of deviance or squared error), score_error
        (its standard error), behind (difference from the lowest score) and behind_error (its standard error over the
        folds), tied (with the lowest), collapsed, what is told of counts (excess: how far its deviance is above the
        floor at the best run's rate, which is nearest to the true one; relative, block_z), truth_error and truth_mse
        where the truth is known, iterations, of successive halving pruned (whether it was let go) and trained (after
        how many iterations it ended), cost, then the hyperparameters.

    Examples
    --------
    >>> scores = {"a": {"scores": [0.5, 0.5], "score": 0.5, "score_error": 0.0, "collapsed": False},
    ...           "b": {"scores": [0.25, 0.25], "score": 0.25, "score_error": 0.0, "collapsed": True}}
    >>> runs = {"a": {"method": "dip", "lr": 0.01}, "b": {"method": "dip", "lr": 0.1}}
    >>> rank(runs, scores)[["rank", "run", "lr", "behind"]].values.tolist()
    [[1, 'a', 0.01, 0.0], [2, 'b', 0.1, -0.25]]
    """
    sane = [run for run in runs if not metrics[run]["collapsed"]] or list(runs)
    # None, in JSON, is not a number: a method that could not heal this scan.
    scores = {run: np.array(metrics[run]["scores"], float) for run in runs}
    best = min(sane, key=lambda run: np.nan_to_num(scores[run].mean(), nan=np.inf))
    floor = metrics[best].get("hidden", {}).get("floor")
    halved = any("pruned" in found for found in metrics.values())
    rows = []
    for run, hyperparameters in runs.items():
        found = metrics[run]
        shown = cast(Mapping[str, Any], found)
        behind = scores[run] - scores[best]
        error = float(behind.std(ddof=1) / np.sqrt(behind.size)) if behind.size > 1 else 0.0
        tie = min(error, FARTHEST_TIE * scores[best].mean())
        hidden = found.get("hidden", {})
        excess = np.subtract(*np.array([hidden.get("deviance"), floor], float))
        of_counts = {} if floor is None else {"excess": excess, "block_z": hidden["block_z"]}
        rows.append(
            {
                "run": run,
                "method": hyperparameters["method"],
                "score": found["score"],
                "score_error": found["score_error"],
                "behind": float(behind.mean()),
                "behind_error": error,
                "tied": bool(run in sane and behind.mean() <= tie),
                "collapsed": found["collapsed"],
                **of_counts,
                **{key: shown[key] for key in SHOWN if key in shown},
                **({"pruned": found.get("pruned", False), "trained": found.get("trained")} if halved else {}),
                "cost": found.get("cost", 0.0),
                **{key: value for key, value in hyperparameters.items() if key not in ("method", "iterations")},
            }
        )
    table = pd.DataFrame(rows)
    # Of those that tie the cheapest; of the others the better.
    by_cost = table.tied & ~table.pruned if halved else table.tied
    table["among_tied"] = table.cost.where(by_cost, np.inf)
    table = table.sort_values(["collapsed", "among_tied", "score"], kind="stable", ignore_index=True)
    table.insert(0, "rank", range(1, len(table) + 1))
    return table.drop(columns="among_tied")


def chosen(ranking: pd.DataFrame, heal_with: str) -> str:
    """The run that heals the scan: the first, or the first of the networks.

    Parameters
    ----------
    ranking : DataFrame
        From `rank`.
    heal_with : {"best", "dip"}

    Examples
    --------
    >>> ranking = pd.DataFrame({"run": ["telea", "lr-0.1"], "method": ["telea", "dip"]})
    >>> chosen(ranking, "best"), chosen(ranking, "dip")
    ('telea', 'lr-0.1')
    """
    of_kind = ranking if heal_with == "best" else ranking[ranking.method == "dip"]
    return str(of_kind.run.iloc[0])


def remarks(ranking: pd.DataFrame, heal_with: str) -> list[str]:
    """What a user is to know of the run that heals a scan, a line each; nothing where all is well.

    Parameters
    ----------
    ranking : DataFrame
        From `rank`.
    heal_with : {"best", "dip"}

    Examples
    --------
    >>> ranking = pd.DataFrame({"run": ["telea", "lr-0.1"], "method": ["telea", "dip"], "collapsed": [False, False]})
    >>> remarks(ranking[:1], "best")
    []
    >>> remarks(ranking, "best")
    ['telea scores better on the hidden pixels than every network, or as well for less; it heals this scan']
    """
    first, heals, lines = ranking.iloc[0], chosen(ranking, heal_with), []
    if first.method != "dip" and (ranking.method == "dip").any():
        instead = (
            "it heals this scan" if heals == first.run else f"{heals} heals it all the same, as heal_with: dip says"
        )
        lines.append(
            f"{first.run} scores better on the hidden pixels than every network, or as well for less; {instead}"
        )
    if first.collapsed:
        lines.append("every run collapsed: none painted more than a constant, and this healing is worth nothing")
    return lines
