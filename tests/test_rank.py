"""Which run is the best, and which heals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scatterheal.validation.rank import chosen, rank


def metrics_of(scores, cost=None, collapsed=False, **more):
    scores = list(scores)
    return {
        "scores": scores,
        "score": float(np.mean(scores)),
        "score_error": float(np.std(scores, ddof=1) / math.sqrt(len(scores))) if len(scores) > 1 else 0.0,
        "collapsed": collapsed,
        **({} if cost is None else {"cost": cost}),
        **more,
    }


def table_of(**each):
    runs = {run: {"method": "dip" if "cost" in found else run} for run, found in each.items()}
    return rank(runs, each)


def test_ties_go_to_the_cheaper_run():
    """In one fold the dear run is better by as much as it is worse in the other, and a little."""
    table = table_of(
        dear=metrics_of([1.0, 2.0], cost=9),
        cheap=metrics_of([1.004, 1.998], cost=3),
        far=metrics_of([1.3, 2.3], cost=1),
    )
    assert table.run.tolist() == ["cheap", "dear", "far"]
    assert table.tied.tolist() == [True, True, False]
    assert table.behind.tolist() == pytest.approx([0.001, 0, 0.3])
    assert table.behind_error.tolist() == pytest.approx([0.003, 0, 0])


def test_no_tie_is_wider_than_a_thousandth_however_far_folds_are_apart():
    """Who fails in one fold has a large error, and ties with nobody for that."""
    table = table_of(net=metrics_of([1.01, 1.01], cost=9), flat=metrics_of([1.0099, 6.0], cost=1))
    assert table.run.tolist() == ["net", "flat"] and table.behind_error[1] > table.behind[1]


def test_a_pruned_run_is_first_only_where_it_is_better_than_all_that_went_to_the_end():
    """By more than noise: that it cost little is no merit."""
    pruned, whole = {"pruned": True, "trained": 200}, {"pruned": False, "trained": 6000}
    table = table_of(
        tied=metrics_of([1.003, 1.999], cost=1, **pruned),
        whole=metrics_of([1.0, 2.0], cost=9, **whole),
        telea=metrics_of([1.3, 2.3]),
    )
    assert table.run.tolist() == ["whole", "tied", "telea"] and table.tied.tolist() == [True, True, False]
    assert table.pruned.tolist() == [False, True, False] and table.trained.tolist()[:2] == [6000, 200]
    # Also where it is a little better; and first where it is much better.
    for lower, first in (0.9999, "whole"), (0.9, "pruned"):
        table = table_of(
            pruned=metrics_of([lower, lower], cost=1, **pruned), whole=metrics_of([1.0005, 0.9995], cost=9, **whole)
        )
        assert table.run[0] == first
    assert "pruned" not in table_of(whole=metrics_of([1.0], cost=1))


def test_the_excess_of_all_runs_is_above_the_best_ones_floor():
    hidden = {
        "net": {"deviance": 1.0, "floor": 0.9, "block_z": 1.0},
        "flat": {"deviance": 1.2, "floor": 1.3, "block_z": 2.0},
    }
    table = table_of(**{run: {**metrics_of([found["deviance"]]), "hidden": found} for run, found in hidden.items()})
    assert table.excess.tolist() == pytest.approx([0.1, 0.3])


def test_folds_are_compared_one_by_one():
    """One fold is far brighter than the other, for both runs; where both agree nothing is a tie."""
    table = table_of(dear=metrics_of([1.0, 9.0], cost=9), cheap=metrics_of([1.01, 9.02], cost=1))
    assert table.run.tolist() == ["dear", "cheap"]
    assert table.score_error[0] > 100 * table.behind[1] > 100 * table.behind_error[1] > 0


def test_what_is_no_network_costs_nothing():
    table = table_of(net=metrics_of([1.0, 1.0], cost=1), telea=metrics_of([1.002, 0.9985]))
    assert table.run.tolist() == ["telea", "net"]
    assert table.method.tolist() == ["telea", "dip"]
    assert (chosen(table, "best"), chosen(table, "dip")) == ("telea", "net")


def test_with_one_fold_the_better_score_wins():
    table = table_of(dear=metrics_of([1.0], cost=9), cheap=metrics_of([1.001], cost=1), same=metrics_of([1.0], cost=3))
    assert table.run.tolist() == ["same", "dear", "cheap"]


def test_a_collapsed_run_is_last_and_no_tie_unless_all_are():
    table = table_of(net=metrics_of([2.0, 2.0], cost=1), flat=metrics_of([1.0, 1.0], cost=0, collapsed=True))
    assert table.run.tolist() == ["net", "flat"] and table.tied.tolist() == [True, False]
    table = table_of(a=metrics_of([2.0], cost=1, collapsed=True), b=metrics_of([1.0], cost=2, collapsed=True))
    assert table.run.tolist() == ["b", "a"]


def test_a_method_that_could_not_heal_a_scan_is_last():
    """Its scores are null in metrics.json."""
    nothing = {"scores": [None, None], "score": None, "score_error": None, "collapsed": True}
    for of_counts in ({}, {"hidden": {"deviance": None, "floor": None, "block_z": None}}):
        table = table_of(pyfai={**nothing, **of_counts}, net=metrics_of([1.0, 1.2], cost=1))
        assert table.run.tolist() == ["net", "pyfai"] and table.tied.tolist() == [True, False]
    assert table_of(pyfai=nothing, liu2017=nothing).run[0] == "pyfai"


SCORES = st.lists(st.tuples(st.floats(0.5, 3), st.floats(0.5, 3), st.integers(0, 5)), min_size=1, max_size=6)


@given(SCORES)
def test_the_first_is_never_worse_than_the_best_by_more_than_its_error(scores):
    table = table_of(**{f"r{k}": metrics_of(pair, cost=cost) for k, (*pair, cost) in enumerate(scores)})
    assert table["rank"].tolist() == list(range(1, len(scores) + 1))
    first = table.iloc[0]
    assert first.behind <= min(first.behind_error, 1e-3 * table.score.min())
    assert first.tied and (table.cost[table.tied] >= first.cost).all()
    assert table.behind.min() == 0
    assert table.score[~table.tied].is_monotonic_increasing
