"""A prompt that was searched for, within a budget of tokens."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from nshot.core.types import LABELLED, OF_LABELS, Cost, Rung, Shots, Task
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.label_sets import brief_of_questions, by_questions
from nshot.methods.prompt.searching import (
    CHOOSING,
    CONFIRMING,
    LEAST,
    SHORT,
    Search,
    divided,
    numbers_shown,
    plan_of,
)
from nshot.methods.prompting import (
    FORMAT_TOKENS,
    LABEL_TOKENS,
    WRITTEN_TOKEN,
    base_of,
    calibrated,
    prompted,
    written_tokens,
)
from nshot.methods.writing import Writing
from nshot.predictors.base import Predictor
from nshot.prompts.render import FORMATS, Format
from nshot.prompts.search.race import ends

_INSTRUCTION = 30
"""Tokens of an instruction, about."""


class PromptSearch(Writing, Method):
    """Zhou et al., "Large Language Models Are Human-Level Prompt Engineers", ICLR 2023.

    https://arxiv.org/abs/2211.01910 - instructions that a model proposes are raced on labelled
    rows (algorithm 1). Here with other candidates beside them, by rule: formats, names of text and
    answer, wordings of the instruction in English and Korean, labels described, listed or not,
    then drawn sets of examples. The race is successive halving in pairs (`nshot.prompts.search`).

    Three parts of the labelled rows: some choose, some are shown, and some choose nothing: on these
    the winner is asked once more, and the row says both scores.

    Args:
        tokens: read and written by the whole search at most, as a server would count them.
        candidates: prompts that are tried at most.
        proposals: instructions that the model is asked to write; 0: by rule alone.
        format: keep to one; None: all are tried.
        calibration: ``none``, or ``batch`` by the rows that choose, without their labels; None:
            both are tried, which reads nothing.
    """

    name: ClassVar = "prompt_search"
    rung: ClassVar[Rung] = "prompt"
    kinds: ClassVar = OF_LABELS | {"number", "generate"}
    needs: ClassVar = frozenset({"generate"})
    fast: ClassVar[bool] = False
    searches: ClassVar[bool] = True
    about: ClassVar[str] = "the prompt that won a race of wordings and examples"

    tokens: PositiveInt = 100_000
    candidates: int = Field(default=32, ge=2)
    proposals: NonNegativeInt = 4
    format: Format | None = None
    calibration: Literal["none", "batch"] | None = None

    def why_not(self, brief: Brief) -> str | None:
        """Also where a format is to be kept that cannot be."""
        return self.cannot_constrain(brief) or super().why_not(brief)

    @property
    def for_trial(self) -> Method:
        """A trial has few rows, which tell few candidates apart."""
        return self.model_copy(
            update={
                "tokens": min(self.tokens, 20_000),
                "candidates": min(self.candidates, 12),
                "proposals": 0,
            }
        )

    def forecast(self, brief: Brief) -> Cost:
        """The race as it goes where nothing ends early, on as many rows as the tokens allow."""
        brief = brief_of_questions(brief)
        if brief.labelled < LEAST:
            return Cost(seconds=0.05)
        rows = min(CHOOSING, brief.labelled // 2)
        while rows > 1 and self._reading(brief, rows, 1.0) > self.tokens:
            rows -= 1
        return Cost(
            seconds=0.5 + self._reading(brief, rows, 1 / SHORT) / brief.rates.lm_tokens,
            tokens_in=min(self.tokens, int(self._reading(brief, rows, 1.0))),
        )

    def _reading(self, brief: Brief, rows: int, repeated: float) -> float:
        """Tokens of a race on `rows` rows and the confirmation, a share of what prompts repeat.

        A local model reads instruction and examples once a look, which takes `SHORT` rows or more.
        """
        plan, row = plan_of(self.candidates), _row_tokens(brief)
        shown = min(numbers_shown(brief.task)[-1], brief.labelled) * (brief.tokens + FORMAT_TOKENS)
        worded = _rows_asked(plan.wordings + plan.children, rows)
        sets = _rows_asked(plan.sets, rows) + min(CONFIRMING, rows // 2)
        return worded * (row + repeated * _INSTRUCTION) + sets * (row + repeated * shown)

    def use_forecast(self, brief: Brief) -> Cost:
        """As a prompt with the fewer examples, which are read once."""
        brief = brief_of_questions(brief)
        row = _row_tokens(brief)
        common = _INSTRUCTION + numbers_shown(brief.task)[0] * (brief.tokens + FORMAT_TOKENS)
        return Cost(
            seconds=0.05 + (brief.test * row + common) / brief.rates.lm_tokens,
            tokens_in=int(brief.test * (row + common)),
            tokens_out=int(brief.test * written_tokens(brief)),
        )

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Race wordings, then examples for the best of them, and ask the winner on other rows."""
        if task.kind == "multilabel":
            return by_questions(self, task, shots, bench)
        formats = (self.format,) if self.format else FORMATS
        bare = prompted(task, shots, bench, base_of(bench), formats[0], self.constrained)
        rows = divided(task, shots, bench.seed)
        if rows is None:
            bench.note(f"nothing searched: fewer than {LEAST} labelled rows to choose on")
            return calibrated(bare, self.calibration or "batch", shots, (), bench)
        return Search(self, bare, rows, formats, shots, bench).run()


def _rows_asked(candidates: int, rows: int) -> int:
    """Rows that a race asks which sends half of the candidates away at every look."""
    total, done = 0, 0
    for end in ends(rows, SHORT):
        total += candidates * (end - done)
        candidates, done = -(-candidates // 2), end
        if candidates < 2:
            break
    return total


def _row_tokens(brief: Brief) -> float:
    """Of one row without instruction and examples, what is written included."""
    labels = LABEL_TOKENS * len(brief.task.labels) if brief.task.kind in LABELLED else 0.0
    return brief.tokens + FORMAT_TOKENS + labels + WRITTEN_TOKEN * written_tokens(brief)
