"""The relation module against the paper's: the two maps laid together by channel, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nshot.nets.relation import RelationModule

CHANNELS, SIZE = 2, 5


@pytest.fixture
def relation() -> RelationModule:
    """With statistics and norms that are not those of the start."""
    torch.manual_seed(0)
    module = RelationModule(CHANNELS, SIZE, SIZE, hidden=3).double().eval().requires_grad_(False)
    for norm in (module.together[1], module.block[2]):
        for name in ("running_mean", "running_var", "weight", "bias"):
            getattr(norm, name).uniform_(0.3, 1.2)
    return module


def convolved(image, weight, bias):
    """3x3 with a border of zeros, written out: (c, s, s) -> (o, s, s)."""
    size = image.shape[1]
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    out = np.zeros((len(weight), size, size))
    for o in range(len(weight)):
        for y in range(size):
            for x in range(size):
                out[o, y, x] = (padded[:, y : y + 3, x : x + 3] * weight[o]).sum() + bias[o]
    return out


def pooled(image):
    half = image.shape[1] // 2
    return image[:, : 2 * half, : 2 * half].reshape(len(image), half, 2, half, 2).max(axis=(2, 4))


def normed(image, norm):
    mean, var, weight, bias = (
        getattr(norm, name).numpy()[:, None, None]
        for name in ("running_mean", "running_var", "weight", "bias")
    )
    return np.maximum((image - mean) / np.sqrt(var + norm.eps) * weight + bias, 0)


def by_hand(module: RelationModule, of_class, query) -> float:
    laid = np.concatenate([of_class, query])
    kernel = np.concatenate([module.of_class.weight, module.of_query.weight], axis=1)
    first = normed(
        pooled(convolved(laid, kernel, module.of_class.bias.numpy())), module.together[1]
    )
    conv, _, norm, _ = module.block
    second = convolved(first, conv.weight.numpy(), conv.bias.numpy())
    second = normed(pooled(second), norm).flatten()
    _, one, _, two = module.score
    inner = np.maximum(one.weight.numpy() @ second + one.bias.numpy(), 0)
    return float(1 / (1 + np.exp(-(two.weight.numpy() @ inner + two.bias.numpy())))[0])


def test_a_score_is_that_of_the_pair_laid_together(relation):
    draw = torch.Generator().manual_seed(1)
    shape = (CHANNELS, SIZE, SIZE)
    classes = torch.randn(2, 3, *shape, generator=draw, dtype=torch.float64)
    queries = torch.randn(2, 4, *shape, generator=draw, dtype=torch.float64)
    scores = relation(classes, queries).sigmoid()
    assert scores.shape == (2, 4, 3)
    for e in range(2):
        for q in range(4):
            for way in range(3):
                wanted = by_hand(relation, classes[e, way].numpy(), queries[e, q].numpy())
                assert scores[e, q, way].item() == pytest.approx(wanted, abs=1e-12)


def test_class_and_query_do_not_play_the_same_part(relation):
    draw = torch.Generator().manual_seed(1)
    one, other = torch.randn(2, 1, 1, CHANNELS, SIZE, SIZE, generator=draw, dtype=torch.float64)
    assert abs(relation(one, other).item() - relation(other, one).item()) > 1e-6
