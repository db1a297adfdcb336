"""PPO with demonstrations mixed in, so that a policy that earns more forgets less (PPO-ptx)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from nshot.training.forward import Reader
from nshot.training.objectives.nll import AnswerTokens
from nshot.training.objectives.ppo import Critic, Judged, PPOLoss
from nshot.training.rows import Row


@dataclass(frozen=True)
class Demonstration:
    """An answer to imitate, beside the answers of a policy.

    `share` makes the batch's demonstrations weigh as one mean, whatever is in it: the tokens that
    the policy wrote, over those that its demonstrations teach.
    """

    id: str
    row: Row
    share: float

    @property
    def length(self) -> int:
        """Tokens that are read."""
        return self.row.length


Mixed: TypeAlias = Judged | Demonstration


class ReadingCritic(Critic, Protocol):
    """A policy that says what it expects, and that reads what others wrote."""

    @property
    def reader(self) -> Reader:
        """Reads rows with the policy."""
        ...


def mixed_in(
    rows: Sequence[Row], seed: int
) -> Callable[[int, Sequence[Judged]], list[Demonstration]]:
    """What gives each step's batch as many demonstrations as it has answers.

    They come in seeded order, each once before any comes again; a function of the step alone.
    """

    def of(step: int, batch: Sequence[Judged]) -> list[Demonstration]:
        drawn = [_turn(rows, seed, step * len(batch) + k) for k in range(len(batch))]
        written = sum(len(one.old) for one in batch)
        share = written / sum(len(one.points) for one in drawn)
        return [Demonstration(one.id, one, share) for one in drawn]

    return of


def _turn(rows: Sequence[Row], seed: int, place: int) -> Row:
    turn, at = divmod(place, len(rows))
    order = list(range(len(rows)))
    random.Random(f"demonstrations:{seed}:{turn}").shuffle(order)
    return rows[order[at]]


@dataclass(frozen=True)
class PPOWithDemonstrations:
    """Ouyang et al. 2022, equation 2: PPO's loss, and `gamma` times that of demonstrations.

    Long Ouyang et al. "Training language models to follow instructions with human feedback", 2022,
    section 3.5. https://arxiv.org/abs/2203.02155

    Both are means over tokens of the batch.
    """

    ppo: PPOLoss
    gamma: float

    def weight(self, rows: Sequence[Mixed]) -> float:
        """The number of tokens that the policy wrote."""
        return self.ppo.weight([row for row in rows if isinstance(row, Judged)])

    def total(self, model: ReadingCritic, rows: Sequence[Mixed]) -> Tensor:
        """Summed over the answers' tokens, and over the demonstrations' by their share."""
        written = [row for row in rows if isinstance(row, Judged)]
        shown = [row for row in rows if isinstance(row, Demonstration)]
        parts = [self.ppo.total(model, written)] if written else []
        if shown:
            nll = AnswerTokens().total(model.reader, [row.row for row in shown])
            parts.append(self.gamma * shown[0].share * nll)
        return torch.stack(parts).sum()
