"""What the methods minimise that learn from background classes in a way of their own."""

from __future__ import annotations

from torch import Tensor, nn

from nshot.methods.episodes.base import Episodes
from nshot.methods.episodes.objectives import embedded
from nshot.nets.maml import MAML, step_weights
from nshot.nets.relation import Relation


class RelationLoss(nn.Module):
    """Squared distance of the relation scores from 1 and 0 (Sung et al. 2018, equation 2)."""

    def __init__(self, learner: Relation) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, batch: Episodes, progress: float) -> Tensor:
        """Mean over all pairs of a query and a class."""
        support, queries = embedded(self.learner, batch)
        scores = self.learner.scores(support, batch.labels, queries, batch.shape.way)
        wanted = nn.functional.one_hot(batch.targets, batch.shape.way).to(scores)
        return nn.functional.mse_loss(scores.sigmoid(), wanted.expand_as(scores))


class InnerLoss(nn.Module):
    """The queries' loss after the inner steps, or after each of them (MAML, MAML++).

    Args:
        learner: its start is trained.
        every_step: weigh the losses after all inner steps, see `step_weights`.
    """

    def __init__(self, learner: MAML, every_step: bool) -> None:
        super().__init__()
        self.learner, self.every_step = learner, every_step

    def forward(self, batch: Episodes, progress: float) -> Tensor:
        """Nats, mean over the queries of all episodes."""
        steps = self.learner.steps
        weights = step_weights(steps, progress) if self.every_step else step_weights(steps, 1.0)
        support, queries = embedded(self.learner, batch)
        losses = self.learner.losses(
            support, batch.labels, queries, batch.targets, batch.shape.way, weights
        )
        return losses.mean()
