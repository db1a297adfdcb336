"""What answers an episode: a module that embeds items and tells classes apart by a support set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from nshot.core import machine

WHITE = 255.0
"""The largest number of a picture."""
EMBEDDED = 256
"""Items embedded at once."""


class Learner(nn.Module, ABC):
    """Embeds items one by one, and answers queries by a support set, many episodes at once.

    An item is a picture, (channels, height, width) of uint8, or a vector, (width,) of floats, whose
    features were given. Its class and `settings` make an untrained one; its ``state_dict`` is all
    that training changes. In eval mode each item is embedded by itself, and each query is answered
    by itself from the support set alone: what else is asked changes nothing.

    Args:
        shape: of one item.
    """

    kind: ClassVar[str]
    """Its name on disk, in `nshot.nets.learners.KINDS`."""
    at_once: ClassVar[int | None] = None
    """Episodes that `logits` is given at once when many are measured; None is as many as stay near
    the processor. A learner that fits something to each support set is quicker with more."""
    embeds: ClassVar[bool] = True
    """Whether what `embed` gives is worth comparing without `logits`: features, not the item."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of its class, as JSON. A subclass adds its own to these."""
        return {"shape": list(self.shape)}

    @abstractmethod
    def embed(self, items: Tensor) -> Tensor:
        """(n, *shape) -> (n, *features), float. In train mode normalised over these n items."""

    @abstractmethod
    def logits(self, support: Tensor, labels: Tensor, queries: Tensor, way: int) -> Tensor:
        """What the queries are, up to a constant for each query: softmax makes it probabilities.

        Args:
            support: (episodes, n, *features), as `embed` made them.
            labels: (n,) int64, class of each support item from 0 to `way` - 1, the same in every
                episode. Each class has one item at least, not always as many as the others.
            queries: (episodes, q, *features).
            way: how many classes there are.

        Returns:
            (episodes, q, way). May be differentiable with respect to all of it, and may itself
            fit something to the support set (with `torch.enable_grad`).
        """


@torch.no_grad()
def embed_all(learner: Learner, items: Tensor) -> Tensor:
    """(n, *shape) -> (n, *features) on the machine's device, each item by itself."""
    learner = learner.to(machine.device()).eval()
    parts = torch.split(items, EMBEDDED)
    return torch.cat([learner.embed(part.to(machine.device())) for part in parts])


def as_floats(items: Tensor) -> Tensor:
    """Pictures as floats from 0 to 1; vectors as they are."""
    return items.float() / WHITE if items.dtype == torch.uint8 else items


def class_means(support: Tensor, labels: Tensor, way: int) -> Tensor:
    """(episodes, n, *features) -> (episodes, way, *features): the mean of each class's items."""
    picked = nn.functional.one_hot(labels, way).T.to(support)
    weights = picked / picked.sum(dim=1, keepdim=True)
    means = weights @ support.flatten(2)
    return means.reshape(len(support), way, *support.shape[2:])
