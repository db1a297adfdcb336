"""The losses of heads against examples worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from nshot.training.objectives.heads import EachLabel, Huber
from nshot.training.rows import Valued


class Given:
    """Reads what it was given."""

    def __init__(self, logits: list[list[float]]) -> None:
        self.values = torch.tensor(logits, dtype=torch.float64, requires_grad=True)

    def logits(self, rows: list[Valued]) -> torch.Tensor:
        return self.values[[int(row.id) for row in rows]]


def rows(*values: tuple[float, ...]) -> list[Valued]:
    return [Valued(str(i), (5, 6), (1,), (), values=one) for i, one in enumerate(values)]


def test_each_label_counts_for_itself() -> None:
    given, asked = Given([[2.0, -1.0], [0.0, 0.0]]), rows((1.0, 1.0), (0.0, 1.0))
    by_hand = math.log1p(math.exp(-2)) + math.log1p(math.exp(1)) + 2 * math.log(2)
    assert EachLabel().total(given, asked).item() == pytest.approx(by_hand)
    assert EachLabel().weight(asked) == 4


def test_a_number_far_off_pulls_no_harder_than_one_deviation() -> None:
    given, asked = Given([[0.5], [4.0], [-4.0]]), rows((0.0,), (0.0,), (0.0,))
    total = Huber().total(given, asked)
    assert total.item() == pytest.approx(0.125 + 3.5 + 3.5)
    assert Huber().weight(asked) == 3
    total.backward()
    assert given.values.grad is not None
    assert given.values.grad[:, 0].tolist() == [0.5, 1.0, -1.0]


@pytest.mark.parametrize("objective", [EachLabel(), Huber()])
def test_parts_of_a_batch_add_up(objective: EachLabel | Huber) -> None:
    given, asked = Given([[1.5], [-0.3], [2.0]]), rows((1.0,), (0.0,), (0.25,))
    whole = objective.total(given, asked).item() / objective.weight(asked)
    parts = sum(objective.total(given, [row]).item() for row in asked)
    assert whole == pytest.approx(parts / 3)
