"""Batches of background items: episodes, and items with their classes. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import digest
from nshot.data.collections import Collection
from nshot.data.episodes import EpisodeShape, draw


@dataclass(frozen=True)
class Episode:
    """One episode of a step.

    `rows` (way, shot + queries) numbers items of the background, those of a class side by side and
    its support first; `progress` is the share of the stage's steps that is done.
    """

    shape: EpisodeShape
    rows: NDArray[np.int64]
    progress: float


@dataclass(frozen=True)
class ItemBatch:
    """Items that are read together: `rows` (n,) numbers them, `targets` (n,) their classes."""

    rows: NDArray[np.int64]
    targets: NDArray[np.int64]


@dataclass(frozen=True)
class OfEpisodes:
    """Each step sees `at_once` episodes; fewer classes than `way` are all taken."""

    shape: EpisodeShape
    at_once: int = 1

    @property
    def items(self) -> int:
        """Items that a step sees."""
        return self.at_once * self.shape.way * (self.shape.shot + self.shape.queries)

    def batch(self, background: Collection, step: int, steps: int, seed: int) -> list[Episode]:
        """The episodes of step `step` (from 0) of `steps`."""
        shape = fitting_shape(self.shape, background)
        drawn = draw(background.counts, shape, step * self.at_once, self.at_once, seed)
        return [Episode(shape, rows, step / steps) for rows in drawn]


@dataclass(frozen=True)
class OfItems:
    """Each step sees `size` items of any background classes, normalised together."""

    size: int
    at_once: ClassVar[int] = 1
    """They are one row of the loop: a batch in halves would be normalised by other statistics."""

    @property
    def items(self) -> int:
        """Items that a step sees."""
        return self.size

    def batch(self, background: Collection, step: int, steps: int, seed: int) -> list[ItemBatch]:
        """The items of step `step`, each item of the background as likely as the others."""
        rows = np.random.default_rng([seed, step]).integers(len(background.items), size=self.size)
        targets = np.searchsorted(background.starts, rows, side="right") - 1
        return [ItemBatch(rows, targets)]


@dataclass(frozen=True)
class BackgroundBatches:
    """What the `steps` steps of a stage see of a background; see `nshot.training.loop.Batches`."""

    draws: OfEpisodes | OfItems
    background: Collection
    steps: int
    seed: int

    @property
    def identity(self) -> str:
        """Names all that the batches depend on."""
        return digest(repr((self.draws, self.steps, self.seed)), self.background.fingerprint)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Sequence[Episode | ItemBatch]:
        """The batch of step `step`, from 0."""
        return self.draws.batch(self.background, step, self.steps, self.seed)


def fitting_shape(shape: EpisodeShape, background: Collection) -> EpisodeShape:
    """The shape, with no more classes than have items enough for it."""
    enough = int((background.counts >= shape.shot + shape.queries).sum())
    return EpisodeShape(min(shape.way, max(enough, 1)), shape.shot, shape.queries)
