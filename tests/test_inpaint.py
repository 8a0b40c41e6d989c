"""One run on one scan: its folds in lockstep, where it stops, and what it must not look at."""

import numpy as np
import pytest
import torch

from scatterheal.dip.fold import Fold, folds_of
from scatterheal.dip.inpaint import Training, inpaint
from scatterheal.dip.memory import needed
from scatterheal.dip.refit import refit
from scatterheal.dip.scene import settled, view_of
from scatterheal.errors import ScanError
from scatterheal.pattern.pattern import Pattern, overlay
from scatterheal.pattern.pixels import GAP
from scatterheal.pattern.units import scale_of
from scatterheal.settings.models import Fit

pytestmark = pytest.mark.usefixtures("shallow")

CPU = torch.device("cpu")
SHAPE, CENTRE = (36, 44), (21.0, 17.0)
Y, X = np.indices(SHAPE)
RADIUS = np.hypot(X - CENTRE[0], Y - CENTRE[1])
COUNTS = np.random.default_rng(0).poisson(4 + 60 * np.exp(-0.5 * ((RADIUS - 11) / 2) ** 2)).astype(np.float32)
MISSING = (Y >= 20) & (Y < 23)
HIDDEN = np.zeros((2, *SHAPE), np.uint16)
HIDDEN[0, 8:11], HIDDEN[1, 28:31] = GAP, GAP
SCAN = Pattern(COUNTS, np.zeros(SHAPE, np.uint8), MISSING, CENTRE, scale_of(COUNTS, "counts", valid=~MISSING))


def hyperparameters(**changed):
    tiny = {"channels": 4, "iterations": 4, "check_every": 2, "snapshot_every": 2, "radius_step": 2, "angles": 32}
    polar = {"domain": "polar", "loss": "poisson", "start": "radial", "input": "noise", "average": 0.9}
    return Fit(**{**tiny, **polar, "lr": 0.02, **changed})


KINDS = [
    {},
    {"start": "smooth", "loss": "anscombe"},
    {"domain": "cartesian", "start": "level", "input": "polar"},
    {"domain": "cartesian", "loss": "mse", "input": None, "average": 0},
]


def test_same_seed_same_bytes_another_seed_and_another_fold_others():
    runs = [inpaint(SCAN, HIDDEN, hyperparameters(seed=seed), CPU) for seed in (0, 0, 5)]
    assert runs[0].models.tobytes() == runs[1].models.tobytes() != runs[2].models.tobytes()
    assert runs[0].spreads.tobytes() == runs[1].spreads.tobytes()
    assert runs[0].metrics == runs[1].metrics
    assert runs[0].models.shape == runs[0].spreads.shape == HIDDEN.shape
    assert runs[0].models[0].tobytes() != runs[0].models[1].tobytes()


@pytest.mark.parametrize("chosen", KINDS)
def test_hidden_and_missing_pixels_have_no_influence_on_any_training(chosen):
    """What is hidden is the same as what is missing: only its score knows it."""
    chosen = hyperparameters(**chosen)
    first = inpaint(SCAN, HIDDEN, chosen, CPU)
    image = np.where((HIDDEN > 0).any(axis=0), COUNTS + 7, np.where(MISSING, np.nan, COUNTS)).astype(np.float32)
    for k in range(2):
        # Of one fold's hidden pixels; another fold sees these.
        spoilt = SCAN._replace(image=np.where(MISSING | (HIDDEN[k] > 0), image, COUNTS))
        again = inpaint(spoilt, HIDDEN, chosen, CPU)
        assert again.models[k].tobytes() == first.models[k].tobytes()
        assert again.models[1 - k].tobytes() != first.models[1 - k].tobytes()
        assert again.curve[f"loss_{k}"][1:] == first.curve[f"loss_{k}"][1:]
        assert again.curve[f"score_{k}"] != first.curve[f"score_{k}"]


@pytest.mark.parametrize("chosen", KINDS)
def test_a_refit_is_the_training_for_the_chosen_iterations_with_nothing_hidden(chosen):
    chosen = hyperparameters(iterations=6, **chosen)
    done = inpaint(SCAN, HIDDEN, chosen.model_copy(update={"iterations": 4, "seed": 3}), CPU)
    for k in range(2):
        seen = SCAN._replace(missing=MISSING | (HIDDEN[k] > 0))
        again = refit(seen, chosen, done.iterations, [3 + k], CPU)
        assert again.model.tobytes() == done.models[k].tobytes()
        assert again.spread.tobytes() == done.spreads[k].tobytes()
        assert not again.apart.any()
    assert done.iterations == 4
    assert refit(SCAN, chosen, 4, [3], CPU).model.tobytes() != refit(SCAN, chosen, 5, [3], CPU).model.tobytes()


def test_several_refits_heal_by_their_mean_and_tell_how_far_they_are_apart():
    chosen = hyperparameters(iterations=4)
    both, *each = (refit(SCAN, chosen, 4, seeds, CPU) for seeds in ([3, 4], [3], [4]))
    one, other = (single.model.astype(float) for single in each)
    np.testing.assert_allclose(both.model, np.sqrt(one * other), rtol=1e-5)
    assert both.apart.max() == pytest.approx(np.abs(one - other).max() / np.sqrt(2), rel=0.5)
    np.testing.assert_allclose(both.spread**2, (each[0].spread ** 2 + each[1].spread ** 2) / 2, rtol=1e-4)


def test_without_a_rule_all_iterations_are_made():
    done = inpaint(SCAN, HIDDEN, hyperparameters(iterations=5, stop="end"), CPU)
    assert done.iterations == done.metrics["iterations"] == 5
    assert done.curve["iteration"] == [0, 2, 4, 5]
    assert set(done.curve) == {"iteration", "loss_0", "loss_1", "score_0", "score_1"}
    assert list(done.snapshots) == [0, 2, 4, 5]
    assert not done.metrics["still_falling"]


def test_the_hidden_pixels_end_a_training_that_only_learns_noise():
    """Every pixel has the same rate, which is where it starts: nothing is to be learned."""
    chosen = hyperparameters(start="level", channels=16, lr=0.05, average=0, reg_noise_std=0)
    chosen = chosen.model_copy(update={"iterations": 200, "stop": "hidden", "patience": 6})
    stopped, ended = [], []
    for seed in range(5):
        scan = SCAN._replace(image=np.random.default_rng(seed).poisson(9, SHAPE).astype(np.float32))
        done = inpaint(scan, HIDDEN, chosen, CPU)
        # By chance some noise looks like a pattern for a while.
        assert done.curve["iteration"][-1] <= 40
        assert not done.metrics["still_falling"]
        assert done.metrics["iterations"] == done.iterations
        assert done.metrics["score"] == pytest.approx(
            np.mean([done.curve[f"score_{k}"][done.iterations // 2] for k in range(2)]), rel=1e-4
        )
        stopped.append(done.iterations)
        ended.append(done.curve["iteration"][-1])
    assert np.median(stopped) <= 4
    assert np.median(ended) <= 12


def test_a_training_that_still_becomes_better_says_so():
    chosen = hyperparameters(start="level", lr=0.005, stop="hidden", patience=50, iterations=6)
    done = inpaint(SCAN, HIDDEN, chosen, CPU)
    assert done.metrics["still_falling"]
    assert done.curve["iteration"][-1] == 6


def test_the_variance_ends_a_training_without_any_score(monkeypatch):
    chosen = hyperparameters(loss="mse", stop="variance", patience=4, iterations=60, average=0, lr=0.01)
    done = inpaint(SCAN, HIDDEN, chosen, CPU)
    assert done.iterations in done.curve["iteration"]
    assert 6 <= done.iterations < done.curve["iteration"][-1] < 60
    monkeypatch.setattr(Fold, "score", lambda fold, cells: float(np.random.default_rng().random()))
    assert inpaint(SCAN, HIDDEN, chosen, CPU).iterations == done.iterations


def test_a_scan_without_a_centre_or_counts_takes_what_it_can():
    colours = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    scan = Pattern(colours, SCAN.flags, MISSING, None, scale_of(colours, "colours"))
    done = inpaint(scan, HIDDEN, settled(hyperparameters(), scan, CPU), CPU, truth=colours)
    assert done.models.shape == (2, *SHAPE, 3) and done.spreads.shape == HIDDEN.shape
    assert done.models.min() >= 0 and done.models.max() <= 255
    assert done.metrics["truth_mse"] > 0
    assert done.snapshots[0][1].shape == (*SHAPE, 3)


def test_the_truth_is_told_of_hidden_and_missing_pixels():
    found = inpaint(SCAN, HIDDEN, hyperparameters(), CPU, truth=np.full(SHAPE, 8, np.float32))
    off = [np.abs(model / 8 - 1)[hidden > 0] for model, hidden in zip(found.models, HIDDEN, strict=True)]
    assert found.metrics["truth_error"] == pytest.approx(np.median(np.concatenate(off)))


def test_nothing_left_to_train_on_is_one_line():
    with pytest.raises(ScanError, match="mask: nothing is left to train on beside the hidden pixels; make it smaller"):
        inpaint(SCAN, np.stack([HIDDEN[0], (~MISSING).astype(np.uint16)]), hyperparameters(), CPU)


@pytest.mark.parametrize(
    ("changed", "key", "cells", "remedy"),
    [
        (
            {"domain": "cartesian", "max_side": None},
            "max_side",
            "36 x 44",
            "max_side: 32 or less, fewer channels, or precision: bfloat16",
        ),
        ({"precision": "bfloat16"}, "radius_step", "16 x 32", "radius_step: 4.1 or more, fewer channels"),
    ],
)
def test_more_memory_than_there_is_is_refused_before_a_training_starts(changed, key, cells, remedy, monkeypatch):
    monkeypatch.setattr("scatterheal.dip.memory.EACH_CELL", 10_000_000)
    monkeypatch.setattr("scatterheal.dip.memory.free", lambda device: 20_000_000_000)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    monkeypatch.setattr("scatterheal.dip.engines.ENGINES", {"fast": None})
    monkeypatch.setattr("scatterheal.dip.network.LEVELS", 5)
    chosen = hyperparameters(**changed)
    for start in (lambda: inpaint(SCAN, HIDDEN, chosen, CPU), lambda: refit(SCAN, chosen, 4, [3], CPU)):
        with pytest.raises(ScanError) as refused:
            start()
        assert str(refused.value) == (
            f"fit.{key}: a network of 4 channels on a canvas of {cells} cells takes about 41.0 GB of memory, "
            f"and 20.0 GB are free; set {remedy}"
        )


def test_the_paintings_that_all_folds_keep_are_a_part_of_what_is_told(caplog, monkeypatch):
    caplog.set_level("INFO", "scatterheal.dip.memory")
    monkeypatch.setattr("scatterheal.dip.memory.free", lambda device: 1e12)
    long = hyperparameters(iterations=10**6, check_every=1)
    # 16 x 32 cells of four bytes, and two folds.
    for chosen in (hyperparameters(iterations=1, check_every=1), long):
        Training(SCAN, folds_of(SCAN, HIDDEN, chosen, view_of(SCAN, chosen)), chosen, CPU)
    few, many = (float(message.split()[4]) for message in caplog.messages)
    assert many - few == pytest.approx(2 * 10**6 * 16 * 32 * 4 / 1e9, abs=0.1)


@pytest.mark.parametrize("domain", ["polar", "cartesian"])
@pytest.mark.parametrize("network", ["vase", "kate"])
def test_where_memory_is_short_less_is_kept_and_the_bytes_are_the_same(domain, network, monkeypatch):
    chosen = hyperparameters(domain=domain, network=network, param_noise=True)
    whole, again = (inpaint(SCAN, HIDDEN, chosen, CPU), refit(SCAN, chosen, 4, [3], CPU))
    kept = []
    pack = torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.nbytes) or tensor, lambda x: x)
    with pack:
        inpaint(SCAN, HIDDEN, chosen, CPU)
    freely = sum(kept)
    monkeypatch.setattr("scatterheal.dip.memory.free", lambda device: 1e9)
    monkeypatch.setattr(
        "scatterheal.dip.memory.needed", lambda *given, sparing=False: needed(*given) and (0.9e9 if sparing else 1.05e9)
    )
    kept.clear()
    with pack:
        sparing = inpaint(SCAN, HIDDEN, chosen, CPU)
    assert sum(kept) < 0.8 * freely
    assert sparing.models.tobytes() == whole.models.tobytes() and sparing.curve == whole.curve
    assert refit(SCAN, chosen, 4, [3], CPU).model.tobytes() == again.model.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_known_pixels_leave_bit_by_bit(dtype):
    random = np.random.default_rng(0)
    shape = SHAPE if dtype is np.float32 else (*SHAPE, 3)
    image, model = random.integers(0, 256, shape).astype(dtype), random.normal(100, 200, shape).astype(np.float32)
    healed = overlay(image, MISSING, model)
    assert healed.dtype == dtype and healed[~MISSING].tobytes() == image[~MISSING].tobytes()
    inside = model[MISSING] if dtype is np.float32 else model[MISSING].round().clip(0, 255)
    np.testing.assert_array_equal(healed[MISSING], inside)
