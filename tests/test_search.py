"""Successive halving: how far which run is trained, who goes on, and that what is left is what it would be alone."""

import functools
import importlib.util
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_inpaint import CPU, HIDDEN, SCAN, hyperparameters

from scatterheal import storage
from scatterheal.dip.halving import Rung, cost, halving, rungs, trainings
from scatterheal.dip.inpaint import Training, inpaint
from scatterheal.settings.runs import hyperparameters_of

spec = importlib.util.spec_from_file_location("of_halving", Path(__file__).parents[1] / "benchmarks" / "halving.py")
benchmark = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmark)

pytestmark = pytest.mark.usefixtures("shallow")

# Of different sizes, on different canvases, by different losses.
GRID = {
    "lr-0.3": {"lr": 0.3},
    "cartesian": {"domain": "cartesian"},
    "mse": {"loss": "mse", "start": "level"},
    "shaken": {"param_noise": True, "channels": 8},
    "smooth": {"start": "smooth", "lr": 0.005},
}


def grid(**common):
    common = {"iterations": 16, "check_every": 2, **common}
    return {run: hyperparameters(**common, **chosen) for run, chosen in GRID.items()}


@functools.cache
def alone(run, iterations):
    """A run of the grid by itself, trained to its end."""
    return inpaint(SCAN, HIDDEN, grid(iterations=iterations)[run], CPU)


@given(st.integers(1, 200), st.integers(1, 400), st.integers(1, 30))
def test_a_rung_trains_fewer_runs_farther_and_the_last_one_to_the_end(runs, checks, check_every):
    iterations = checks * check_every
    plan = rungs(runs, iterations, check_every)
    assert plan[0].runs == runs and plan[-1].until == iterations
    for rung, after in itertools.pairwise(plan):
        assert 1 <= after.runs < rung.runs and rung.until < after.until
        assert rung.until % check_every == 0
    assert plan[0].until == min(check_every, iterations) or cost(plan) <= max(runs / 10, 2) * iterations


@pytest.mark.parametrize(
    ("runs", "iterations", "check_every", "most"), [(40, 6000, 100, 24000), (24, 600, 10, 1440), (64, 600, 10, 3840)]
)
def test_a_large_grid_costs_a_tenth(runs, iterations, check_every, most):
    plan = rungs(runs, iterations, check_every)
    # Twice as far in each rung; one check more in the first would be too much.
    longer = [rung._replace(until=rung.until + check_every * 2**k) for k, rung in enumerate(plan[:-1])]
    assert cost(plan) <= most < cost([*longer, plan[-1]])


def same(a, b):
    assert a.models.tobytes() == b.models.tobytes() and a.spreads.tobytes() == b.spreads.tobytes()
    assert {key: a.metrics[key] for key in b.metrics} == b.metrics
    np.testing.assert_equal(a.curve, b.curve)
    assert {k: (score, image.tobytes()) for k, (score, image) in a.snapshots.items()} == {
        k: (score, image.tobytes()) for k, (score, image) in b.snapshots.items()
    }


@pytest.mark.parametrize("order", [1, -1])
def test_a_run_gives_the_same_bytes_alone_with_others_and_in_another_order(order):
    asked = dict(list(grid(iterations=4).items())[::order])
    together = trainings(SCAN, HIDDEN, asked, CPU)
    for until in (0, 2, 4):
        # Something else uses the global generators in between.
        torch.rand(until + 1)
        for training in list(together.values())[:: 1 if until % 4 else -1]:
            training.advance(until)
    for run, training in together.items():
        same(training.result(), alone(run, 4))


def test_a_training_goes_on_from_where_it_is():
    (training,) = trainings(SCAN, HIDDEN, {"run": hyperparameters(iterations=6)}, CPU).values()
    training.advance(3)
    assert training.trained == 4
    half, standing = training.result(), training.standing()
    assert training.standing() == standing and half.iterations == 4
    same(half, inpaint(SCAN, HIDDEN, hyperparameters(iterations=4), CPU))
    training.advance()
    same(training.result(), inpaint(SCAN, HIDDEN, hyperparameters(iterations=6), CPU))


def test_the_best_go_on_to_what_they_would_be_alone_and_the_others_stay_as_they_are(monkeypatch):
    monkeypatch.setattr("scatterheal.dip.halving.rungs", lambda *_: [Rung(5, 2), Rung(2, 4), Rung(1, 6)])
    asked = grid(iterations=6)
    left = trainings(SCAN, HIDDEN, asked, CPU)
    done = {}
    for run, outcome in halving(left, CPU):
        assert run not in left
        done[run] = outcome
    assert not left
    told = {run: (outcome.metrics["pruned"], outcome.metrics["trained"]) for run, outcome in done.items()}
    assert sorted(told.values()) == [(False, 6), (True, 2), (True, 2), (True, 2), (True, 4)]
    for run, outcome in done.items():
        same(outcome, alone(run, outcome.metrics["trained"]))
    best = sorted(asked, key=lambda run: alone(run, 2).metrics["score"])[:2]
    assert {run for run, (_, trained) in told.items() if trained > 2} == set(best)


def test_the_training_loss_has_no_say(monkeypatch):
    """Losses that are no numbers prune the same runs."""
    asked, look_at = grid(iterations=8), Training._look_at

    def ended():
        return {run: done.metrics["trained"] for run, done in halving(trainings(SCAN, HIDDEN, asked, CPU), CPU)}

    def without_losses(training, paintings):
        look_at(training, [painting._replace(loss=np.nan * painting.loss) for painting in paintings])

    before = ended()
    monkeypatch.setattr(Training, "_look_at", without_losses)
    assert ended() == before and len(set(before.values())) > 1


def told(scores, cost=1.0, collapsed=False, end=16):
    """A run with these scores in its two folds, however far it is trained; it ends by itself at `end`."""
    metrics = {"scores": scores, "score": np.mean(scores), "score_error": 0.0, "collapsed": collapsed, "cost": cost}
    chosen = {"method": "dip", "iterations": 16, "check_every": 2}
    rungs_of_four = {str(rung.until): rung.until for rung in rungs(4, 16, 2)}
    return benchmark.Replay(
        {
            "chosen": chosen,
            "rungs": {
                key: dict(trained=min(until, end), ended=until >= end, standing=metrics, metrics=metrics)
                for key, until in rungs_of_four.items()
            },
        }
    )


@pytest.mark.parametrize(
    ("runs", "winner"),
    [
        # Better in one fold, worse in the other: a tie.
        (
            {"dear": told([1.0, 2.0], 9), "cheap": told([1.004, 1.998], 3), "far": told([1.3, 2.3]), "a": told([3, 3])},
            "cheap",
        ),
        ({"flat": told([0.1, 0.1], collapsed=True), "a": told([3, 3]), "b": told([2, 2]), "c": told([2, 3])}, "b"),
        ({"none": told([np.nan, np.nan]), "a": told([3, 3]), "b": told([4, 4]), "c": told([5, 5])}, "a"),
    ],
)
def test_ties_go_to_the_cheaper_and_collapsed_runs_and_no_numbers_go_first(runs, winner):
    done = {run: outcome.metrics for run, outcome in halving(dict(runs), CPU)}
    assert [run for run, metrics in done.items() if not metrics["pruned"]] == [winner]
    assert {metrics["trained"] for metrics in done.values() if metrics["pruned"]} == {rungs(4, 16, 2)[0].until}


def test_a_training_that_had_ended_by_itself_was_not_pruned():
    runs = {"slow": told([1, 1]), "done": told([4, 4], end=4), "other": told([5, 5]), "another": told([3, 3])}
    metrics = {run: outcome.metrics for run, outcome in halving(runs, CPU)}
    assert {run: (told["pruned"], told["trained"]) for run, told in metrics.items()} == {
        **{"slow": (False, 16), "done": (False, 4)},
        **dict.fromkeys(["other", "another"], (True, rungs(4, 16, 2)[0].until)),
    }


def test_a_replay_of_the_whole_grid_decides_as_halving_does():
    """So that benchmarks/halving.py may train every run once."""
    asked = grid(iterations=20, stop="hidden", patience=4)
    true = {run: done.metrics for run, done in halving(trainings(SCAN, HIDDEN, asked, CPU), CPU)}
    records = {
        run: benchmark.record(SCAN, HIDDEN, hyperparameters_of(chosen), CPU, rungs(5, 20, 2))
        for run, chosen in asked.items()
    }
    replays = {run: benchmark.Replay(json.loads(storage.as_json(recorded))) for run, recorded in records.items()}
    replayed = {run: done.metrics for run, done in halving(replays, CPU)}
    assert list(replayed) == list(true)
    assert replayed == true
