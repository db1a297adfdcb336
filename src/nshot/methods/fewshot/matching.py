"""Attention over the support set."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import PositiveFloat, PositiveInt

from nshot.data.episodes import EpisodeShape
from nshot.methods.fewshot.episodic import Episodic, Phase
from nshot.training.data.episodes import OfEpisodes

if TYPE_CHECKING:
    from nshot.nets.learner import Learner


class Matching(Episodic):
    """Vinyals, Blundell, Lillicrap, Kavukcuoglu and Wierstra, "Matching Networks for One Shot
    Learning", NeurIPS 2016.

    https://arxiv.org/abs/1606.04080 - a query's class is a weighted vote of the support items, the
    weights a softmax of cosines (section 2.1.1). A cosine ends at 1, where softmax is nearly flat
    and teaches little: here it is multiplied by a learned number.

    Args:
        filters: of the convolutional embedding.
        full_context: embed the support set as a set and each query in sight of it (section 2.1.2).
        way: classes of a training episode.
        shot: support items of a class.
        queries: of a class.
        learning_rate: of AdamW.
    """

    name: ClassVar = "matching"
    about: ClassVar = "an embedding learned on background classes; attention over the shots"

    filters: PositiveInt = 64
    full_context: bool = False
    way: PositiveInt = 60
    shot: PositiveInt = 1
    queries: PositiveInt = 3
    learning_rate: PositiveFloat = 5e-3

    def learner(self, shape: tuple[int, ...]) -> Learner:
        """A `Conv4` for pictures; vectors stay as they are."""
        from nshot.nets.matching import Matching as Module

        return Module(shape, self.filters, self.full_context)

    def phases(self, shape: tuple[int, ...]) -> tuple[Phase, ...]:
        """Episodes, all the way; of vectors there is only the context to learn."""
        if len(shape) != 3 and not self.full_context:
            return ()
        draws = OfEpisodes(EpisodeShape(self.way, self.shot, self.queries))
        return (Phase("episodes", draws, self.learning_rate),)
