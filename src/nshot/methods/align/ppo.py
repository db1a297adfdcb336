"""Proximal policy optimisation: every token of an answer judged by a critic that learns beside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from nshot.core.errors import CannotAdapt
from nshot.core.types import Task
from nshot.methods.align.exploring import Exploring
from nshot.methods.contract import Workbench

if TYPE_CHECKING:
    from torch import nn

    from nshot.training.forward import Reader
    from nshot.training.loop import Objective
    from nshot.training.objectives.ppo import Judged
    from nshot.training.rounds import Answers, Explorer, Learner


class PPO(Exploring):
    """A policy and a critic on one base, as language models have been taught since InstructGPT.

    John Schulman et al. "Proximal Policy Optimization Algorithms", 2017.
    https://arxiv.org/abs/1707.06347
    Daniel M. Ziegler et al. "Fine-Tuning Language Models from Human Preferences", 2019, for the KL
    penalty of each token and its coefficient. https://arxiv.org/abs/1909.08593
    Long Ouyang et al. "Training language models to follow instructions with human feedback", 2022,
    section 3.5, step 3. https://arxiv.org/abs/2203.02155

    The reward of a token is its KL penalty, that of the last the answer's reward as well;
    advantages are generalised estimates, whitened over the round. The critic is a linear head on
    the policy's last state, which it does not shape.

    Settings besides those of `Exploring`:

    Args:
        kl: coefficient of the penalty, at the start.
        kl_target: nats an answer that the coefficient is steered towards; None: it stays.
        kl_horizon: answers in which the coefficient changes by a fifth, at most.
        clip: how far from 1 the ratio of probabilities still counts.
        value_clip: how far the critic may go from what it expected when an answer was written.
        value_share: weight of the critic's loss.
        discount: of what comes a token later.
        decay: lambda of the advantages: 1 is the whole answer's return, 0 one token's.
        epochs: times that a round's answers are learned from.
        batches: optimiser steps each time.
        ptx: weight of the loss of demonstrations, the shots that have an answer, as many in each
            batch as it has answers of the policy (PPO-ptx; Ouyang et al. 2022, equation 2).
    """

    name: ClassVar[str] = "ppo"
    has_critic: ClassVar[bool] = True
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"learning_rate": (3e-4, 1e-4)}
    about: ClassVar[str] = "an adapter and a critic that learn from what its own answers are worth"

    prompts: int = Field(default=32, ge=1)
    answers: int = Field(default=1, ge=1)
    kl: float = Field(default=0.05, ge=0)
    kl_target: float | None = Field(default=None, gt=0)
    kl_horizon: float = Field(default=10000, gt=0)
    clip: float = Field(default=0.2, gt=0)
    value_clip: float = Field(default=0.2, gt=0)
    value_share: float = Field(default=0.1, ge=0)
    discount: float = Field(default=1.0, gt=0, le=1)
    decay: float = Field(default=0.95, ge=0, le=1)
    epochs: int = Field(default=2, ge=1)
    batches: int = Field(default=2, ge=1)
    ptx: float = Field(default=0.0, ge=0)

    @property
    def passes(self) -> tuple[int, int]:
        """`epochs` times in `batches`."""
        return self.epochs, min(self.batches, self.prompts * self.answers)

    @property
    def coefficient(self) -> float:
        """Of the KL penalty, at the start."""
        return self.kl

    def inner(self, policy: Any) -> nn.Module:
        """The policy and its critic."""
        from nshot.training.rollouts import ActorCritic

        return ActorCritic(policy)

    def model(self, learner: Learner, reader: Reader) -> Any:
        """Both, read in one pass."""
        from nshot.training.rollouts import Judging

        return Judging(learner.inner, reader, self.temperature)

    def rows(self, learner: Learner, model: Any, answers: Answers) -> Sequence[Judged]:
        """Each token with its advantage and return; the coefficient then follows its target."""
        import torch

        from nshot.training.objectives.kl import next_coefficient
        from nshot.training.objectives.ppo import Judged, estimates, token_rewards, whitened
        from nshot.training.rollouts import expectations

        coefficient = float(learner.coefficient)
        values = expectations(model.module, answers.rollouts)
        scored = zip(answers.rewards, answers.rollouts, answers.reference, values, strict=True)
        each = [
            estimates(
                token_rewards(reward, torch.tensor(one.logprobs), reference, coefficient),
                own,
                self.discount,
                self.decay,
            )
            for reward, one, reference, own in scored
        ]
        lengths = [len(one.tokens) for one in answers.rollouts]
        advantages = torch.split(whitened(torch.cat([one.advantages for one in each])), lengths)
        count, kl = len(lengths), answers.look.kl
        learner.coefficient.fill_(
            next_coefficient(coefficient, kl, self.kl_target, count, self.kl_horizon)
        )
        return [
            Judged(
                one.row.id,
                one.row,
                one.logprobs,
                tuple(own.tolist()),
                tuple(advantage.tolist()),
                tuple(estimate.returns.tolist()),
            )
            for one, own, advantage, estimate in zip(
                answers.rollouts, values, advantages, each, strict=True
            )
        ]

    def beside(
        self, task: Task, explorer: Explorer, bench: Workbench
    ) -> Callable[[int, Sequence[Any]], Sequence[Any]] | None:
        """Demonstrations, where `ptx` gives them a weight."""
        from nshot.training.data.answers import cut_note, encode
        from nshot.training.objectives.ptx import mixed_in

        if not self.ptx:
            return None
        shown = [one for one in explorer.examples if any(text.strip() for text in one.targets)]
        if not shown:
            raise CannotAdapt("ptx needs demonstrations: rows that have an answer")
        lent = explorer.lent
        rows, cut = encode(task, self.format, shown, lent.tokenizer, lent.facts.context)
        for sentence in cut_note(cut, lent.facts.context):
            bench.note(sentence)
        return mixed_in(rows, bench.seed)

    def objective(self) -> Objective[Any, Any]:
        """The clipped losses of policy and critic, and that of demonstrations."""
        from nshot.training.objectives.ppo import PPOLoss
        from nshot.training.objectives.ptx import PPOWithDemonstrations

        loss = PPOLoss(self.clip, self.value_clip, self.value_share)
        return PPOWithDemonstrations(loss, self.ptx) if self.ptx else loss
