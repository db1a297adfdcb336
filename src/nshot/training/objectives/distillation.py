"""What a student is off from its teacher, token by token, mixed with the answers that were given.

Geoffrey Hinton, Oriol Vinyals, Jeff Dean. "Distilling the Knowledge in a Neural Network", 2015,
section 2, for the temperature and the mix. https://arxiv.org/abs/1503.02531
Rishabh Agarwal, Nino Vieillard, Yongchao Zhou, Piotr Stanczyk, Sabela Ramos, Matthieu Geist,
Olivier Bachem. "On-Policy Distillation of Language Models: Learning from Self-Generated Mistakes",
2023, equation 2, for the divergence. https://arxiv.org/abs/2306.13649
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nshot.training.forward import Reader
from nshot.training.objectives.nll import among_choices
from nshot.training.rows import Row

NEVER = -1e4
"""A logit of what is ruled out: its probability is 0, and its logarithm a finite number."""


@dataclass(frozen=True, kw_only=True)
class Taught(Row):
    """A row with what a teacher expects after each of its points.

    `likely` (points, k) are the tokens that the teacher holds for most probable; `expected`
    (points, k + 1) the logarithms of their probabilities at the temperature of the training, the
    last one that of all other tokens together. `source` names the teacher. `hard` is the share of
    the given answer in what the row teaches; the rest is the teacher's.
    """

    likely: NDArray[np.int32] = field(repr=False, compare=False)
    expected: NDArray[np.float32] = field(repr=False, compare=False)
    source: str
    hard: float


def divergences(teacher: Tensor, student: Tensor, beta: float) -> Tensor:
    """How far two expectations are apart, in nats: (points,), of (points, outcomes) each.

    Both are logarithms of probabilities. `beta` 0 is the forward Kullback-Leibler divergence
    KL(teacher || student), 1 the reverse one KL(student || teacher). Between them it is the
    generalised Jensen-Shannon divergence (Agarwal et al. 2023, equation 2)::

        beta KL(teacher || m) + (1 - beta) KL(student || m),  m = beta teacher + (1 - beta) student
    """
    if beta == 0:
        return _kl(teacher, student)
    if beta == 1:
        return _kl(student, teacher)
    middle = torch.logaddexp(teacher + math.log(beta), student + math.log1p(-beta))
    return beta * _kl(teacher, middle) + (1 - beta) * _kl(student, middle)


def _kl(one: Tensor, other: Tensor) -> Tensor:
    return (one.exp() * (one - other)).sum(-1)


def in_buckets(logits: Tensor, likely: Tensor) -> Tensor:
    """Log-probabilities of the tokens `likely` and, last, of all others together.

    Of logits (points, vocabulary) and tokens (points, k) < vocabulary: (points, k + 1).
    """
    whole = logits.logsumexp(-1, keepdim=True)
    others = logits.scatter(-1, likely, NEVER).logsumexp(-1, keepdim=True)
    return torch.cat([logits.gather(-1, likely), others], -1) - whole


def most_likely(logits: Tensor, rows: Sequence[Row], k: int, temperature: float) -> Tensor:
    """Of a teacher's logits at the points of `rows`: what `Taught` keeps, as tokens and logarithms.

    (points, 2 k + 1), float64: k tokens, then their log-probabilities and that of the rest.
    """
    warm = among_choices(logits.double(), rows, NEVER) / temperature
    likely = warm.topk(min(k, warm.shape[-1] - 1)).indices
    return torch.cat([likely.double(), in_buckets(warm, likely)], -1)


@dataclass(frozen=True)
class Distillation:
    """Mean over the points of the rows of what the student is off, from its teacher and the answer.

    ``hard CE + (1 - hard) T^2 D``, with CE the negative log-likelihood of the answer's token, D the
    divergence of what teacher and student expect at the temperature T, and `hard` the row's own.
    The square keeps the gradient's size as T grows (Hinton et al. 2015). At the first token of a
    label the tokens compete with which a label can begin, as in
    `nshot.training.objectives.nll.AnswerTokens`.

    Args:
        temperature: at which the rows' expectations were taken.
        beta: which divergence; see `divergences`.
    """

    temperature: float = 1.0
    beta: float = 0.0

    def weight(self, rows: Sequence[Taught]) -> float:
        """The number of points."""
        return float(sum(len(row.points) for row in rows))

    def total(self, model: Reader, rows: Sequence[Taught]) -> Tensor:
        """Nats, summed over the rows' points."""
        logits = among_choices(model.logits(rows), rows, NEVER)
        targets = logits.new_tensor([t for row in rows for t in row.targets]).long()
        given = functional.cross_entropy(logits, targets, reduction="none")
        likely = torch.from_numpy(np.concatenate([row.likely for row in rows])).long()
        expected = torch.from_numpy(np.concatenate([row.expected for row in rows]))
        student = in_buckets(logits / self.temperature, likely.to(logits.device))
        off = divergences(expected.to(student), student, self.beta)
        hard = logits.new_tensor([row.hard for row in rows for _ in row.points])
        return (hard * given + (1 - hard) * self.temperature**2 * off).sum()
