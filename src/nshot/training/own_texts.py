"""What a student writes itself, read by its teacher: batches of on-policy distillation.

Rishabh Agarwal et al. "On-Policy Distillation of Language Models: Learning from Self-Generated
Mistakes", 2023, algorithm 1 with lambda = 1. https://arxiv.org/abs/2306.13649
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nshot.core.types import Prompt
from nshot.models.base import Decoding, LentModel, Scores
from nshot.training.data.taught import expectations, taught
from nshot.training.objectives.distillation import Taught
from nshot.training.rollouts import rollouts


@dataclass(frozen=True)
class OwnTexts:
    """The batches of steps that each begin with texts of the student as it is by then.

    See `nshot.training.loop.Batches`: what is written depends on the step, the seed, and the
    student's weights, which a checkpoint holds.

    Args:
        student: lent, its weights those that learn.
        prompts: what it answers, each once before any comes again.
        teacher: says what it expects at each token of the answers.
        how: the temperature, the most tokens, the seed.
        batch, steps: texts a step, and steps.
        k, temperature: see `nshot.training.data.taught.TaughtAnswers`.
        source: names the teacher.
    """

    student: LentModel
    prompts: Sequence[Prompt]
    teacher: Scores
    how: Decoding
    batch: int
    steps: int
    k: int
    temperature: float
    source: str

    @property
    def identity(self) -> str:
        """What the texts and the teacher's expectations depend on beside the student."""
        named = (self.prompts, self.how, self.batch, self.steps, self.k, self.temperature)
        return f"{named!r} {self.source}"

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Sequence[Taught]:
        """The texts of step `step`, from 0, with what the teacher expects at their tokens."""
        chosen = [self._turn(step * self.batch + place) for place in range(self.batch)]
        seed = random.Random(f"{self.how.seed}:{step}").getrandbits(32)
        prompts = [self.prompts[i] for i in chosen]
        written = rollouts(self.student, prompts, replace(self.how, seed=seed), 1, f"own {step}")
        rows = [one.row for one in written]
        known = expectations(self.teacher, rows, self.k, self.temperature)
        return taught(rows, known, self.source, [0.0] * len(rows))

    def _turn(self, place: int) -> int:
        turn, at = divmod(place, len(self.prompts))
        order = list(range(len(self.prompts)))
        random.Random(f"prompts:{self.how.seed}:{turn}").shuffle(order)
        return order[at]
