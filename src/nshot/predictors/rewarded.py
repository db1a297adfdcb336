"""Which of the given answers a reward model likes best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nshot.core.types import Example, Input, ModelRef, Prediction, Task
from nshot.models.base import Floats, Models, Reads, with_answer
from nshot.predictors.folder import Saved, array, ref_from_json, ref_to_json, write
from nshot.predictors.label_head import products
from nshot.predictors.scores import ranked, require_answers
from nshot.prompts.render import Format, answer_text, render

_MEASURED = 64
"""Rows of whose answers mean and deviation are taken, at most, evenly spaced."""


@dataclass(frozen=True)
class Rewarded:
    """Scores each of an input's answers by its reward.

    The reward is ``head @ h``, h being the state of the model at the last token of the prompt with
    the answer; `head` is (width,) float64. Only differences of rewards of one prompt count: by
    Bradley and Terry's model an answer is better than another with the probability
    ``sigmoid(difference)``.

    What a policy is paid is `worth`: the reward less `mean`, over `deviation`, both of the answers
    that were learned from. Comparisons leave the zero of a reward open; taken off, 0 is what people
    were shown on average (Ouyang et al. 2022, section 3.5, take off that of their demonstrations),
    and 1 a standard deviation more. They stand in the folder, so that it pays every policy alike.
    """

    task: Task
    models: Models
    ref: ModelRef
    format: Format
    head: Floats
    mean: float = 0.0
    deviation: float = 1.0

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """The best of each input's answers, one reward per answer."""
        if not inputs:
            return []
        require_answers(inputs)
        rewards, tokens = self._read(self.models.open(self.ref), inputs)
        ends = np.cumsum([len(input.answers) for input in inputs])[:-1]
        each = zip(inputs, np.split(rewards, ends), np.split(tokens, ends), strict=True)
        return [ranked(input, own.tolist(), int(read.sum())) for input, own, read in each]

    def worth(self, inputs: Sequence[Input], model: Reads | None = None) -> list[float]:
        """What each answer of all inputs is worth to a policy, in order.

        `model` reads as that of `ref` does: a base that is lent, with the adapter of `ref` on.
        """
        if not any(input.answers for input in inputs):
            return []
        rewards, _ = self._read(model or self.models.open(self.ref), inputs)
        scaled: list[float] = ((rewards - self.mean) / self.deviation).tolist()
        return scaled

    def normalised(self, examples: Sequence[Example]) -> Rewarded:
        """The same with mean and deviation of the answers to (a sample of) these examples.

        The deviation stays 1 where all of them have the same reward.
        """
        rows = examples[:: max(1, -(-len(examples) // _MEASURED))]
        inputs = [example.input for example in rows if example.input.answers]
        if not inputs:
            return self
        rewards, _ = self._read(self.models.open(self.ref), inputs)
        deviation = float(rewards.std())
        return replace(self, mean=float(rewards.mean()), deviation=deviation or 1.0)

    def _read(self, model: Reads, inputs: Sequence[Input]) -> tuple[Floats, tuple[int, ...]]:
        """The reward of each answer of all inputs, (answers,), and the tokens that were read."""
        prompts = [render(self.task, self.format, input) for input in inputs]
        whole = [
            with_answer(prompt, answer_text(answer, self.format))
            for prompt, input in zip(prompts, inputs, strict=True)
            for answer in input.answers
        ]
        states = model.hidden(whole, [model.facts.layers])
        rewards = products(states.last[:, 0].astype(np.float64), self.head[:, None])[:, 0]
        return np.asarray(rewards, dtype=np.float64), states.tokens_in

    def save(self, folder: Path) -> None:
        """The head as safetensors, the model's deltas, and one JSON file."""
        settings = {
            "ref": ref_to_json(self.ref, folder),
            "format": self.format,
            "mean": self.mean,
            "deviation": self.deviation,
        }
        write(folder, "rewarded", self.task, settings, {"head": self.head})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Rewarded:
        """The predictor that `save` wrote."""
        settings = saved.settings
        ref = ref_from_json(settings["ref"], saved.folder)
        mean, deviation = settings.get("mean", 0.0), settings.get("deviation", 1.0)
        head = array(saved, "head")
        return cls(saved.task, models, ref, settings["format"], head, mean, deviation)


def trained_reward(task: Task, models: Models, ref: ModelRef, format: Format) -> Rewarded:
    """The head that was kept beside the last delta of `ref`, on the model with it."""
    from nshot.nets.reward_head import load_head

    head = load_head(Path(ref.deltas[-1].folder).parent).double().numpy()[0]
    return Rewarded(task, models, ref, format, np.asarray(head, dtype=np.float64))
