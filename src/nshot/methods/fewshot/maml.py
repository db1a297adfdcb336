"""A start from which a few gradient steps lead far."""

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


class MAML(Episodic):
    """Finn, Abbeel and Levine, "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks",
    ICML 2017.

    https://arxiv.org/abs/1703.03400 - the weights learned on background classes are a start: on an
    episode all of them take a few gradient steps on the support set, and the training looks through
    these steps. Per-step losses are those of Antoniou, Edwards and Storkey, "How to train your
    MAML", ICLR 2019, https://arxiv.org/abs/1810.09502.

    Args:
        filters: of the convolutional network.
        inner_steps: gradient steps on a support set, the same when training and when answering.
        inner_rate: of these steps.
        first_order: take the gradients of these steps for constants: a third less work.
        every_step: follow the queries' loss after every inner step, not the last alone, in the
            first half of the training.
        way: classes of a training episode.
        shot: support items of a class.
        queries: of a class.
        at_once: episodes a step.
        learning_rate: of AdamW.
    """

    name: ClassVar = "maml"
    about: ClassVar = "a start learned on background classes; all weights adapt to the shots"

    filters: PositiveInt = 32
    inner_steps: PositiveInt = 3
    inner_rate: PositiveFloat = 0.1
    first_order: bool = False
    every_step: bool = True
    way: PositiveInt = 20
    shot: PositiveInt = 1
    queries: PositiveInt = 3
    at_once: PositiveInt = 4
    learning_rate: PositiveFloat = 6e-3

    def learner(self, shape: tuple[int, ...]) -> Learner:
        """A network with strides for pooling; `CannotAdapt` for vectors, which none reads."""
        from nshot.nets.maml import MAML as Module

        if len(shape) != 3:
            raise CannotAdapt("maml adapts a network that reads pictures, and vectors were given")
        return Module(shape, self.filters, self.inner_steps, self.inner_rate, self.first_order)

    def phases(self, shape: tuple[int, ...]) -> tuple[Phase, ...]:
        """Episodes, all the way."""
        draws = OfEpisodes(EpisodeShape(self.way, self.shot, self.queries), self.at_once)
        return (Phase("episodes", draws, self.learning_rate),)

    def objective(self, phase: Phase) -> Objective[Learning, Any]:
        """The queries' loss after the inner steps."""
        from nshot.training.objectives.episode import InnerSteps

        return InnerSteps(self.every_step)
