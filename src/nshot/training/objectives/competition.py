"""Labels against each other: how likely the model finds each one's words, among all of them.

Timo Schick, Hinrich Schütze. "Exploiting Cloze Questions for Few Shot Text Classification and
Natural Language Inference", 2020, section 3.1, for a causal model, whose score of a label is the
log-likelihood of all its tokens. https://arxiv.org/abs/2001.07676
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from nshot.models.hf.tokens import shared
from nshot.training.forward import Reader
from nshot.training.rows import Row


@dataclass(frozen=True)
class Contest:
    """One prompt with every label's words behind it, and how probable each label should be.

    `rows` are one a label, all of one prompt; `shares` are one a label and add up to 1.
    """

    id: str
    rows: tuple[Row, ...]
    shares: tuple[float, ...]

    @property
    def length(self) -> int:
        """Tokens that are read: what the labels share once."""
        first = self.rows[0].tokens
        common = min(shared(first, row.tokens) for row in self.rows)
        return common + sum(row.length - common for row in self.rows)


@dataclass(frozen=True)
class LabelCompetition:
    """Mean cross-entropy of the labels' shares and a softmax over the labels' log-likelihoods.

    It is what the answer is chosen by: no step is spent on how probable the labels are together.
    `nshot.training.objectives.nll.AnswerTokens` lets labels compete at their first token alone, and
    teaches the tokens after it against the whole vocabulary.
    """

    def weight(self, rows: Sequence[Contest]) -> float:
        """The number of prompts."""
        return float(len(rows))

    def total(self, model: Reader, rows: Sequence[Contest]) -> Tensor:
        """Nats, summed over the prompts."""
        each = [row for contest in rows for row in contest.rows]
        logits = model.logits(each)
        targets = logits.new_tensor([t for row in each for t in row.targets]).long()
        tokens = -functional.cross_entropy(logits, targets, reduction="none")
        likely = torch.stack(
            [part.sum() for part in torch.split(tokens, [len(row.points) for row in each])]
        )
        parts = torch.split(likely, [len(contest.rows) for contest in rows])
        losses = [
            functional.cross_entropy(part[None], part.new_tensor(contest.shares)[None])
            for part, contest in zip(parts, rows, strict=True)
        ]
        return torch.stack(losses).sum()
