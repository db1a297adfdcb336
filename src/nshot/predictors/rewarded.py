"""Which of the given answers a reward model likes best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nshot.core.types import Input, ModelRef, Prediction, Task
from nshot.models.base import Floats, Models, with_answer
from nshot.predictors.folder import Saved, array, ref_from_json, ref_to_json, write
from nshot.predictors.label_head import products
from nshot.predictors.scores import ranked, require_answers
from nshot.prompts.render import Format, answer_text, render


@dataclass(frozen=True)
class Rewarded:
    """Scores each of an input's answers by its reward.

    The reward is ``head @ h``, h being the state of the model at the last token of the prompt with
    the answer; `head` is (width,) float64. Only differences of rewards of one prompt count: by
    Bradley and Terry's model an answer is better than another with the probability
    ``sigmoid(difference)``.
    """

    task: Task
    models: Models
    ref: ModelRef
    format: Format
    head: Floats

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """The best of each input's answers, one reward per answer."""
        if not inputs:
            return []
        require_answers(inputs)
        prompts = [render(self.task, self.format, input) for input in inputs]
        whole = [
            with_answer(prompt, answer_text(answer, self.format))
            for prompt, input in zip(prompts, inputs, strict=True)
            for answer in input.answers
        ]
        model = self.models.open(self.ref)
        states = model.hidden(whole, [model.facts.layers])
        rewards = products(states.last[:, 0].astype(np.float64), self.head[:, None])[:, 0]
        ends = np.cumsum([len(input.answers) for input in inputs])[:-1]
        each = zip(inputs, np.split(rewards, ends), np.split(states.tokens_in, ends), strict=True)
        return [ranked(input, own.tolist(), int(read.sum())) for input, own, read in each]

    def save(self, folder: Path) -> None:
        """The head as safetensors, the model's deltas, and one JSON file."""
        settings = {"ref": ref_to_json(self.ref, folder), "format": self.format}
        write(folder, "rewarded", self.task, settings, {"head": self.head})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Rewarded:
        """The predictor that `save` wrote."""
        ref = ref_from_json(saved.settings["ref"], saved.folder)
        return cls(saved.task, models, ref, saved.settings["format"], array(saved, "head"))


def trained_reward(task: Task, models: Models, ref: ModelRef, format: Format) -> Rewarded:
    """The head that was kept beside the last delta of `ref`, on the model with it."""
    from nshot.nets.reward_head import load_head

    head = load_head(Path(ref.deltas[-1].folder).parent).double().numpy()[0]
    return Rewarded(task, models, ref, format, np.asarray(head, dtype=np.float64))
