"""Learning from what a policy writes: round after round of sampling, judging and learning.

A round samples answers to some prompts under the policy as it is, and learns from them in a few
steps. What the rounds remember (measurements, the coefficient of the KL penalty) are buffers of the
module that is trained, so that a checkpoint between two rounds holds all that the next depends on.

A round begins by looking at what was sampled. A policy that has gone further from its reference
than its budget, or that repeats itself, is not learned from: `Stopped` ends the training, and the
policy that was kept at the last look is the one to take.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from nshot.core.types import Example, Prompt
from nshot.models.base import Decoding, LentModel
from nshot.training.forward import Reader
from nshot.training.rewards import Function, rewards
from nshot.training.rollouts import Likelihoods, Rollout, logprobs, repetition, rollouts

R = TypeVar("R")


class Stopped(Exception):
    """The policy is no longer to be learned from; the reason, in half a sentence."""


class Look(NamedTuple):
    """What a policy's answers are like, a mean over them.

    `kl` in nats an answer, from the reference; `length` in tokens; `repetition` the share of
    three-token pieces that stood in the same answer before.
    """

    reward: float
    kl: float
    length: float
    repetition: float

    def __str__(self) -> str:
        kl = round(self.kl, 2) + 0.0  # what rounds to -0 is 0
        return f"reward {self.reward:.3f}, KL {kl:.2f}, {self.length:.0f} tokens"


_LENGTH = Look._fields.index("length")
_SHOWN = 60
"""Characters of an answer in a display."""


@dataclass(frozen=True)
class Answers:
    """What a policy wrote: answers in order, those of a prompt side by side.

    `reference` holds the reference's log-probabilities of each one's tokens.
    """

    rollouts: Sequence[Rollout]
    rewards: Sequence[float]
    reference: Sequence[Tensor]

    @property
    def kl(self) -> list[float]:
        """log pi - log ref of each answer, in nats."""
        both = zip(self.rollouts, self.reference, strict=True)
        return [sum(one.logprobs) - float(reference.sum()) for one, reference in both]

    @property
    def look(self) -> Look:
        """Their means."""
        texts = [one.tokens for one in self.rollouts]
        return Look(
            fmean(self.rewards),
            fmean(self.kl),
            fmean(map(len, texts)),
            fmean(map(repetition, texts)),
        )


@dataclass(frozen=True)
class Limits:
    """How far a policy may go: nats an answer from its reference, and a share of repetition."""

    kl: float | None = None
    repetition: float = 0.8

    def broken(self, look: Look) -> str | None:
        """Which limit the answers break, in half a sentence; a KL that is no number breaks any."""
        if not math.isfinite(look.kl):
            return f"KL is {look.kl} nats an answer: weights or log-probabilities are not finite,"
        if self.kl is not None and look.kl > self.kl:
            return f"KL is {look.kl:.1f} nats an answer, of {self.kl:g} allowed,"
        if look.repetition > self.repetition:
            return (
                f"the policy repeats itself: {look.repetition:.0%} of what it writes stood before"
            )
        return None


class Learner(nn.Module):
    """What is trained, and what its rounds remember.

    `looks` (rounds, figures of a `Look`) fills as rounds begin; `coefficient` is that of the KL
    penalty.
    """

    def __init__(self, inner: nn.Module, rounds: int, coefficient: float) -> None:
        super().__init__()
        self.inner = inner
        self.looks: Tensor
        self.coefficient: Tensor
        self.register_buffer("looks", torch.zeros(rounds, len(Look._fields), dtype=torch.float64))
        self.register_buffer("coefficient", torch.tensor(coefficient, dtype=torch.float64))


@dataclass
class Explorer:
    """A policy on a lent base, asked for answers; the reference is what is lent, without it.

    Args:
        policy: PEFT's model, its adapter in use; or the lent module, its weights free.
        reader: reads rows with it, under whatever is in use.
        examples, prompts: what is asked, and how it is put.
        reward: what an answer is worth.
        how: the temperature, the most tokens, the seed.
        states: whether a critic reads what the policy's head read; see `Rollout.states`.
    """

    lent: LentModel
    policy: Any
    reader: Reader
    examples: Sequence[Example]
    prompts: Sequence[Prompt]
    reward: Function
    how: Decoding
    states: bool = False

    def answers(self, numbers: Sequence[int], count: int, name: str) -> Answers:
        """`count` answers to each of the prompts `numbers`; `name` sets their draws apart.

        Raises `InputError` where the reward is not one finite number an answer.
        """
        how = replace(self.how, seed=random.Random(f"{self.how.seed}:{name}").getrandbits(32))
        prompts = [self.prompts[i] for i in numbers]
        written = rollouts(self.lent, prompts, how, count, name, self.states)
        examples = [self.examples[numbers[one.prompt]] for one in written]
        worth = rewards(self.reward, examples, [one.text.strip() for one in written])
        model = Likelihoods(self.reader, how.temperature)
        with evaluating(self.policy), self.lent.as_lent():
            reference = logprobs(model, [one.row for one in written])
        return Answers(written, worth, reference)

    def chosen(self, number: int, count: int) -> list[int]:
        """The prompts of a round: in seeded order, each once before any comes again."""
        return [self._turn(number * count + place) for place in range(count)]

    def _turn(self, place: int) -> int:
        turn, at = divmod(place, len(self.prompts))
        order = list(range(len(self.prompts)))
        random.Random(f"prompts:{self.how.seed}:{turn}").shuffle(order)
        return order[at]


@dataclass(frozen=True)
class Plan:
    """How many rounds; of how many prompts, each answered how often; learned from in what steps.

    A round's answers are gone through `passes` times, each time in `parts` batches.
    """

    rounds: int
    prompts: int
    answers: int
    passes: int = 1
    parts: int = 1
    seed: int = 0

    @property
    def steps(self) -> int:
        """Optimiser steps of a round."""
        return self.passes * self.parts

    @property
    def batch(self) -> int:
        """Answers in the largest batch."""
        return -(-self.prompts * self.answers // self.parts)

    def order(self, number: int, within: int) -> list[int]:
        """Which answers of round `number` are learned from in its step `within`."""
        turn, part = divmod(within, self.parts)
        order = list(range(self.prompts * self.answers))
        if self.parts > 1:
            random.Random(f"answers:{self.seed}:{number}:{turn}").shuffle(order)
        ends = [len(order) * k // self.parts for k in (part, part + 1)]
        return order[ends[0] : ends[1]]


def _nothing(step: int, batch: Sequence[R]) -> Sequence[R]:
    """Learn from the answers alone."""
    return ()


@dataclass
class Rounds(Generic[R]):
    """The batches of all rounds, each sampled as it begins; see `nshot.training.loop.Batches`.

    Args:
        rows: an answer a row, made into what the objective reads.
        keep: told that the policy is a good one, before it is learned from.
        beside: given a step and its batch, what is learned beside it; nothing by default.
        identity: names all that the answers and their rewards depend on.
    """

    plan: Plan
    explorer: Explorer
    learner: Learner
    limits: Limits
    rows: Callable[[Answers], Sequence[R]]
    keep: Callable[[], object]
    identity: str
    beside: Callable[[int, Sequence[R]], Sequence[R]] = _nothing
    _number: int = field(default=-1, init=False)
    _rows: Sequence[R] = field(default=(), init=False)
    _sample: str = field(default="", init=False)

    def __len__(self) -> int:
        return self.plan.rounds * self.plan.steps

    def __getitem__(self, step: int) -> Sequence[R]:
        """The batch of step `step`, from 0. Raises `Stopped` where a limit is broken."""
        number, within = divmod(step, self.plan.steps)
        if within == 0 and number != self._number:
            self._begin(number)
        batch = [self._rows[i] for i in self.plan.order(number, within)]
        return [*batch, *self.beside(step, batch)]

    @property
    def now(self) -> str:
        """The last look, and an answer of that round, for a display."""
        sample = f"; \u201c{_short(self._sample)}\u201d" if self._sample else ""
        return f"{self.look}{sample}"

    @property
    def looks(self) -> dict[str, list[float]]:
        """Every look so far, by figure: one number a round."""
        begun = self.learner.looks[self.learner.looks[:, _LENGTH] > 0]
        return {name: begun[:, i].tolist() for i, name in enumerate(Look._fields)}

    @property
    def look(self) -> Look:
        """At the last round whose policy was kept; nothing before the first."""
        begun = int((self.learner.looks[:, _LENGTH] > 0).sum())
        return Look(*self.learner.looks[max(0, begun - 1)].tolist())

    def _begin(self, number: int) -> None:
        plan = self.plan
        chosen = self.explorer.chosen(number, plan.prompts)
        answers = self.explorer.answers(chosen, plan.answers, f"round {number}")
        if reason := self.limits.broken(answers.look):
            raise Stopped(f"{reason} after {number} updates")
        self.keep()
        self.learner.looks[number] = torch.tensor(answers.look, dtype=torch.float64)
        self._sample = answers.rollouts[0].text
        self._rows, self._number = self.rows(answers), number


def _short(text: str) -> str:
    """A text on one line, its end left out where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "\u2026"


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """Evaluation mode inside, without a gradient; the mode as it was outside."""
    was = module.training
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train(was)
