"""A metric that is learned: classes as means of embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import PositiveFloat, PositiveInt

from nshot.data.episodes import EpisodeShape
from nshot.methods.fewshot.episodic import Episodic, Phase
from nshot.training.data.episodes import OfEpisodes

if TYPE_CHECKING:
    from nshot.nets.learner import Learner


class Prototypical(Episodic):
    """Snell, Swersky and Zemel, "Prototypical Networks for Few-shot Learning", NeurIPS 2017.

    https://arxiv.org/abs/1703.05175 - an embedding is trained on episodes of background classes so
    that a class's items lie around their mean; a new class is the mean of its shots, and a query
    takes the nearest one. Trained with more classes at once than are asked later (section 3.2):
    the harder episode teaches more.

    Args:
        filters: of the convolutional embedding.
        way: classes of a training episode.
        shot: support items of a class.
        queries: of a class.
        learning_rate: of AdamW.
    """

    name: ClassVar = "prototypical"
    about: ClassVar = "an embedding learned on background classes; nearest class mean"

    filters: PositiveInt = 64
    way: PositiveInt = 60
    shot: PositiveInt = 1
    queries: PositiveInt = 3
    learning_rate: PositiveFloat = 5e-3

    def learner(self, shape: tuple[int, ...]) -> Learner:
        """A `Conv4` for pictures; vectors stay as they are."""
        from nshot.nets.prototypical import Prototypical as Module

        return Module(shape, self.filters)

    def phases(self, shape: tuple[int, ...]) -> tuple[Phase, ...]:
        """Episodes, all the way; nothing for vectors, which no embedding changes."""
        if len(shape) != 3:
            return ()
        draws = OfEpisodes(EpisodeShape(self.way, self.shot, self.queries))
        return (Phase("episodes", draws, self.learning_rate),)
