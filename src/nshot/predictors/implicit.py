"""A policy that was taught preferences: it ranks given answers, and writes where none is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nshot.core.types import Input, ModelRef, Prediction, Task
from nshot.models.base import Models
from nshot.predictors.folder import Saved, ref_from_json, ref_to_json, write
from nshot.predictors.prompted import Prompted
from nshot.predictors.scores import ranked
from nshot.prompts.render import Format, answer_text, render


@dataclass(frozen=True)
class Implicit:
    """Scores each of an input's answers by the implicit reward of a policy.

    ``beta * (log pi(answer) - log ref(answer))``, Rafailov et al. 2023, equation 5; the reference
    is the model of `ref` without its last delta, which is the policy's. With `per_token` it is
    divided by the answer's tokens, counted by the model. An input without answers is written to,
    `max_tokens` at most.
    """

    task: Task
    models: Models
    ref: ModelRef
    format: Format
    beta: float
    per_token: bool = False
    max_tokens: int = 128

    @property
    def reference(self) -> ModelRef:
        """The model that the policy began as."""
        return replace(self.ref, deltas=self.ref.deltas[:-1])

    @property
    def writer(self) -> Prompted:
        """The policy as it answers a prompt; half of a short context is the prompt's."""
        task = replace(self.task, kind="generate")
        room = min(self.max_tokens, self.models.open(self.ref).facts.context // 2)
        return Prompted(task, self.models, self.ref, self.format, max_tokens=room)

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """The best of each input's answers, one implicit reward per answer; or a text."""
        rank = [input for input in inputs if input.answers]
        write = [input for input in inputs if not input.answers]
        chosen = iter(self._ranked(rank))
        written = iter(self.writer.predict(write) if write else ())
        return [next(chosen if input.answers else written) for input in inputs]

    def _ranked(self, inputs: Sequence[Input]) -> list[Prediction]:
        if not inputs:
            return []
        prompts = [render(self.task, self.format, input) for input in inputs]
        answers = [[answer_text(a, self.format) for a in input.answers] for input in inputs]
        policy, reference = (
            self.models.open(ref).logprobs(prompts, answers) for ref in (self.ref, self.reference)
        )
        tokens = [self._lengths(some) for some in answers]
        return [
            ranked(
                input,
                (self.beta * (ours.logprobs - theirs.logprobs) / length).tolist(),
                ours.tokens_in + theirs.tokens_in,
            )
            for input, ours, theirs, length in zip(inputs, policy, reference, tokens, strict=True)
        ]

    def _lengths(self, answers: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """What the reward of each answer is divided by."""
        if not self.per_token:
            return np.ones(len(answers))
        return np.maximum(1.0, self.models.open(self.ref).count(answers))

    def save(self, folder: Path) -> None:
        """One JSON file and the model's deltas."""
        settings = {
            "ref": ref_to_json(self.ref, folder),
            "format": self.format,
            "beta": self.beta,
            "per_token": self.per_token,
            "max_tokens": self.max_tokens,
        }
        write(folder, "implicit", self.task, settings)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Implicit:
        """The predictor that `save` wrote."""
        settings = saved.settings
        return cls(
            saved.task,
            models,
            ref_from_json(settings["ref"], saved.folder),
            settings["format"],
            settings["beta"],
            settings["per_token"],
            settings["max_tokens"],
        )
