"""Scores of counts and of pictures, per fold and together."""

import json

import numpy as np
import pytest
from scipy.stats import poisson

from scatterheal.pattern.pixels import BEAMSTOP, GAP, HOLDER
from scatterheal.validation.scores import combine, score_counts, score_values, strongest_ring

CENTRE = (150.0, 120.0)


def rings(height=240, width=300):
    rows, columns = np.mgrid[:height, :width]
    radius = np.hypot(columns - CENTRE[0], rows - CENTRE[1])
    return (2 + 8 * np.exp(-(((radius - 70) / 4) ** 2)) + 4 * np.exp(-(((radius - 95) / 4) ** 2))).astype(np.float32)


def hidden_parts(shape=(240, 300)):
    hidden = np.zeros(shape, np.uint16)
    hidden[40:60] = GAP
    hidden[150:180, 200:230] = BEAMSTOP
    hidden[50:58, 100:140] |= HOLDER
    return hidden


def drawn(rate, seed=0):
    return np.random.default_rng(seed).poisson(rate).astype(np.float32)


def test_the_true_rate_scores_as_shot_noise_alone():
    rate, hidden = rings(), hidden_parts()
    counts = drawn(rate)
    counts[:5] = np.nan
    known = (hidden == 0) & np.isfinite(counts)
    scores = json.loads(json.dumps(score_counts(counts, hidden & 0, rate, known, hidden, CENTRE)))
    assert scores["score"] == scores["hidden"]["deviance"]
    assert scores["relative"] == pytest.approx(1, abs=0.03)
    assert scores["hidden"]["excess"] == pytest.approx(0, abs=0.05) and not scores["collapsed"]
    assert scores["hidden"]["block_z"] == pytest.approx(1, abs=0.25)
    assert {name: part["pixels"] for name, part in scores["kinds"].items()} == {
        "gap": 6000,
        "beamstop": 900,
        "holder": 320,
    }
    assert sum(ring["pixels"] for ring in scores["rings"]) == scores["hidden"]["pixels"]
    assert scores["strongest_ring"]["inner"] < 70 < scores["strongest_ring"]["outer"]


def test_a_bias_that_no_pixel_shows_is_seen_in_blocks_and_in_its_ring():
    rate, hidden = rings(), hidden_parts()
    wrong = rate.copy()
    wrong[hidden & BEAMSTOP > 0] *= 1.3
    scores = score_counts(drawn(rate), hidden & 0, wrong, hidden == 0, hidden, CENTRE)
    assert scores["kinds"]["beamstop"]["block_z"] > 4 > 1.5 > scores["kinds"]["gap"]["block_z"]


def test_censored_counts_are_scored_by_what_is_known_of_them():
    rate, hidden = rings() / 4, hidden_parts()
    counts = drawn(rate)
    low = counts <= 1
    scores = score_counts(
        np.where(low, np.float32(0.5), counts), low.astype(np.uint8), rate, hidden == 0, hidden, CENTRE
    )
    assert scores["hidden"]["ratio"] == pytest.approx(1, abs=0.05)
    assert scores["hidden"]["block_z"] == pytest.approx(1, abs=0.25)


def test_a_constant_has_collapsed_and_so_has_what_is_no_number():
    rate, hidden = rings(), hidden_parts()
    counts, flags, known = drawn(rate), hidden & 0, hidden == 0
    for painted in (np.full_like(rate, counts.mean()), np.full_like(rate, np.nan)):
        assert score_counts(counts, flags, painted, known, hidden, None)["collapsed"]
    # Few counts, little contrast: the truth explains less than 1 % more than a constant does, which explains all of it.
    flat = 0.3 + rate / rate.std() * 0.05
    counts = drawn(flat, 1)
    assert not score_counts(counts, flags, flat, known, hidden, None)["collapsed"]
    assert score_counts(drawn(np.full_like(rate, 0.3), 1), flags, flat, known, hidden, None)["collapsed"]


def test_counts_that_do_not_scatter_at_all_have_a_block_z_of_zero():
    """A rate that is right everywhere: no scan is like that, but a broken one may be."""
    counts, hidden = np.full((60, 90), 3, np.float32), np.zeros((60, 90), np.uint16)
    hidden[10:40] = GAP
    fold = score_counts(counts, hidden & 0, counts, hidden == 0, hidden, None)
    assert combine([fold, fold])["hidden"]["block_z"] == combine([fold, fold])["hidden"]["block_z_error"] == 0


def test_folds_are_pooled_by_their_pixels():
    rate, hidden = rings(), hidden_parts()
    counts = drawn(rate)
    both = score_counts(counts, hidden & 0, rate, hidden == 0, hidden, CENTRE)
    folds = [
        score_counts(counts, hidden & 0, rate, hidden == 0, hidden * (hidden & bit > 0), CENTRE)
        for bit in (GAP, BEAMSTOP)
    ]
    together = combine(folds)
    assert together["score"] == pytest.approx(np.mean([fold["score"] for fold in folds]))
    assert together["score_error"] == pytest.approx(abs(folds[0]["score"] - folds[1]["score"]) / 2)
    for key in ("pixels", "deviance", "floor", "excess", "ratio", "block_z", "block_z_error", "blocks"):
        # Half blocks are rounded before they are added.
        few = 0.02 if key.startswith("block") else 1e-6
        assert together["hidden"][key] == pytest.approx(both["hidden"][key], rel=few)
    assert set(together["kinds"]) == {"gap", "holder", "beamstop"} and len(together["rings"]) == len(both["rings"])
    assert combine(folds[:1])["score_error"] is None


def test_a_picture_is_scored_in_its_own_range():
    image = np.zeros((4, 4, 3), np.float32)
    image[:, ::2] = 1
    painted = image.copy()
    painted[3] += 0.25
    hidden = np.zeros((4, 4), np.uint16)
    hidden[3] = GAP
    scores = score_values(painted, image, hidden == 0, hidden)
    assert (scores["score"], scores["known"]["mse"], scores["collapsed"]) == (0.0625, 0.0, False)
    assert scores["kinds"] == {"gap": {"pixels": 4, "mse": 0.0625}}
    for failed in (np.full_like(image, 0.5), np.full_like(image, np.nan)):
        assert score_values(failed, image, hidden == 0, hidden)["collapsed"]
    assert combine([scores, scores])["hidden"] == {"pixels": 8, "mse": 0.0625}


def test_the_best_picture_of_few_counts_has_not_collapsed():
    expected = np.random.default_rng(0).uniform(0.2, 0.7, (200, 200))
    image = np.log1p(drawn(expected, 1))
    painted = sum(poisson.pmf(n, expected) * np.log1p(n) for n in range(30)).astype(np.float32)
    hidden = np.zeros((200, 200), np.uint16)
    hidden[:20] = GAP
    assert not score_values(painted, image, hidden == 0, hidden)["collapsed"]


def test_the_beams_tail_at_the_edge_of_the_beamstop_is_no_ring():
    rows, columns = np.mgrid[:240, :300]
    radius = np.hypot(columns - CENTRE[0], rows - CENTRE[1])
    counts = drawn(1 + 500 * np.exp(-radius / 10))
    valid = radius > 12
    assert strongest_ring(counts[valid], radius[valid]) is None
    inner, outer = strongest_ring((counts + drawn(rings()))[valid], radius[valid])
    # Full width at half height: 2 sqrt(ln 2) 4 = 6.7 pixels, and the smoothing.
    assert inner < 70 < outer and outer - inner == pytest.approx(7.5, abs=1)
