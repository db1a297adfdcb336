"""Heads on the support set: the paper's steps written out, and many episodes as one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from nshot.nets.cosine_head import cosine_logits
from nshot.nets.support_heads import Recipe, batches, fit_cosine, fit_linear

SHORT = Recipe(learning_rate=0.1, passes=3, batch_size=4, weight_decay=0.01)


def toy(episodes: int, way: int = 3, shot: int = 2, width: int = 5):
    draw = torch.Generator().manual_seed(0)
    centres = torch.randn(episodes, way, 1, width, generator=draw, dtype=torch.float64)
    noise = torch.randn(episodes, way, shot, width, generator=draw, dtype=torch.float64)
    support = (3 * centres + 0.3 * noise).flatten(1, 2)
    return support, torch.arange(way).repeat_interleave(shot).expand(episodes, -1)


def linear_by_hand(rows, targets, way: int, recipe: Recipe):
    """Softmax regression: gradient (p - y) x^T, momentum 0.9 damped by 0.9, decay on both."""
    size = np.sqrt((rows**2).mean())
    rows = rows / size
    weights, bias = np.zeros((way, rows.shape[1])), np.zeros(way)
    moving = None
    for batch in batches(len(rows), recipe):
        x, y = rows[batch.numpy()], np.eye(way)[targets[batch.numpy()]]
        logits = x @ weights.T + bias
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        slopes = [(p - y).T @ x / len(x), (p - y).mean(axis=0)]
        slopes = [g + recipe.weight_decay * w for g, w in zip(slopes, (weights, bias), strict=True)]
        moving = slopes if moving is None else [
            0.9 * m + 0.1 * g for m, g in zip(moving, slopes, strict=True)
        ]  # fmt: skip
        weights = weights - recipe.learning_rate * moving[0]
        bias = bias - recipe.learning_rate * moving[1]
    return weights / size, bias


def test_a_linear_head_takes_the_steps_of_the_paper():
    support, targets = toy(2)
    weights, bias = fit_linear(support, targets, 3, SHORT)
    for i in range(2):
        wanted = linear_by_hand(support[i].numpy(), targets[i].numpy(), 3, SHORT)
        np.testing.assert_allclose(weights[i].numpy(), wanted[0], atol=1e-12)
        np.testing.assert_allclose(bias[i].numpy(), wanted[1], atol=1e-12)


def test_a_cosine_head_takes_one_step_worked_out_by_hand():
    """d cos(x, w) / d w = (x / |x| - cos w / |w|) / |w|."""
    support, targets = toy(1)
    recipe = replace(SHORT, passes=1, batch_size=6, weight_decay=0.0)
    start, scale = fit_cosine(support, targets, 3, replace(recipe, learning_rate=0.0))
    weights, after = fit_cosine(support, targets, 3, recipe)
    x, w, s = support[0].numpy(), start[0].numpy(), scale.item()
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    cos = x @ w.T  # the start has unit length
    p = np.exp(s * cos) / np.exp(s * cos).sum(axis=1, keepdims=True)
    miss = (p - np.eye(3)[targets[0].numpy()]) / len(x)
    slope = np.stack(
        [s * sum(miss[i, j] * (x[i] - cos[i, j] * w[j]) for i in range(len(x))) for j in range(3)]
    )
    np.testing.assert_allclose(weights[0].numpy(), w - recipe.learning_rate * slope, atol=1e-6)
    np.testing.assert_allclose(
        after.item(), s - recipe.learning_rate * (miss * cos).sum(), atol=1e-6
    )


def test_an_episode_among_others_is_as_if_alone():
    support, targets = toy(5)
    for fit in (fit_linear, fit_cosine):
        together = fit(support, targets, 3, SHORT)
        alone = fit(support[3:4], targets[3:4], 3, SHORT)
        for many, one in zip(together, alone, strict=True):
            torch.testing.assert_close(many[3:4], one)


def test_both_heads_learn_their_support_set_whatever_its_size():
    for factor in (1e-3, 1e3):
        support, targets = toy(8, width=16)
        support = support * factor
        weights, bias = fit_linear(support, targets, 3, Recipe())
        said = support @ weights.transpose(1, 2) + bias[:, None]
        assert (said.argmax(-1) == targets).double().mean() > 0.95
        weights, scale = fit_cosine(support, targets, 3, Recipe())
        said = cosine_logits(support, weights, scale[:, None, None])
        assert (said.argmax(-1) == targets).double().mean() > 0.95


def test_each_pass_shows_every_row_once():
    passes = batches(10, Recipe(passes=2, batch_size=4))  # three batches a pass: 4, 4, 2
    assert [len(rows) for rows in passes] == [4, 4, 2, 4, 4, 2]
    assert sorted(torch.cat(passes[:3]).tolist()) == list(range(10))
    assert passes[0].tolist() != passes[3].tolist()
