"""Which of the given answers is better, by how likely a language model finds each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nshot.core.types import Input, ModelRef, Prediction, Task
from nshot.models.base import Models
from nshot.predictors.folder import Saved, ref_from_json, ref_to_json, write
from nshot.predictors.scores import ranked, require_answers
from nshot.prompts.render import Format, answer_text, render


@dataclass(frozen=True)
class Ranker:
    """Scores each of an input's answers by its log-likelihood after the prompt.

    With `per_byte` the log-likelihood is divided by the answer's length in UTF-8 bytes, so
    that a long answer is not the worse for being long.
    """

    task: Task
    models: Models
    ref: ModelRef
    format: Format = "plain"
    per_byte: bool = True

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """The best of each input's answers, one score per answer."""
        if not inputs:
            return []
        require_answers(inputs)
        prompts = [render(self.task, self.format, input) for input in inputs]
        answers = [[answer_text(a, self.format) for a in input.answers] for input in inputs]
        scored = self.models.open(self.ref).logprobs(prompts, answers)
        return [
            ranked(input, (score.logprobs / self._lengths(input)).tolist(), score.tokens_in)
            for input, score in zip(inputs, scored, strict=True)
        ]

    def _lengths(self, input: Input) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        if not self.per_byte:
            return np.ones(len(input.answers))
        return np.array([max(1.0, len(answer.encode("utf-8"))) for answer in input.answers])

    def save(self, folder: Path) -> None:
        """One JSON file, and the model's deltas if it has any."""
        settings = {
            "ref": ref_to_json(self.ref, folder),
            "format": self.format,
            "per_byte": self.per_byte,
        }
        write(folder, "ranker", self.task, settings)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Ranker:
        """The predictor that `save` wrote."""
        ref = ref_from_json(saved.settings["ref"], saved.folder)
        format, per_byte = saved.settings["format"], saved.settings["per_byte"]
        return cls(saved.task, models, ref, format, per_byte)
