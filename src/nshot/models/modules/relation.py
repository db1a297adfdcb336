"""A learned comparison: how much two feature maps belong together, from 0 to 1."""

from __future__ import annotations

from torch import Tensor, nn


class Relation(nn.Module):
    """The relation module: two convolutional blocks and two small layers on a pair of maps.

    Flood Sung et al., "Learning to Compare: Relation Network for Few-Shot Learning", CVPR 2018,
    section 3.4 and figure 3, https://arxiv.org/abs/1711.06025. A class's map and a query's map
    are laid on one another by channel; the score of the pair is a sigmoid.

    The first convolution is linear, so its two halves are computed once for each class and once
    for each query and added for each pair: the numbers are those of the pair laid together, for a
    fraction of the work.

    Args:
        channels: of a feature map.
        size: height and width of a feature map, at least 4.
        hidden: numbers between the last two layers; 8 in the paper.
    """

    def __init__(self, channels: int, size: int, hidden: int = 8) -> None:
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
            nn.Linear(channels * (size // 4) ** 2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 1),
            nn.Sigmoid(),
        )

    def forward(self, classes: Tensor, queries: Tensor) -> Tensor:
        """(E, way, c, s, s) and (E, q, c, s, s) -> (E, q, way) scores between 0 and 1."""
        episodes, way = classes.shape[:2]
        asked = queries.shape[1]
        known = self.of_class(classes.flatten(0, 1)).unflatten(0, (episodes, 1, way))
        seen = self.of_query(queries.flatten(0, 1)).unflatten(0, (episodes, asked, 1))
        pairs = (known + seen).flatten(0, 2)
        scores: Tensor = self.score(self.block(self.together(pairs)))
        return scores.view(episodes, asked, way)


def relation_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """Equation 2: the squared distance of the scores (..., way) from one-hot `targets` (...)."""
    wanted = nn.functional.one_hot(targets, scores.shape[-1]).to(scores.dtype)
    return nn.functional.mse_loss(scores, wanted)
