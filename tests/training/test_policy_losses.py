"""Advantages, returns, clipping, divergences: against examples that were worked by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nshot.training.objectives.grpo import Compared, GRPOLoss, group_advantages
from nshot.training.objectives.kl import k1, k3, next_coefficient
from nshot.training.objectives.ppo import (
    Judged,
    PPOLoss,
    estimates,
    policy_loss,
    token_rewards,
    value_loss,
    whitened,
)
from nshot.training.rows import Row

WIDE = {"dtype": torch.float64}
some = st.lists(st.floats(-3, 3), min_size=1, max_size=6)


def t(*numbers: float) -> Tensor:
    return torch.tensor(numbers, **WIDE)


def same(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_advantages_of_three_tokens_worked_by_hand() -> None:
    # delta: 1 + .9*.5 - .2 = 1.25, 0 + .9*.1 - .5 = -.41, 2 - .1 = 1.9; discount * decay = .72
    last, middle = 1.9, -0.41 + 0.72 * 1.9
    first = 1.25 + 0.72 * middle
    advantages, returns = estimates(t(1, 0, 2), t(0.2, 0.5, 0.1), discount=0.9, decay=0.8)
    same(advantages, t(first, middle, last))
    same(returns, t(first + 0.2, middle + 0.5, last + 0.1))


@given(some, st.floats(0.1, 1), st.integers(0, 9))
def test_decay_1_gives_returns_and_decay_0_one_step(
    rewards: list[float], discount: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(len(rewards), generator=generator, **WIDE)
    whole = estimates(t(*rewards), values, discount, 1.0).returns
    for i in range(len(rewards)):
        expected = sum(discount**k * r for k, r in enumerate(rewards[i:]))
        assert float(whole[i]) == pytest.approx(expected, abs=1e-9)
    behind = torch.cat([values[1:], t(0)])
    same(
        estimates(t(*rewards), values, discount, 0.0).advantages,
        t(*rewards) + discount * behind - values,
    )


def test_a_token_pays_for_its_divergence_and_the_last_has_the_score() -> None:
    policy, reference = t(-1.0, -0.5), t(-1.5, -0.2)
    same(token_rewards(2.0, policy, reference, 0.1), t(-0.05, 2.0 + 0.03))


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=9, unique=True))
def test_whitening_leaves_mean_0_and_variance_1(numbers: list[float]) -> None:
    values = t(*numbers)
    white = whitened(values)
    assert float(white.mean()) == pytest.approx(0, abs=1e-6)
    if float(values.var()) > 1e-3:
        assert float(white.var()) == pytest.approx(1, abs=1e-4)
    spread = math.sqrt(float(values.var()) + 1e-8)
    torch.testing.assert_close(white * spread + values.mean(), values)


def test_whitening_one_token_is_0() -> None:
    same(whitened(t(7.0)), t(0.0))


def test_the_policys_loss_is_clipped_on_the_side_that_would_go_on() -> None:
    old, now = t(0, 0, 0, 0), t(math.log(1.5), math.log(0.5), math.log(1.5), math.log(0.5))
    advantages = t(1, 1, -1, -1)
    # 1.5 -> 1.2 and 0.5 stays where it is to rise; 1.5 stays and 0.5 -> 0.8 where it is to fall.
    same(policy_loss(now, old, advantages, 0.2), t(-1.2, -0.5, 1.5, 0.8))


def test_a_clipped_token_has_no_gradient() -> None:
    now = t(math.log(1.5), math.log(1.1)).requires_grad_()
    policy_loss(now, t(0, 0), t(1, 1), 0.2).sum().backward()
    assert now.grad is not None
    same(now.grad, t(0.0, -1.1))


def test_the_values_loss_takes_the_larger_error() -> None:
    # now .9 is .7 from 0.2: within .2 of it 0.4; returns 1 and .3.
    same(value_loss(t(0.9, 0.9), t(0.2, 0.2), t(1.0, 0.3), 0.2), t(0.5 * 0.36, 0.5 * 0.36))
    same(value_loss(t(0.3), t(0.2), t(1.0), 0.2), t(0.5 * 0.49))


def test_divergences() -> None:
    policy, reference = t(-1.0, -2.0), t(-1.5, -1.0)
    same(k1(policy, reference), t(0.5, -1.0))
    same(k3(policy, reference), t(math.exp(-0.5) - 1 + 0.5, math.e - 1 - 1))


@given(st.lists(st.floats(-2, 2), min_size=2, max_size=5), st.integers(0, 9))
def test_both_are_the_divergence_on_average_over_the_policy(scores: list[float], seed: int) -> None:
    policy = t(*scores).log_softmax(0)
    generator = torch.Generator().manual_seed(seed)
    reference = torch.randn(len(scores), generator=generator, **WIDE).log_softmax(0)
    exact = float((policy.exp() * (policy - reference)).sum())
    for estimator in (k1, k3):
        average = float((policy.exp() * estimator(policy, reference)).sum())
        assert average == pytest.approx(exact, abs=1e-9)
    assert bool((k3(policy, reference) >= -1e-12).all())


def test_the_coefficient_follows_its_target() -> None:
    assert next_coefficient(0.1, 99.0, None, 64, 1000.0) == 0.1
    # 12 nats where 6 were wanted: the error of 1 counts as .2.
    assert next_coefficient(0.1, 12.0, 6.0, 64, 1000.0) == pytest.approx(0.1 * (1 + 0.2 * 0.064))
    assert next_coefficient(0.1, 5.4, 6.0, 64, 1000.0) == pytest.approx(0.1 * (1 - 0.1 * 0.064))
    assert next_coefficient(0.1, 6.0, 6.0, 64, 1000.0) == 0.1


def test_advantages_in_a_group_worked_by_hand() -> None:
    # mean 1, squared distances 1 0 1 over 3 - 1: standard deviation 1
    same(group_advantages(t(0, 1, 2)), t(-1, 0, 1) / (1 + 1e-4))
    same(group_advantages(t(0, 1, 5), scaled=False), t(-2, -1, 3))
    two = torch.stack([t(0, 1, 2), t(4, 4, 4)])
    same(group_advantages(two)[1], t(0, 0, 0))
    same(group_advantages(two)[0], group_advantages(t(0, 1, 2)))


class Fixed:
    """A model whose log-probabilities and values are given."""

    def __init__(self, now: Tensor, values: Tensor) -> None:
        self.now, self.values = now, values

    def logprobs(self, rows: Sequence[Row]) -> Tensor:
        return self.now

    def judge(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        return self.now, self.values


def row(tokens: int) -> Row:
    return Row("r", (5,) * tokens, tuple(range(tokens)), (5,) * tokens)


def test_ppos_loss_of_two_answers() -> None:
    rows = [
        Judged("a", row(2), (-1.0, -2.0), (0.1, 0.2), (1.0, -1.0), (0.5, 0.4)),
        Judged("b", row(1), (-0.5,), (0.3,), (2.0,), (1.0,)),
    ]
    now, values = t(-0.9, -2.5, -0.5), t(0.2, 0.2, 0.4)
    loss = PPOLoss(clip=0.2, value_clip=0.2, value_share=0.1)
    surrogate = -math.exp(0.1) + max(math.exp(-0.5), 0.8) - 2.0
    errors = 0.5 * (0.3**2 + 0.2**2 + 0.6**2)
    same(loss.total(Fixed(now, values), rows), t(surrogate + 0.1 * errors).squeeze())
    assert loss.weight(rows) == 3


@pytest.mark.parametrize("average", ["answers", "tokens"])
def test_grpos_loss_of_two_answers(average: str) -> None:
    rows = [
        Compared("a", row(2), (-1.0, -2.0), (-1.1, -2.2), 1.5),
        Compared("b", row(1), (-0.5,), (-0.7,), -1.5),
    ]
    loss = GRPOLoss(clip=0.2, kl=0.04, average=average)  # type: ignore[arg-type]
    now = t(-0.9, -2.0, -0.5)
    d = [-1.1 + 0.9, -2.2 + 2.0, -0.7 + 0.5]
    kl = [math.exp(x) - 1 - x for x in d]
    tokens = [-1.5 * math.exp(0.1) + 0.04 * kl[0], -1.5 + 0.04 * kl[1], 1.5 + 0.04 * kl[2]]
    expected = sum(tokens) if average == "tokens" else sum(tokens[:2]) / 2 + tokens[2]
    same(loss.total(Fixed(now, now), rows), t(expected).squeeze())
    assert loss.weight(rows) == (3 if average == "tokens" else 2)


def test_the_first_step_follows_the_advantage() -> None:
    """At the policy that wrote them, the gradient is that of advantage-weighted likelihood."""
    rows = [Compared("a", row(2), (-1.0, -2.0), (-1.0, -2.0), 0.7)]
    now = t(-1.0, -2.0).requires_grad_()
    GRPOLoss(kl=0.04).total(Fixed(now, now), rows).backward()
    assert now.grad is not None
    same(now.grad, t(-0.35, -0.35))
