"""The losses of preferences against examples worked out by hand, and their published formulas."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nshot.training.data.rankings import Comparison, Ranking, comparisons
from nshot.training.objectives.dpo import DirectPreferences, dpo_losses, implicit_rewards
from nshot.training.objectives.reward import RankedAnswers, pair_losses, ranking_loss
from nshot.training.rows import Row

REWARDS = st.lists(st.floats(-20, 20), min_size=2, max_size=9)


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def nll(ahead: float) -> float:
    """-log sigmoid."""
    return math.log1p(math.exp(-ahead))


class Given:
    """Reads what it was given."""

    def __init__(self, *logits: torch.Tensor) -> None:
        self.values = logits

    def logits(self, rankings):
        return list(self.values)


# ------------------------------------------------------------------ reward models


def test_a_pair_by_hand():
    """Ouyang et al. 2022, equation 1, K = 2: -log sigmoid(2.0 - 0.5) = log(1 + e^-1.5)."""
    loss = ranking_loss(tensor(2.0, 0.5), comparisons((1.0, 0.0)))
    assert loss.item() == pytest.approx(0.20141327798275246, abs=1e-15)
    other = ranking_loss(tensor(2.0, 0.5), comparisons((0.0, 1.0)))
    assert other.item() == pytest.approx(1.7014132779827524, abs=1e-15)


def test_a_ranking_of_three_by_hand():
    """Equation 1, K = 3: a third of log(1 + e^-1.5) + log(1 + e^-3) + log(1 + e^-1.5)."""
    loss = ranking_loss(tensor(2.0, 0.5, -1.0), comparisons((3.0, 2.0, 1.0)))
    assert loss.item() == pytest.approx(0.15047130251308233, abs=1e-15)


def test_a_tie_is_half_of_each_and_pulls_the_rewards_together():
    """Nakano et al. 2021: soft 50% labels."""
    pair = [Comparison(0, 1, 0.5, 0.0)]
    rewards = tensor(1.0, 0.0).requires_grad_()
    loss = ranking_loss(rewards, pair)
    assert loss.item() == pytest.approx((nll(1.0) + nll(-1.0)) / 2, abs=1e-15)
    loss.backward()
    assert rewards.grad[0] == pytest.approx(1 / (1 + math.exp(-1.0)) - 0.5, abs=1e-15)
    even = ranking_loss(tensor(3.0, 3.0), pair)
    assert even.item() == pytest.approx(math.log(2), abs=1e-15)


def test_a_margin_asks_for_more_the_further_the_grades_are_apart():
    """Touvron et al. 2023, equation 2: -log sigmoid(r_c - r_r - m(r))."""
    loss = ranking_loss(tensor(2.0, 0.5), comparisons((4.0, 1.0)), margin=0.25)
    assert loss.item() == pytest.approx(nll(2.0 - 0.5 - 0.75), abs=1e-15)


def test_a_prompt_counts_once_however_many_answers_it_has():
    many = tensor(2.0, 0.5, -1.0)[:, None]
    two = tensor(0.0, 1.0)[:, None]
    rows = [
        Ranking("three", (), tuple(comparisons((3.0, 2.0, 1.0)))),
        Ranking("two", (), tuple(comparisons((1.0, 0.0)))),
    ]
    objective = RankedAnswers()
    total = objective.total(Given(many, two), rows)
    assert objective.weight(rows) == 2
    assert total.item() == pytest.approx(0.15047130251308233 + nll(-1.0), abs=1e-14)


@given(REWARDS, st.floats(-50, 50))
def test_only_differences_of_rewards_count(rewards, shift):
    pairs = comparisons([float(k) for k in range(len(rewards))])
    one = ranking_loss(tensor(*rewards), pairs)
    other = ranking_loss(tensor(*rewards) + shift, pairs)
    assert one.item() == pytest.approx(other.item(), abs=1e-9)


@given(REWARDS)
def test_all_pairs_at_once_are_the_pairs_one_by_one(rewards):
    pairs = comparisons([float(k) for k in range(len(rewards))])
    each = [nll(rewards[pair.first] - rewards[pair.second]) for pair in pairs]
    whole = ranking_loss(tensor(*rewards), pairs)
    assert whole.item() == pytest.approx(sum(each) / len(each), rel=1e-12)


def test_great_differences_stay_finite():
    losses = pair_losses(tensor(800.0, -800.0), tensor(0, 0), tensor(1, 1), tensor(0, 0))
    assert losses.tolist() == [0.0, 800.0]


# ------------------------------------------------------------------ direct preference optimisation


def test_dpo_by_hand():
    """Equation 7: beta (1 - (-0.5)) = 0.15; -log sigmoid(0.15) = 0.6209...; TRL's "sigmoid"."""
    rewards = implicit_rewards(tensor(-10.0, -12.0), tensor(-11.0, -11.5), 0.1)
    assert rewards.tolist() == pytest.approx([0.1, -0.05], abs=1e-15)
    loss = dpo_losses(rewards[:1], rewards[1:])
    assert loss.item() == pytest.approx(0.6209570477895, abs=1e-13)


def test_a_policy_that_is_its_reference_loses_log_two():
    same = tensor(-10.0, -12.0)
    rewards = implicit_rewards(same, same, 0.1)
    assert dpo_losses(rewards[:1], rewards[1:]).item() == pytest.approx(math.log(2), abs=1e-15)


def test_conservative_dpo_by_hand():
    """Mitchell 2023, equation 3: -(1 - e) log sigmoid(h) - e log sigmoid(-h), e = 0.1, h = 0.15."""
    loss = dpo_losses(tensor(0.1), tensor(-0.05), label_smoothing=0.1)
    assert loss.item() == pytest.approx(0.9 * nll(0.15) + 0.1 * nll(-0.15), abs=1e-15)
    at = math.log(0.9 / 0.1)  # where it is the least: the judgements are right nine times in ten
    rewards = tensor(at, 0.0).requires_grad_()
    dpo_losses(rewards[:1], rewards[1:], 0.1).backward()
    assert rewards.grad.abs().max() < 1e-12


def test_per_token_a_long_answer_has_no_greater_say():
    """Lambert et al. 2024, equation 6: beta / |y| (log pi - log ref)."""
    rewards = implicit_rewards(tensor(-10.0, -12.0), tensor(-11.0, -11.5), 0.1, tensor(4, 2))
    assert rewards.tolist() == pytest.approx([0.025, -0.025], abs=1e-15)


def ranking(reference: tuple[float, ...]) -> Ranking:
    """Two answers of two tokens and of one, over a vocabulary of three."""
    rows = (Row("a", (0, 1), (0, 1), (1, 2)), Row("b", (0,), (0,), (0,)))
    return Ranking("one", rows, (Comparison(0, 1, 1.0, 1.0),), reference)


def test_the_objective_sums_the_answers_tokens_alone():
    logits = torch.log(tensor(0.5, 0.25, 0.25, 0.1, 0.1, 0.8, 0.6, 0.2, 0.2)).reshape(3, 3)
    policy = (math.log(0.25) + math.log(0.8), math.log(0.6))
    one = ranking((math.log(0.125), math.log(0.5)))
    ahead = 2.0 * ((policy[0] - math.log(0.125)) - (policy[1] - math.log(0.5)))
    objective = DirectPreferences(beta=2.0)
    assert objective.total(Given(logits), [one]).item() == pytest.approx(nll(ahead), abs=1e-12)
    ahead = 2.0 * ((policy[0] - math.log(0.125)) / 2 - (policy[1] - math.log(0.5)))
    objective = DirectPreferences(beta=2.0, per_token=True)
    assert objective.total(Given(logits), [one]).item() == pytest.approx(nll(ahead), abs=1e-12)


def test_the_gradient_is_that_of_the_paper():
    """Section 4: -beta sigmoid(r_l - r_w) (grad log pi(y_w) - grad log pi(y_l))."""
    policy = tensor(-10.0, -12.0).requires_grad_()
    rewards = implicit_rewards(policy, tensor(-11.0, -11.5), 0.1)
    dpo_losses(rewards[:1], rewards[1:]).sum().backward()
    weight = 0.1 / (1 + math.exp(0.15))
    assert policy.grad.tolist() == pytest.approx([-weight, weight], abs=1e-15)
