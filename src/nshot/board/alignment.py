"""What an alignment did, step by step: what its page, its terminal and ``align.json`` say.

Everything here is plain data. Shares and probabilities are from 0 to 1, rewards in standard
deviations from the mean of the answers that the reward model learned from, KL in nats an answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "failed", "left_out"]


@dataclass(frozen=True)
class Bounded:
    """A figure with its 95 % interval, what came of one prompt counting as one."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Step:
    """One step: `reason` where it failed or was left out; `losses` of each optimiser step."""

    name: str
    method: str
    state: State
    reason: str = ""
    rows: int = 0
    seconds: float = 0.0
    parameters: int = 0
    notes: tuple[str, ...] = ()
    losses: tuple[float, ...] = ()
    rounds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Of a policy: reward, kl, length and repetition at the beginning of each update."""
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Confidence:
    """Pairs about which a reward model is about equally sure: how sure, and how often right."""

    pairs: int
    probability: float
    right: Bounded


@dataclass(frozen=True)
class Judgement:
    """How a reward model does on pairs that it has not seen.

    `accuracy` is the share of pairs in which the better answer has more, beside the trivial rungs;
    `correlation` that of reward and length within a prompt. `error` is the calibration error of the
    probability ``sigmoid(difference)`` and `brier` its mean squared error: 0.25 knows nothing.
    """

    pairs: int
    accuracy: Bounded
    longest: Bounded
    shortest: Bounded
    brier: Bounded
    error: Bounded | None = None
    correlation: float | None = None
    confidences: tuple[Confidence, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a model writes to a held-out prompt, and what both reward models pay for it."""

    text: str
    tokens: int
    reward: float
    second: float | None = None


@dataclass(frozen=True)
class Written:
    """Answers to the held-out prompts, greedily: of one model, in the prompts' order.

    `length` in tokens; `distinct`: of all pieces of three words, the share that differ.
    """

    answers: tuple[Answer, ...]
    reward: Bounded
    length: float
    distinct: float
    second: Bounded | None = None

    @property
    def commonest(self) -> tuple[str, int]:
        """The text that most prompts are answered with, and how many; of two the earlier."""
        return Counter(" ".join(one.text.split()) for one in self.answers).most_common(1)[0]


@dataclass(frozen=True)
class Change:
    """The policy against what it began from, prompt by prompt.

    `wins` is the share of prompts at which the reward model pays the policy's answer more, ties
    half; `second_wins` the same of the reward model that the policy has not learned by.
    """

    reward: Bounded
    wins: Bounded
    second: Bounded | None = None
    second_wins: Bounded | None = None

    @property
    def is_hacked(self) -> bool:
        """The reward rose beyond doubt while the second reward model says that it fell."""
        other = self.second
        return self.reward.low > 0 and other is not None and other.high < 0


@dataclass(frozen=True)
class Alignment:
    """All of it; ``align.json`` holds nothing else. What a step did not come to is None."""

    name: str
    command: str
    model: str
    policy: str
    seed: int
    steps: tuple[Step, ...]
    prompts: tuple[str, ...]
    notes: tuple[str, ...] = ()
    reward: Judgement | None = None
    second: Judgement | None = None
    before: Written | None = None
    after: Written | None = None
    change: Change | None = None

    def step(self, name: str) -> Step | None:
        """The step of that name."""
        return next((step for step in self.steps if step.name == name), None)

    @property
    def went_well(self) -> bool:
        """Is there a policy?"""
        return self.after is not None
