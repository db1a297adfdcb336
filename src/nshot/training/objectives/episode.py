"""What is minimised while learning from background classes; of episodes, a sum over them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from nshot.core import machine
from nshot.data.episodes import EpisodeShape
from nshot.nets.answering import gathered
from nshot.nets.learner import Learner
from nshot.nets.maml import MAML, step_weights
from nshot.nets.relation import Relation
from nshot.training.data.episodes import Episode, ItemBatch


@dataclass(frozen=True)
class Episodes:
    """Episodes of one shape, as tensors. Items are uint8 pictures, or vectors.

    Classes have a number in their episode, from 0 to way - 1; items lie class by class.
    """

    shape: EpisodeShape
    support: Tensor
    """(episodes, way * shot, *item)."""
    labels: Tensor
    """(way * shot,) int64: 0, ..., 0, 1, ..., the same in every episode."""
    queries: Tensor
    """(episodes, way * queries, *item)."""
    targets: Tensor
    """(way * queries,) int64."""
    progress: float = 0.0
    """The share of the training that is done."""


class Learning(nn.Module):
    """A learner and what is trained beside it, which reads rows of a background.

    Args:
        learner: what is kept of it all.
        head: features (n, *features) -> (n, classes), or None; dropped afterwards.
        items: of the background, (n, *shape). They stay where they are: a step's are moved.
    """

    def __init__(self, learner: Learner, head: nn.Module | None, items: NDArray[np.generic]):
        super().__init__()
        self.learner, self.head = learner, head
        self.items = torch.from_numpy(items)

    def episodes(self, rows: Sequence[Episode]) -> Episodes:
        """Episodes of one shape and step, as tensors on the machine's device."""
        shape = rows[0].shape
        drawn = np.stack([episode.rows for episode in rows])
        support, queries = drawn[:, :, : shape.shot], drawn[:, :, shape.shot :]
        classes = torch.arange(shape.way, device=machine.device())
        return Episodes(
            shape,
            support=self._picked(support.reshape(len(rows), -1)),
            labels=classes.repeat_interleave(shape.shot),
            queries=self._picked(queries.reshape(len(rows), -1)),
            targets=classes.repeat_interleave(shape.queries),
            progress=rows[0].progress,
        )

    def batch(self, rows: ItemBatch) -> tuple[Tensor, Tensor]:
        """Items (n, *item) and their classes (n,), on the machine's device."""
        targets = torch.from_numpy(rows.targets).to(machine.device())
        return self._picked(rows.rows), targets

    def _picked(self, rows: NDArray[np.int64]) -> Tensor:
        return gathered(self.items, torch.from_numpy(rows)).to(machine.device())


def embedded(learner: Learner, batch: Episodes) -> tuple[Tensor, Tensor]:
    """Features of support (episodes, n, ...) and queries (episodes, q, ...), embedded together.

    Together, so that in training both are normalised by the same statistics.
    """
    both = torch.cat([batch.support, batch.queries], dim=1)
    flat = learner.embed(both.flatten(0, 1))
    features = flat.reshape(*both.shape[:2], *flat.shape[1:])
    return features[:, : len(batch.labels)], features[:, len(batch.labels) :]


class OnEpisodes(ABC):
    """An objective of `nshot.training.loop` on episodes. Subclasses say the loss of each."""

    def weight(self, rows: Sequence[Episode]) -> float:
        """The number of episodes."""
        return float(len(rows))

    def total(self, model: Learning, rows: Sequence[Episode]) -> Tensor:
        """The loss, summed over the episodes."""
        return self.loss(model.learner, model.episodes(rows))

    @abstractmethod
    def loss(self, learner: Learner, batch: Episodes) -> Tensor:
        """The loss, summed over the episodes: a scalar to differentiate."""


@dataclass(frozen=True)
class Answers(OnEpisodes):
    """Mean negative log-probability of the queries' classes (Vinyals et al. 2016, eq. 6)."""

    def loss(self, learner: Learner, batch: Episodes) -> Tensor:
        """Nats, mean over the queries of an episode."""
        support, queries = embedded(learner, batch)
        return _nats(learner, batch, support, queries)


@dataclass(frozen=True)
class Turns(OnEpisodes):
    """`Answers`, with each item of a class taking its turn as its support.

    Laenen and Bertinetto, "On Episodes, Prototypical Networks, and Few-Shot Learning", NeurIPS
    2021, https://arxiv.org/abs/2012.09831, show that more of a batch's pairs teach more.
    Nearly all of a step's work is the embedding; of one embedded batch this makes as many episodes
    as a class has items. After 60 steps on Omniglot a prototypical network told 20 letters by one
    shot apart at 77.6 % with it, at 74.3 % without, in the same time.
    """

    def loss(self, learner: Learner, batch: Episodes) -> Tensor:
        """Nats, mean over the queries of an episode and over the turns."""
        shape = batch.shape
        by_class = [
            part.reshape(len(part), shape.way, -1, *part.shape[2:])
            for part in embedded(learner, batch)
        ]
        items = torch.cat(by_class, dim=2)
        losses = []
        for turn in range(shape.shot + shape.queries):
            turned = torch.split(items.roll(-turn, dims=2), [shape.shot, shape.queries], dim=2)
            support, queries = (part.flatten(1, 2) for part in turned)
            losses.append(_nats(learner, batch, support, queries))
        return torch.stack(losses).mean()


def _nats(learner: Learner, batch: Episodes, support: Tensor, queries: Tensor) -> Tensor:
    """By which the queries' classes are missed: mean over an episode's queries, summed over all."""
    logits = learner.logits(support, batch.labels, queries, batch.shape.way)
    targets = batch.targets.repeat(len(logits))
    nats = functional.cross_entropy(logits.flatten(0, 1), targets, reduction="sum")
    return nats / len(batch.targets)


@dataclass(frozen=True)
class RelationScores(OnEpisodes):
    """Squared distance of the relation scores from 1 and 0 (Sung et al. 2018, equation 2)."""

    def loss(self, learner: Learner, batch: Episodes) -> Tensor:
        """Mean over an episode's pairs of a query and a class."""
        support, queries = embedded(learner, batch)
        way = batch.shape.way
        scores = cast(Relation, learner).scores(support, batch.labels, queries, way)
        same = functional.one_hot(batch.targets, way).to(scores)
        errors = functional.mse_loss(scores.sigmoid(), same.expand_as(scores), reduction="sum")
        return errors / same.numel()


@dataclass(frozen=True)
class InnerSteps(OnEpisodes):
    """The queries' loss after the inner steps, or after each of them (MAML, MAML++).

    Args:
        every_step: weigh the losses after all inner steps, see `step_weights`.
    """

    every_step: bool

    def loss(self, learner: Learner, batch: Episodes) -> Tensor:
        """Nats, mean over an episode's queries."""
        start = cast(MAML, learner)
        weights = step_weights(start.steps, batch.progress if self.every_step else 1.0)
        support, queries = embedded(start, batch)
        losses = start.losses(
            support, batch.labels, queries, batch.targets, batch.shape.way, weights
        )
        return losses.sum()


@dataclass(frozen=True)
class Classes:
    """Mean negative log-probability that the head gives to the items' background classes."""

    def weight(self, rows: Sequence[ItemBatch]) -> float:
        """The number of batches."""
        return float(len(rows))

    def total(self, model: Learning, rows: Sequence[ItemBatch]) -> Tensor:
        """Nats, mean over a batch's items, summed over the batches."""
        return torch.stack([self._loss(model, batch) for batch in rows]).sum()

    def _loss(self, model: Learning, rows: ItemBatch) -> Tensor:
        if model.head is None:
            raise TypeError("classes are told apart by a head, and the method gives none")
        items, targets = model.batch(rows)
        return functional.cross_entropy(model.head(model.learner.embed(items)), targets)
