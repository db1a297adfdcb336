"""Several drawn answers to each input, and a vote."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from nshot.core.errors import Fault, InputError
from nshot.core.numbers import number, written
from nshot.core.types import Input, Prediction, Task
from nshot.models.base import Floats, Models
from nshot.predictors import load
from nshot.predictors.folder import Saved, write
from nshot.predictors.scores import charged, classified

INNER = "predictor"
"""The folder of what draws the answers, beside the record."""


@runtime_checkable
class Samples(Protocol):
    """A predictor that can draw its answers."""

    @property
    def task(self) -> Task:
        """What it answers."""
        ...

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction per input, in order."""
        ...

    def save(self, folder: Path) -> None:
        """As `Predictor.save`."""
        ...

    def sampled(self, inputs: Sequence[Input], temperature: float, seed: int) -> list[Prediction]:
        """An answer to each input, drawn at a temperature; the same for the same seed."""
        ...


@dataclass(frozen=True)
class SampledVote:
    """Draws `samples` answers of `inner` to each input, and answers with the commonest.

    Wang et al. 2023, https://arxiv.org/abs/2203.11171, eq. of section 2: the argmax over answers of
    how many samples ended in it. Each sample has a seed of its own, made of `seed`.
    """

    inner: Samples
    samples: int = 5
    temperature: float = 0.7
    seed: int = 0

    @property
    def task(self) -> Task:
        """What it answers."""
        return self.inner.task

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores are the logarithms of `shares`; tokens are those of all samples."""
        if not inputs:
            return []
        seeds = range(self.seed * self.samples, (self.seed + 1) * self.samples)
        draws = [self.inner.sampled(inputs, self.temperature, seed) for seed in seeds]
        rows = list(zip(*draws, strict=True))
        if self.task.has_labels:
            votes = np.log([shares(self.task, row) for row in rows])
            answers = classified(self.task, votes, [0] * len(rows))
        else:
            answers = [Prediction(commonest([one.answer for one in row])) for row in rows]
        return [charged(one, row) for one, row in zip(answers, rows, strict=True)]

    def save(self, folder: Path) -> None:
        """What draws in a folder of its own; how often as JSON."""
        self.inner.save(folder / INNER)
        settings = {"samples": self.samples, "temperature": self.temperature, "seed": self.seed}
        write(folder, "sampled_vote", self.task, settings)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> SampledVote:
        """The predictor that `save` wrote."""
        inner = load(saved.folder / INNER, models)
        if not isinstance(inner, Samples):
            problem, do = "its predictor draws no answers", "copy the whole folder again"
            raise InputError(Fault(problem, do=do, where=str(saved.folder / INNER)))
        return cls(inner, **saved.settings)


def shares(task: Task, samples: Sequence[Prediction]) -> Floats:
    """(labels,) shares of the votes: the probabilities of the labels, none of them zero.

    One vote more than there are samples: it is parted as the model's own probabilities are on
    average, and evenly where samples have none. So a label that nobody chose is not impossible, and
    of equals the one wins that the model holds for likelier. An answer that is no label has no
    vote.
    """
    names = task.label_names
    votes = Counter(one.answer for one in samples)
    own = np.full(len(names), 1 / len(names))
    if all(one.scores for one in samples):
        own = np.exp([one.scores for one in samples]).mean(axis=0)
        # A probability may be too small for a float: then a share would still be zero.
        own = np.maximum(own, 1e-9) / np.maximum(own, 1e-9).sum()
    counts = np.array([float(votes[name]) for name in names])
    return np.asarray((counts + own) / (counts.sum() + 1))


def commonest(answers: Sequence[str]) -> str:
    """The answer that most samples gave, as it was first written; empty ones do not count.

    Equal are answers that `normal` makes equal. Of equally common ones the one that shares most
    words with all answers wins (minimum Bayes risk: Bertsch et al. 2023,
    https://arxiv.org/abs/2310.01387, of which the vote is a case), then the first.
    """
    known = [answer for answer in answers if answer]
    if not known:
        return ""
    count = Counter(map(normal, known))
    most = max(count.values())
    best = [answer for answer in known if count[normal(answer)] == most]
    return max(best, key=lambda answer: sum(_alike(answer, other) for other in known))


def normal(answer: str) -> str:
    """An answer without what does not make it another: a number as figures, else without case,
    punctuation at its ends, and repeated spaces."""
    value = number(answer)
    if value is not None:
        return written(value)
    plain = unicodedata.normalize("NFKC", answer).casefold()
    return " ".join(plain.split()).strip(" .,;:!?\"'`*")


def _alike(one: str, other: str) -> float:
    """F1 of the words that two answers share."""
    a, b = (Counter(normal(text).split()) for text in (one, other))
    both = (a & b).total()
    return 2 * both / max(1, a.total() + b.total())
