"""PPO with demonstrations: its loss by hand, and which demonstrations come when."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from nshot.training.objectives.ppo import Judged, PPOLoss
from nshot.training.objectives.ptx import Demonstration, PPOWithDemonstrations, mixed_in
from nshot.training.rows import Row


def row(name: str, tokens: int) -> Row:
    return Row(name, tuple(range(tokens)), tuple(range(tokens)), (1,) * tokens)


def judged(name: str, tokens: int) -> Judged:
    own = (-1.0,) * tokens
    return Judged(name, row(name, tokens), own, (0.0,) * tokens, (0.5,) * tokens, (0.0,) * tokens)


class Fixed:
    """A policy that finds each of two words equally likely, and expects nothing."""

    def judge(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        count = sum(len(one.points) for one in rows)
        return torch.full((count,), -1.0), torch.zeros(count)

    @property
    def reader(self) -> Fixed:
        return self

    def logits(self, rows: Sequence[Row]) -> Tensor:
        return torch.zeros(sum(len(one.points) for one in rows), 2)


def test_the_loss_is_ppos_and_gamma_times_the_mean_of_the_demonstrations() -> None:
    objective, model = PPOWithDemonstrations(PPOLoss(), 3.0), Fixed()
    batch: list[Judged | Demonstration] = [judged("a", 2), judged("b", 4)]
    batch += mixed_in([row("d", 5), row("e", 1)], 0)(0, [judged("a", 2), judged("b", 4)])
    assert objective.weight(batch) == 6
    loss = float(objective.total(model, batch)) / objective.weight(batch)  # type: ignore[arg-type]
    assert loss == pytest.approx(-0.5 + 3 * math.log(2))
    parts = [float(objective.total(model, [one])) for one in batch]  # type: ignore[arg-type]
    assert sum(parts) / 6 == pytest.approx(loss), "a batch in parts has the same loss"


def test_each_demonstration_comes_once_before_any_comes_again() -> None:
    rows, batch = [row(str(i), 1) for i in range(6)], [judged("a", 1), judged("b", 1)]
    of = mixed_in(rows, 0)
    names = [one.id for step in range(6) for one in of(step, batch)]
    assert sorted(names[:6]) == sorted(names[6:]) == [str(i) for i in range(6)]
    assert names[:6] != names[6:]
    assert [one.id for one in of(3, batch)] == names[6:8], "a function of the step alone"
