"""A model that answers typed questions, asked for the label with its probability."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from nshot.core.types import OF_LABELS, Cost, Example, Kind, ModelRef, Rung, Shots, Task
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.prompting import base_of
from nshot.models.base import Models
from nshot.predictors.base import Predictor
from nshot.predictors.decided import CHOICES, Decided

QUESTION_TOKENS = 40
"""Tokens of a question beside its labels, about."""
LABEL_TOKENS = 12
"""Tokens of a label with its description, about."""


WORDINGS = (
    "",
    "Choose the option that fits this text best.",
    "What would a careful reader choose?",
)
"""What may be asked, where the search may choose: "" is the task's own."""


class Decide(Method):
    """Yin, Hay and Roth, "Benchmarking Zero-shot Text Classification", EMNLP 2019.

    https://aclanthology.org/D19-1404/ - labels and what they mean are the question, the text is
    what it is asked about, and nothing is learned from the rows. The model answers with a
    probability of each label: see `nshot.predictors.decided`. It is asked as it is, without
    examples; where rows can be spared, its probabilities are calibrated on 100 of them.

    Args:
        instruction: what is asked; by default the task's instruction, or what its answer is called.
        describe: do the labels' descriptions go with them?
        search: choose `instruction` and `describe` on folds of up to 120 labelled rows, each of
            which is asked about in each wording that stays in the race, and billed.
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
    describe: bool = True
    search: bool = False
    price_in: float = Field(default=0.0, ge=0)
    price_out: float = Field(default=0.0, ge=0)

    def searched(self, kind: Kind) -> Mapping[str, tuple[Any, ...]]:
        """Nothing, unless it may: what is tried is paid for."""
        return {"describe": (True, False), "instruction": WORDINGS} if self.search else {}

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
        demos = self.shown(shots, bench.seed)
        predictor = self.predictor(task, bench.models, base_of(bench), demos)
        if predictor.two_stages:
            bench.note(
                f"{len(task.labels)} labels are more than the {CHOICES} that one question takes:"
                " asked in two stages"
            )
        model = base_of(bench).name.partition("@")[0]
        if model.endswith("latest"):
            bench.note(f"'{model}' is a name that moves: another day it may be another model")
        return predictor

    def shown(self, shots: Shots, seed: int) -> tuple[Example, ...]:
        """The solved examples that stand before each text: none."""
        return ()

    def predictor(
        self, task: Task, models: Models, ref: ModelRef, demos: tuple[Example, ...]
    ) -> Decided:
        """What asks the model `ref`, after `demos`."""
        return Decided(
            task, models, ref, self.instruction, self.price_in, self.price_out,
            demos=demos, described=self.describe,
        )  # fmt: skip
