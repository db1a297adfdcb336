"""What a policy writes while it learns, and how likely it and its reference think that is.

The texts of a prompt are one group: the prompt is read once for all of them, when they are written
and, where that is shorter, when they are learned from. Only what was written is projected on the
vocabulary. Tokens that end a text are part of it: a policy must learn to stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nshot.core.types import Prompt
from nshot.models.base import Decoding, LentModel
from nshot.models.hf.tokens import shared
from nshot.training.data.answers import supervised
from nshot.training.forward import Reader
from nshot.training.rows import Row

AT_ONCE = 16
"""Rows that go through the model together where no gradient is wanted."""
_ROOM = 320
"""Tokens that are read in one sequence: attention is quadratic, and all else as fast in few."""
_SPAN = 3
"""Tokens of the pieces that `repetition` counts."""


@dataclass(frozen=True)
class Rollout:
    """A text of the policy.

    `prompt` is the number of what it was written for; the points of `row` are its own tokens, the
    one that ended it included; `logprobs` those of the policy that drew them; `states`, where a
    critic reads them, what the policy's head read then, (tokens, width). Not `finished` is a text
    that was stopped at the most tokens allowed.
    """

    prompt: int
    row: Row
    logprobs: tuple[float, ...]
    text: str
    finished: bool
    states: Tensor | None = None

    @property
    def tokens(self) -> tuple[int, ...]:
        """The tokens of the text."""
        return self.row.targets


def rollouts(
    lent: LentModel,
    prompts: Sequence[Prompt],
    how: Decoding,
    count: int,
    name: str,
    states: bool = False,
) -> list[Rollout]:
    """`count` texts for each prompt, in order, under the adapters in use; see `Rollout.states`.

    The texts' ids begin with `name`. Raises `InputError` for a temperature of 0.
    """
    groups = lent.sample(prompts, how, count, states)
    return [
        Rollout(
            number,
            supervised(f"{name}/{number}/{k}", one.prompt, one.tokens),
            one.logprobs,
            one.text,
            one.finished,
            None if one.states is None else torch.from_numpy(one.states),
        )
        for number, group in enumerate(groups)
        for k, one in enumerate(group)
    ]


def repetition(tokens: Sequence[int]) -> float:
    """The share of a text's three-token pieces that stood in it before; 0 of a short text."""
    pieces = [tuple(tokens[i : i + _SPAN]) for i in range(len(tokens) - _SPAN + 1)]
    return 1 - len(set(pieces)) / len(pieces) if pieces else 0.0


@dataclass(frozen=True)
class Likelihoods:
    """A reader's log-probabilities of what rows should say, at a temperature."""

    reader: Reader
    temperature: float = 1.0

    def logprobs(self, rows: Sequence[Row]) -> Tensor:
        """Nats at all points of all rows, in order: (points,), float32."""
        parts = list(_parts(rows))
        each = (_of_targets(self.reader.logits(some), some, self.temperature) for some in parts)
        return torch.cat(list(each))


class ActorCritic(nn.Module):
    """A policy, and beside it a linear head that says what reward is still to come.

    The head reads the policy's last hidden state without shaping it: only the policy's own loss
    reaches the policy. It begins at 0, expecting nothing.
    """

    def __init__(self, policy: Any) -> None:
        super().__init__()
        self.policy = policy
        width = int(policy.config.get_text_config().hidden_size)
        self.value = nn.Linear(width, 1, device=policy.device)
        nn.init.zeros_(self.value.weight)
        nn.init.zeros_(self.value.bias)


@dataclass(frozen=True)
class Judging:
    """Reads rows with a policy and its critic in one pass; see `ppo.Critic`.

    `module` is an `ActorCritic`, `reader` reads rows in one call of its policy: it packs none.
    """

    module: Any
    reader: Reader
    temperature: float = 1.0

    def judge(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """(log-probabilities of the targets, values) at all points of all rows, (points,) each."""
        each = [self._judge(some) for some in _parts(rows)]
        return torch.cat([one for one, _ in each]), torch.cat([values for _, values in each])

    def _judge(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        with _states(self.module.policy) as states:
            logits = self.reader.logits(rows)
        (state,) = states
        width = self.module.value.in_features
        values = self.module.value(state.detach().reshape(-1, width).float()).squeeze(-1)
        return _of_targets(logits, rows, self.temperature), values


def by_row(flat: Tensor, rows: Sequence[Row]) -> list[Tensor]:
    """What stands at the points of all rows, row by row."""
    return list(torch.split(flat, [len(row.points) for row in rows]))


@torch.no_grad()
def logprobs(model: Likelihoods, rows: Sequence[Row]) -> list[Tensor]:
    """Log-probabilities of what each row should say, a few rows at a time and without a gradient.

    One tensor (tokens,) a row, on the processor.
    """
    parts = [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]
    return [one for part in parts for one in by_row(model.logprobs(part).cpu(), part)]


@torch.no_grad()
def expectations(critic: ActorCritic, texts: Sequence[Rollout]) -> list[Tensor]:
    """What the critic expected as each token was drawn, (tokens,) a text: nothing is read again."""
    states = [text.states for text in texts if text.states is not None]
    if len(states) < len(texts):
        raise ValueError("texts were sampled without the states that the critic reads")
    values = critic.value(torch.cat(states).to(critic.value.weight)).squeeze(-1).cpu()
    return list(torch.split(values, [len(text.tokens) for text in texts]))


def probe(lent: LentModel, prompts: Sequence[Prompt]) -> list[Row]:
    """Prompts as rows that ask for one token: what a way of reading is tried on."""
    from nshot.models.hf.tokens import encode_prompts

    coded = [tokens[-lent.facts.context :] for tokens in encode_prompts(lent.tokenizer, prompts)]
    return [supervised(f"prompt/{i}", tokens, tokens[-1:]) for i, tokens in enumerate(coded)]


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Rows as they stand, in parts of about `_ROOM` tokens; what neighbours share counts once."""
    part: list[Row] = []
    size = 0
    for row in rows:
        more = row.length - (shared(part[-1].tokens, row.tokens) if part else 0)
        if part and size + more > _ROOM:
            yield part
            part, size, more = [], 0, row.length
        part.append(row)
        size += more
    if part:
        yield part


def _of_targets(logits: Tensor, rows: Sequence[Row], temperature: float) -> Tensor:
    targets = torch.tensor([t for row in rows for t in row.targets], device=logits.device)
    return -functional.cross_entropy(logits / temperature, targets, reduction="none")


@contextmanager
def _states(policy: Any) -> Iterator[list[Tensor]]:
    """What the policy's head is given inside, call by call."""
    given: list[Tensor] = []
    head = policy.get_output_embeddings()
    hook = head.register_forward_hook(lambda _, inputs, __: given.append(inputs[0]))
    try:
        yield given
    finally:
        hook.remove()
