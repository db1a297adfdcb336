"""A comparison that is learned, on feature maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PositiveFloat, PositiveInt

from nshot.core.errors import CannotAdapt
from nshot.data.episodes import EpisodeShape
from nshot.methods.fewshot.episodic import Episodic, Phase
from nshot.training.data.episodes import OfEpisodes

if TYPE_CHECKING:
    from nshot.nets.learner import Learner
    from nshot.training.loop import Objective
    from nshot.training.objectives.episode import Learning


class Relation(Episodic):
    """Sung, Yang, Zhang, Xiang, Torr and Hospedales, "Learning to Compare: Relation Network for
    Few-Shot Learning", CVPR 2018.

    https://arxiv.org/abs/1711.06025 - where other methods fix the distance, a small network learns
    to say whether two feature maps are of one class, together with the maps; its scores are drawn
    to 1 and 0 by their squared distance.

    Args:
        filters: of the embedding and of the network that compares.
        way: classes of a training episode.
        shot: support items of a class.
        queries: of a class.
        learning_rate: of AdamW.
    """

    name: ClassVar = "relation"
    about: ClassVar = "an embedding and a comparison learned on background classes"

    filters: PositiveInt = 64
    way: PositiveInt = 20
    shot: PositiveInt = 1
    queries: PositiveInt = 3
    learning_rate: PositiveFloat = 2e-3

    def learner(self, shape: tuple[int, ...]) -> Learner:
        """Two halves: a `Conv4` that pools twice, and the module that compares its maps."""
        from nshot.nets.relation import Relation as Module

        if len(shape) != 3:
            raise CannotAdapt("relation compares the maps of pictures, and vectors were given")
        return Module(shape, self.filters)

    def phases(self, shape: tuple[int, ...]) -> tuple[Phase, ...]:
        """Episodes, all the way."""
        draws = OfEpisodes(EpisodeShape(self.way, self.shot, self.queries))
        return (Phase("episodes", draws, self.learning_rate),)

    def objective(self, phase: Phase) -> Objective[Learning, Any]:
        """The squared error of the scores."""
        from nshot.training.objectives.episode import RelationScores

        return RelationScores()
