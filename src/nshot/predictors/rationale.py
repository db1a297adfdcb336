"""A language model that writes a rationale first, and answers behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from nshot.core.serial import from_data, to_data
from nshot.core.types import Example, Input, ModelRef, Prediction, Prompt, Task
from nshot.models.base import Completion, Decoding, Models
from nshot.predictors.folder import Saved, read, write
from nshot.predictors.prompted import Calibration, Prompted
from nshot.predictors.scores import charged
from nshot.prompts.rationales import (
    Solution,
    Wording,
    asks_answer,
    asks_why,
    ends_of_rationale,
)

INNER = "prompt"
"""The folder of what reads the answers, beside the record."""


@dataclass(frozen=True)
class Rationale:
    """Asks twice: for a rationale of up to `length` tokens, then for the answer behind it.

    The answer is read as `prompt` reads it, which has no demonstrations of its own: a label of a
    fixed set by its log-likelihood behind the rationale, wherever the model can score. Where the
    rationale is drawn at a temperature the answer behind it still is the likeliest.
    """

    prompt: Prompted
    wording: Wording
    solutions: tuple[Solution, ...] = ()
    length: int = 128

    @property
    def task(self) -> Task:
        """What it answers."""
        return self.prompt.task

    @property
    def ref(self) -> ModelRef:
        """The model that is asked."""
        return self.prompt.ref

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """Scores, where there are any, are log-probabilities over the labels."""
        return self.sampled(inputs, 0.0, 0)

    def sampled(self, inputs: Sequence[Input], temperature: float, seed: int) -> list[Prediction]:
        """The answers behind rationales that are drawn (see `sampled_vote.Samples`)."""
        if not inputs:
            return []
        return self.behind(inputs, self.rationales(inputs, temperature=temperature, seed=seed))

    def rationales(
        self,
        inputs: Sequence[Input],
        answers: Sequence[str] = (),
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Completion]:
        """Why, of each input; `answers` are admitted as hints, one each. Equal prompts are asked
        once."""
        hints = answers or [""] * len(inputs)
        prompts = [
            asks_why(self.task, self.prompt.format, self.wording, input, self.solutions, hint)
            for input, hint in zip(inputs, hints, strict=True)
        ]
        asked_of = {
            prompt: ends_of_rationale(self.task, self.prompt.format, input)
            for prompt, input in zip(prompts, inputs, strict=True)
        }
        model = self.prompt.models.open(self.ref)
        by_prompt: dict[Prompt, Completion] = {}
        for stop in dict.fromkeys(asked_of.values()):
            some = [prompt for prompt, own in asked_of.items() if own == stop]
            how = Decoding(self.length, temperature, seed, stop)
            by_prompt |= dict(zip(some, model.generate(some, how), strict=True))
        return [by_prompt[prompt] for prompt in prompts]

    def behind(self, inputs: Sequence[Input], written: Sequence[Completion]) -> list[Prediction]:
        """The answers behind rationales, charged with what these took."""
        answers = self.prompt.answers(inputs, self.prompts(inputs, written))
        return [
            charged(answer, [answer, _cost_of(why)])
            for answer, why in zip(answers, written, strict=True)
        ]

    def prompts(self, inputs: Sequence[Input], written: Sequence[Completion]) -> list[Prompt]:
        """The prompts behind which the answers are read."""
        asking = partial(asks_answer, self.task, self.prompt.format, self.wording)
        return [
            asking(input, why.text, self.solutions)
            for input, why in zip(inputs, written, strict=True)
        ]

    def calibrate(self, how: Calibration, unlabelled: Sequence[Input]) -> Rationale:
        """As `Prompted.calibrate`, behind rationales."""

        def asking(inputs: Sequence[Input]) -> list[Prompt]:
            return self.prompts(inputs, self.rationales(inputs))

        return replace(self, prompt=self.prompt.calibrate(how, unlabelled, asking))

    def save(self, folder: Path) -> None:
        """What reads the answers in a folder of its own; rationales and words as JSON."""
        self.prompt.save(folder / INNER)
        settings = {
            "wording": list(self.wording),
            "solutions": [
                {"example": to_data(one.example), "rationale": one.rationale}
                for one in self.solutions
            ],
            "length": self.length,
        }
        write(folder, "rationale", self.task, settings)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Rationale:
        """The predictor that `save` wrote."""
        settings = saved.settings
        return cls(
            Prompted.restore(read(saved.folder / INNER), models),
            Wording(*settings["wording"]),
            tuple(
                Solution(from_data(Example, one["example"]), one["rationale"])
                for one in settings["solutions"]
            ),
            settings["length"],
        )


def _cost_of(why: Completion) -> Prediction:
    """What writing it took, as an answer has it."""
    seconds, money = (None, 0.0) if why.served is None else (why.served.seconds, why.served.money)
    return Prediction("", (), why.tokens_in, why.tokens_out, seconds=seconds, money=money)
