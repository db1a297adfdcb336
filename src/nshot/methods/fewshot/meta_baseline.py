"""An embedding that learned to classify, and then to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import PositiveFloat, PositiveInt

from nshot.data.episodes import EpisodeShape
from nshot.methods.fewshot.episodic import Episodic, Phase
from nshot.training.data.episodes import OfEpisodes, OfItems

if TYPE_CHECKING:
    from torch import nn

    from nshot.nets.learner import Learner
    from nshot.training.loop import Objective
    from nshot.training.objectives.episode import Learning

CLASSES, EPISODES = "classes", "episodes"
"""The two phases."""


class MetaBaseline(Episodic):
    """Chen, Liu, Xu, Darrell and Wang, "Meta-Baseline: Exploring Simple Meta-Learning for Few-Shot
    Learning", ICCV 2021.

    https://arxiv.org/abs/2003.04390 - the embedding is first trained to tell all background classes
    apart; then on episodes, where a query is compared with each class's mean by a cosine times a
    learned scale.

    Args:
        filters: of the convolutional embedding.
        batch: items a step of the first phase.
        way: classes of a training episode.
        shot: support items of a class.
        queries: of a class.
        learning_rate: of AdamW, while classes are told apart.
        episode_rate: of AdamW, on episodes.
        share: part of the time that goes to the first phase.
    """

    name: ClassVar = "meta_baseline"
    about: ClassVar = "an embedding that learned to classify, then to compare by cosine"

    filters: PositiveInt = 64
    batch: PositiveInt = 128
    way: PositiveInt = 60
    shot: PositiveInt = 1
    queries: PositiveInt = 3
    learning_rate: PositiveFloat = 2e-3
    episode_rate: PositiveFloat = 1e-3
    share: PositiveFloat = 0.5

    def learner(self, shape: tuple[int, ...]) -> Learner:
        """A `Conv4` for pictures; vectors stay as they are."""
        from nshot.nets.meta_baseline import MetaBaseline as Module

        return Module(shape, self.filters)

    def phases(self, shape: tuple[int, ...]) -> tuple[Phase, ...]:
        """Classes, then episodes; nothing for vectors: the scale changes no answer."""
        if len(shape) != 3:
            return ()
        episodes = OfEpisodes(EpisodeShape(self.way, self.shot, self.queries))
        return (
            Phase(CLASSES, OfItems(self.batch), self.learning_rate, self.share),
            Phase(EPISODES, episodes, self.episode_rate, 1 - self.share),
        )

    def objective(self, phase: Phase) -> Objective[Learning, Any]:
        """First a linear classifier of the background, then the answer's cross-entropy."""
        from nshot.training.objectives.episode import Answers, Classes

        return Classes() if phase.name == CLASSES else Answers()

    def head(self, phase: Phase, learner: Learner, classes: int) -> nn.Module | None:
        """While classes are told apart, the linear classifier."""
        from torch import nn

        from nshot.nets.meta_baseline import MetaBaseline as Module

        if phase.name == EPISODES:
            return None
        return nn.Linear(cast(Module, learner).embedding.width, classes)
