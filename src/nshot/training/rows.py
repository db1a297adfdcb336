"""What is trained on: rows of tokens, the schedule, and the order in which batches are taken."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from typing import Generic, Literal, Protocol, TypeVar

_GRAIN = 4
"""Rows whose lengths differ by less than this many tokens are shuffled among themselves."""
_BUCKET = 16
"""Batches that are sorted by length together."""
_BLUR = 0.5
"""How far a row may move from its place in that order, in batches. With few rows the order alone
would make the same batches in every epoch. Half a batch costs 1 to 2 % more padding."""


class Read(Protocol):
    """What the order of the data asks of a row. Its `repr` names all that it holds."""

    @property
    def length(self) -> int:
        """Tokens of it that are read."""
        ...


R_co = TypeVar("R_co", bound=Read, covariant=True)


@dataclass(frozen=True)
class Row:
    """One training example as token ids.

    The model reads `tokens`; after ``tokens[points[i]]`` it should say ``targets[i]``. A row
    without points supervises nothing. At the first point it is to choose among `choices`, which
    hold the target; () is the whole vocabulary.
    """

    id: str
    tokens: tuple[int, ...]
    points: tuple[int, ...]
    targets: tuple[int, ...]
    choices: tuple[int, ...] = ()

    @property
    def length(self) -> int:
        """Tokens that are read."""
        return len(self.tokens)


@dataclass(frozen=True)
class Valued(Row):
    """A row after which a head should answer numbers: `values`, one per output, at its one point.

    Of several labels 1 where the label applies, else 0. There are no `targets`.
    """

    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train: fixed numbers of steps, never seconds.

    `max_steps` caps ``epochs``. The rate rises over the share `warmup` of all steps, then falls
    to zero along `shape`. `clip` bounds the gradient's norm. `micro_batch` rows at most go
    through the model at once; the gradients of a batch are added up. `fused`: AdamW in one kernel,
    which is quicker and rounds otherwise.
    """

    learning_rate: float
    epochs: int = 1
    batch_size: int = 8
    max_steps: int | None = None
    warmup: float = 0.1
    shape: Literal["linear", "cosine"] = "linear"
    weight_decay: float = 0.0
    clip: float = 1.0
    seed: int = 0
    micro_batch: int | None = None
    fused: bool = True

    def epoch(self, rows: int) -> int:
        """Optimiser steps in which this many rows are taken once."""
        return math.ceil(rows / self.batch_size)

    def steps(self, rows: int) -> int:
        """Optimiser steps on this many rows."""
        steps = self.epochs * self.epoch(rows)
        return steps if self.max_steps is None else min(steps, self.max_steps)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step `step` (from 0) of `steps`."""
        rising = round(self.warmup * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        left = (steps - step) / (steps - rising)
        if self.shape == "cosine":
            left = (1 - math.cos(math.pi * left)) / 2
        return self.learning_rate * left


def pack(lengths: Sequence[int], room: int) -> list[tuple[int, ...]]:
    """Which rows to put into one sequence of at most `room` tokens: first fit, longest first.

    A row longer than that has a sequence of its own. Each row is in exactly one.
    """
    packs: list[list[int]] = []
    left: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        at = next((p for p, free in enumerate(left) if lengths[i] <= free), len(packs))
        if at == len(packs):
            packs.append([])
            left.append(room)
        packs[at].append(i)
        left[at] -= lengths[i]
    return [tuple(sorted(rows)) for rows in packs]


@dataclass(frozen=True)
class RowBatches(Generic[R_co]):
    """The batches of rows that are all at hand; see `nshot.training.loop.Batches`."""

    rows: Sequence[R_co]
    schedule: Schedule

    @cached_property
    def plan(self) -> list[tuple[int, ...]]:
        """The row numbers of every step."""
        return batches([row.length for row in self.rows], self.schedule)

    @property
    def identity(self) -> str:
        """The rows; the schedule is the stage's."""
        return repr(self.rows)

    def __len__(self) -> int:
        return len(self.plan)

    def __getitem__(self, step: int) -> Sequence[R_co]:
        """The batch of step `step`, from 0."""
        return [self.rows[i] for i in self.plan[step]]


def batches(lengths: Sequence[int], schedule: Schedule) -> list[tuple[int, ...]]:
    """The row numbers of every step's batch, in order: a pure function of lengths and schedule.

    Each row is in one batch of an epoch, and the sizes of an epoch's batches differ by one row at
    most: in a short last batch a row would count several times as much as elsewhere. Rows of
    similar length share a batch, so that little padding is computed. Which rows meet, which
    batches are the smaller ones and the order of the batches are drawn anew in every epoch.
    """
    rng = random.Random(f"batches:{schedule.seed}")
    steps = schedule.steps(len(lengths))
    plan: list[tuple[int, ...]] = []
    while len(plan) < steps:
        plan += _epoch(lengths, schedule.batch_size, rng)
    return plan[:steps]


def _epoch(lengths: Sequence[int], size: int, rng: random.Random) -> list[tuple[int, ...]]:
    order = list(range(len(lengths)))
    rng.shuffle(order)
    count = math.ceil(len(order) / size)
    ends = [len(order) * (batch + 1) // count for batch in range(count)]
    sizes = [end - start for start, end in pairwise([0, *ends])]
    rng.shuffle(sizes)
    rows = iter(_by_length(order, lengths, size, rng))
    taken = [tuple(islice(rows, size)) for size in sizes]
    rng.shuffle(taken)
    return taken


def _by_length(
    order: Sequence[int], lengths: Sequence[int], size: int, rng: random.Random
) -> Iterator[int]:
    """Rows by length, bucket by bucket; their places are blurred, so that neighbours change."""
    for start in range(0, len(order), _BUCKET * size):
        bucket = sorted(order[start : start + _BUCKET * size], key=lambda i: lengths[i] // _GRAIN)
        places = [place + rng.uniform(-_BLUR, _BLUR) * size for place in range(len(bucket))]
        yield from (row for _, row in sorted(zip(places, bucket, strict=True)))
