"""A learned comparison: how much two feature maps belong together, from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from nshot.nets.conv4 import Conv4
from nshot.nets.learner import Learner, class_means

POOLS = 2
"""Blocks of the embedding that halve the picture: the maps keep room for two more."""


class RelationModule(nn.Module):
    """The relation module: two convolutional blocks and two small layers on a pair of maps.

    Flood Sung et al., "Learning to Compare: Relation Network for Few-Shot Learning", CVPR 2018,
    section 3.4 and figure 3, https://arxiv.org/abs/1711.06025. A class's map and a query's map
    are laid on one another by channel; the sigmoid of what comes out is the pair's relation score.

    The first convolution is linear, so its two halves are computed once for each class and once
    for each query and added for each pair: the numbers are those of the pair laid together, for a
    fraction of the work.

    Args:
        channels: of a feature map.
        height, width: of a feature map, at least 4.
        hidden: numbers between the last two layers; 8 in the paper.
    """

    def __init__(self, channels: int, height: int, width: int, hidden: int = 8) -> None:
        super().__init__()
        self.of_class = nn.Conv2d(channels, channels, 3, padding=1)
        self.of_query = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.together = nn.Sequential(nn.MaxPool2d(2), nn.BatchNorm2d(channels), nn.ReLU())
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.score = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels * (height // 4) * (width // 4), hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, classes: Tensor, queries: Tensor) -> Tensor:
        """(E, way, c, s, s) and (E, q, c, s, s) -> (E, q, way), scores before the sigmoid."""
        episodes, way = classes.shape[:2]
        count = queries.shape[1]
        of_classes = self.of_class(classes.flatten(0, 1)).unflatten(0, (episodes, 1, way))
        of_queries = self.of_query(queries.flatten(0, 1)).unflatten(0, (episodes, count, 1))
        pairs = (of_classes + of_queries).flatten(0, 2)
        scores: Tensor = self.score(self.block(self.together(pairs)))
        return scores.view(episodes, count, way)


class Relation(Learner):
    """The class whose mean map has the greatest relation score with the query's map.

    The paper adds a class's maps where this takes their mean: for one number of shots that is the
    same network, and a mean may be asked with another number of shots than it was trained on.

    Args:
        shape: of one picture, 16 pixels high and wide at least.
        filters: of the `Conv4` and of the relation module.
    """

    kind: ClassVar = "relation"

    def __init__(self, shape: Sequence[int], filters: int = 64) -> None:
        super().__init__(shape)
        self.filters = filters
        self.conv = Conv4(shape[0], filters, POOLS)
        self.relation = RelationModule(*self.conv.size(shape))

    @property
    def settings(self) -> dict[str, Any]:
        """Shape and filters."""
        return {**super().settings, "filters": self.filters}

    def embed(self, items: Tensor) -> Tensor:
        """(n, *shape) -> (n, filters, height, width) maps."""
        maps: Tensor = self.conv(items)
        return maps

    def scores(self, support: Tensor, labels: Tensor, queries: Tensor, way: int) -> Tensor:
        """Relation scores before the sigmoid: (episodes, q, way)."""
        odds: Tensor = self.relation(class_means(support, labels, way), queries)
        return odds

    def logits(self, support: Tensor, labels: Tensor, queries: Tensor, way: int) -> Tensor:
        """Logarithms of the relation scores: a class's probability is its share of their sum."""
        return nn.functional.logsigmoid(self.scores(support, labels, queries, way))
