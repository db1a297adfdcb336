"""The cosine classifier, worked out on angles that are known."""

from __future__ import annotations

import math

import pytest
import torch

from nshot.nets.cosine_head import SCALE, CosineHead, cosine_logits


def test_logits_are_scaled_cosines_of_known_angles():
    features = torch.tensor([[3.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    weights = torch.tensor([[5.0, 0.0], [0.0, 0.1], [-2.0, 0.0]])
    half = 7 * math.sqrt(0.5)
    wanted = torch.tensor([[7.0, 0.0, -7.0], [half, half, -half], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(cosine_logits(features, weights, 7.0), wanted)


def test_episodes_have_weights_of_their_own():
    draw = torch.Generator().manual_seed(0)
    features, weights = torch.randn(2, 4, 3, generator=draw), torch.randn(2, 5, 3, generator=draw)
    both = cosine_logits(features, weights, 2.0)
    assert both.shape == (2, 4, 5)
    for i in range(2):
        torch.testing.assert_close(both[i], cosine_logits(features[i], weights[i], 2.0))


def test_the_length_of_a_feature_says_nothing():
    torch.manual_seed(0)
    head = CosineHead(6, 3)
    features = torch.randn(4, 6)
    torch.testing.assert_close(head(features), head(features * 9))
    assert head(features).abs().max() <= SCALE


def test_the_scale_learns():
    """d loss / d scale of one row is sum_j (p_j - y_j) cos_j: with cosines 1 and 0, p_1 - 1."""
    head = CosineHead(2, 2)
    with torch.no_grad():
        head.weight.copy_(torch.eye(2))
        head.scale.fill_(1.0)
    row, wanted = torch.tensor([[4.0, 0.0]]), torch.tensor([0])
    torch.nn.functional.cross_entropy(head(row), wanted).backward()
    right = math.e / (math.e + 1)
    assert head.scale.grad is not None
    assert head.scale.grad.item() == pytest.approx(right - 1, abs=1e-6)
    assert sum(p.numel() for p in head.parameters()) == 2 * 2 + 1
