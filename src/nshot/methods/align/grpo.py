"""Group relative policy optimisation: answers to a prompt, each judged beside the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nshot.methods.align.exploring import Exploring

if TYPE_CHECKING:
    from torch import nn

    from nshot.training.forward import Reader
    from nshot.training.loop import Objective
    from nshot.training.objectives.grpo import Compared
    from nshot.training.rounds import Answers, Learner


class GRPO(Exploring):
    """A policy that learns which of its answers to a prompt were better than its others.

    Zhihong Shao et al. "DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open Language
    Models", 2024, section 4.1. https://arxiv.org/abs/2402.03300

    An answer's advantage is its reward less the mean of its prompt's, over their standard
    deviation; every token of it has that advantage in PPO's clipped surrogate. No value is learned.
    Beside it stands the divergence from the reference, estimated without bias and never negative
    (equation 4).

    Settings besides those of `Exploring`:

    Args:
        kl: weight of the divergence.
        clip: how far from 1 the ratio of probabilities still counts.
        steps: optimiser steps on a round's answers; with 1 every answer is learned from under the
            policy that wrote it.
        scaled: divide by the standard deviation.
        average: see `nshot.training.objectives.grpo.GRPOLoss`.
    """

    name: ClassVar[str] = "grpo"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (3e-4, 1e-4)}
    about: ClassVar[str] = "an adapter that learns from the better of its own answers"

    answers: int = Field(default=8, ge=2)
    kl: float = Field(default=0.04, ge=0)
    clip: float = Field(default=0.2, gt=0)
    steps: int = Field(default=1, ge=1)
    scaled: bool = True
    average: Literal["answers", "tokens"] = "answers"

    @property
    def passes(self) -> tuple[int, int]:
        """All of a round's answers in every step."""
        return self.steps, 1

    def inner(self, policy: Any) -> nn.Module:
        """The policy alone."""
        module: nn.Module = policy
        return module

    def model(self, learner: Learner, reader: Reader) -> Any:
        """Its log-probabilities at the temperature of the sampling."""
        from nshot.training.rollouts import Likelihoods

        return Likelihoods(reader, self.temperature)

    def rows(self, learner: Learner, model: Any, answers: Answers) -> Sequence[Compared]:
        """Each answer with its advantage over the others to its prompt."""
        import torch

        from nshot.training.objectives.grpo import Compared, group_advantages

        rewards = torch.tensor(answers.rewards, dtype=torch.float64).view(-1, self.answers)
        advantages = group_advantages(rewards, self.scaled).flatten().tolist()
        return [
            Compared(one.row.id, one.row, one.logprobs, tuple(reference.tolist()), advantage)
            for one, reference, advantage in zip(
                answers.rollouts, answers.reference, advantages, strict=True
            )
        ]

    def objective(self) -> Objective[Any, Any]:
        """Equations 3 and 4."""
        from nshot.training.objectives.grpo import GRPOLoss

        return GRPOLoss(self.clip, self.kl, self.average)
