from __future__ import annotations

import numpy as np
import pytest
import torch
from small_training import small_recipe

from rtsep.train.loss import LOSSES
from rtsep.train.recipe import Recipe
from rtsep.train.trainer import learning_rate

SHAPE = (2, 3, 2, 64, 8)  # stems, batch, channels, frames, bins


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    masks = rng.uniform(0, 1, SHAPE)
    stems = rng.normal(size=SHAPE) + 1j * rng.normal(size=SHAPE)
    return masks, stems.sum(axis=0), stems


def loss(name, masks, mixture, stems):
    return LOSSES[name](torch.tensor(masks), torch.tensor(mixture), torch.tensor(stems)).item()


def test_l1_is_the_mean_per_stem_summed(case):
    masks, mixture, stems = case
    expected = sum(
        np.mean(np.abs(m * np.abs(mixture) - np.abs(s))) for m, s in zip(masks, stems, strict=True)
    )
    assert loss("l1_mask", *case) == pytest.approx(expected, rel=1e-12)


def test_weighted_l1_weighs_by_the_segments_mean(case):
    masks, mixture, stems = case
    expected = 0.0
    for mask, stem in zip(masks, stems, strict=True):
        per_segment = [
            np.mean(np.abs(s)) * np.abs(m * np.abs(x) - np.abs(s))
            for m, x, s in zip(mask, mixture, stem, strict=True)
        ]
        expected += np.mean(per_segment)
    assert loss("weighted_l1_mask", *case) == pytest.approx(expected, rel=1e-12)


def test_complex_loss_segment_by_segment(case):
    masks, mixture, stems = case
    stems[0, 1] *= 1e-3  # a stem that counts as silent
    mixture = stems.sum(axis=0)
    weights = np.r_[np.ones(32), 2 * np.ones(32)] / 1.5
    expected = 0.0
    for mask, stem in zip(masks, stems, strict=True):
        for m, x, s in zip(mask, mixture, stem, strict=True):
            error = sum(weights[t] * np.sum(np.abs(m[:, t] * x[:, t] - s[:, t]) ** 2) for t in range(64))
            power = np.sum(np.abs(x) ** 2) + 1e-3
            expected += error / np.sqrt(power * max(np.sum(np.abs(s) ** 2), power / 100)) / 3
    assert loss("complex", masks, mixture, stems) == pytest.approx(expected, rel=1e-9)


def test_cross_entropy_segment_by_segment(case):
    masks, mixture, stems = case
    stems[0, 1] *= 1e-3
    mixture = stems.sum(axis=0)
    frame_weights = (np.r_[np.ones(32), 2 * np.ones(32)] / 1.5)[:, None]
    expected = 0.0
    for mask, stem in zip(masks, stems, strict=True):
        for m, x, s in zip(mask, mixture, stem, strict=True):
            t = np.clip((s / x).real, 0, 1)
            w = np.abs(x) * frame_weights
            error = -np.sum(w * (t * np.log(m) + (1 - t) * np.log(1 - m)))
            expected += error / (np.sqrt(w.sum() * max((w * t).sum(), w.sum() / 10)) + 1e-3) / 3
    assert loss("cross_entropy", masks, mixture, stems) == pytest.approx(expected, rel=1e-6)


def test_cross_entropy_is_least_at_the_best_mask(case):
    _, mixture, stems = case
    best = np.clip((stems / mixture).real, 1e-3, 1 - 1e-3)
    stems = best * mixture  # for which no phase stands in the way
    least = loss("cross_entropy", best, mixture, stems)
    for shift in (-5e-4, 5e-4):
        assert loss("cross_entropy", best + shift, mixture, stems) > least


def test_cross_entropy_teaches_masks_that_are_far_off(case):
    _, mixture, stems = case
    slopes = {}
    for name in ("complex", "cross_entropy"):
        logits = torch.full(SHAPE, -9.0, dtype=torch.float64, requires_grad=True)
        LOSSES[name](torch.sigmoid(logits), torch.tensor(mixture), torch.tensor(stems)).backward()
        slopes[name] = logits.grad.abs().mean().item()
    assert slopes["cross_entropy"] > 1000 * slopes["complex"]


@pytest.mark.parametrize("name", sorted(LOSSES.keys() - {"cross_entropy"}))
def test_right_masks_cost_nothing(case, name):
    _, mixture, _ = case
    masks = np.random.default_rng(1).uniform(0, 1, SHAPE)
    assert loss(name, masks, mixture, masks * mixture) == pytest.approx(0, abs=1e-12)


def test_relative_losses_do_not_care_how_loud(case):
    masks, mixture, stems = case
    assert loss("complex", masks, 100 * mixture, 100 * stems) == pytest.approx(
        loss("complex", *case), rel=1e-6
    )


def test_the_rate_warms_up_and_ends_at_nothing():
    training = {"n_steps": 100, "warm_up_steps": 10, "learning_rate": 0.5, "schedule": "cosine"}
    settings = Recipe.model_validate(small_recipe(training=training)).training
    rates = [learning_rate(settings, step) for step in range(101)]
    assert rates[0] == pytest.approx(0.05)
    assert rates[50] == pytest.approx(0.25)
    assert rates[100] == pytest.approx(0, abs=1e-12)
    assert np.argmax(rates) == 9
