"""A model that answers typed questions, asked for the label with its probability."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from nshot.core.types import OF_LABELS, Cost, Rung, Shots, Task
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.prompting import base_of
from nshot.predictors.base import Predictor
from nshot.predictors.decided import CHOICES, Decided

QUESTION_TOKENS = 40
"""Tokens of a question beside its labels, about."""
LABEL_TOKENS = 12
"""Tokens of a label with its description, about."""


class Decide(Method):
    """Yin, Hay and Roth, "Benchmarking Zero-shot Text Classification", EMNLP 2019.

    https://aclanthology.org/D19-1404/ - labels and what they mean are the question, the text is
    what it is asked about, and nothing is learned from the rows. The model answers with a
    probability of each label: see `nshot.predictors.decided`. It is asked as it is, without
    examples; where rows can be spared, its probabilities are calibrated on 100 of them.

    Args:
        instruction: what is asked; by default the task's instruction, or what its answer is called.
        price_in: of a million tokens read, in any currency.
        price_out: of a million tokens written.
    """

    name: ClassVar = "decide"
    rung: ClassVar[Rung] = "prompt"
    kinds: ClassVar = OF_LABELS
    needs: ClassVar = frozenset({"decide"})
    fast: ClassVar[bool] = False
    learns: ClassVar[bool] = False
    learns_labels: ClassVar[bool] = False
    about: ClassVar[str] = "a decision endpoint, asked with labels and descriptions"

    instruction: str = ""
    price_in: float = Field(default=0.0, ge=0)
    price_out: float = Field(default=0.0, ge=0)

    def forecast(self, brief: Brief) -> Cost:
        """Nothing is built."""
        return Cost(seconds=0.01)

    def use_forecast(self, brief: Brief) -> Cost:
        """Every row is a request with the labels in it."""
        row = brief.tokens + QUESTION_TOKENS + LABEL_TOKENS * len(brief.task.labels)
        tokens = brief.test * row
        return Cost(
            seconds=0.01 + tokens / brief.rates.lm_tokens,
            tokens_in=int(tokens),
            money=tokens * self.price_in / 1e6,
        )

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Nothing is learned. The row says where its questions are not the usual ones."""
        predictor = Decided(
            task, bench.models, base_of(bench), self.instruction, self.price_in, self.price_out
        )
        if predictor.two_stages:
            bench.note(
                f"{len(task.labels)} labels are more than the {CHOICES} that one question takes:"
                " asked in two stages"
            )
        model = base_of(bench).name.partition("@")[0]
        if model.endswith("latest"):
            bench.note(f"'{model}' is a name that moves: another day it may be another model")
        return predictor
