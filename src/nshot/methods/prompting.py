"""What the prompt methods share: their settings, what they need, calibration, and their costs."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from nshot.core.errors import CannotAdapt
from nshot.core.types import (
    LABELLED,
    OF_LABELS,
    WRITTEN,
    Cost,
    Example,
    Input,
    Kind,
    ModelRef,
    Rung,
    Shots,
    Task,
    digest,
)
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.label_sets import brief_of_questions
from nshot.methods.writing import Writing
from nshot.predictors.prompted import Calibration, Prompted
from nshot.prompts.parts import instruction
from nshot.prompts.render import Format, shown_answer

CALIBRATION_ROWS = 32
"""Unlabelled inputs that batch calibration averages over, at most. Against 150 rows a 135M model
loses 1.3 points on SST-2 and 0.1 on ten banking intents (which 32 rows: a standard deviation of 1.8
points); 64 rows gain half a point for twice the search."""
FORMAT_TOKENS = 6
"""Tokens that the plain format adds to an input, about."""
LABEL_TOKENS = 1.5
"""Tokens read for each label beside the prompt, about."""
NUMBER_TOKENS = 4.0
"""Tokens of a number, about."""
WRITTEN_TOKEN = 10.0
"""What a generated token costs, in tokens read, about."""


class Prompting(Writing, Method):
    """A method that only asks: nothing of the model changes.

    Args:
        format: ``plain`` fields, the same under an ``instruction`` with the labels, or a ``chat``.
        calibration: what is taken off the labels' log-probabilities: ``none``; their mean over
            unlabelled rows (``batch``: Zhou et al. 2023, https://arxiv.org/abs/2309.17249); what
            they are when the input says nothing (``content_free``: Zhao et al. 2021,
            https://arxiv.org/abs/2102.09690).
    """

    rung: ClassVar[Rung] = "prompt"
    kinds: ClassVar = LABELLED | WRITTEN
    needs: ClassVar = frozenset({"generate"})
    fast: ClassVar = False
    search_folds: ClassVar = 2
    """Every fold reads the demonstrations anew: two are half the price of four."""

    batch_rows: ClassVar = CALIBRATION_ROWS

    format: Format = "plain"
    calibration: Calibration = "batch"

    def searched(self, kind: Kind) -> Mapping[str, tuple[Any, ...]]:
        """Calibration is of labels: a written answer has none."""
        space = super().searched(kind)
        return {n: v for n, v in space.items() if kind in OF_LABELS or n != "calibration"}

    def why_not(self, brief: Brief) -> str | None:
        """Also where a format is to be kept that cannot be."""
        return self.cannot_constrain(brief) or super().why_not(brief)

    def calibration_rows(self) -> int:
        """How many inputs calibration asks the model about."""
        return {"none": 0, "content_free": 3, "batch": self.batch_rows}[self.calibration]

    def shown_tokens(self, brief: Brief) -> tuple[float, float]:
        """Tokens of demonstrations: (the same in every prompt, and so read once; of each row)."""
        return 0.0, 0.0

    def forecast(self, brief: Brief) -> Cost:
        """Calibration reads some rows."""
        brief = brief_of_questions(brief)
        rows = min(self.calibration_rows(), brief.labelled + brief.unlabelled)
        return self._reading(brief, rows if brief.task.has_labels else 0)

    def use_forecast(self, brief: Brief) -> Cost:
        """The model reads every test row once, and what is the same in all prompts once."""
        brief = brief_of_questions(brief)
        return self._reading(brief, brief.test)

    def _reading(self, brief: Brief, rows: int) -> Cost:
        common, own = self.shown_tokens(brief)
        if self.format != "plain":
            common += len(instruction(brief.task)) / 4
        row = brief.tokens + FORMAT_TOKENS + own + LABEL_TOKENS * len(brief.task.labels)
        written = rows * written_tokens(brief)
        once = common if rows else 0.0
        read = row * rows + once
        return Cost(
            seconds=0.05 + (read + WRITTEN_TOKEN * written) / brief.rates.lm_tokens,
            tokens_in=int(rows * (row + common)),
            tokens_out=int(written),
        )


def written_tokens(brief: Brief) -> float:
    """Tokens that are written for an input, about: a text is taken for as long as the input."""
    if brief.task.kind == "number":
        return NUMBER_TOKENS
    return brief.tokens if brief.task.is_written else 0.0


def no_example_fits(brief: Brief) -> str | None:
    """Why not even one example can be shown: there is none, or the context is too short."""
    if not brief.labelled:
        return "needs at least one labelled example"
    least = int(brief.tokens) + brief.longest + 2 * FORMAT_TOKENS
    if brief.context and least > brief.context:
        return (
            f"one example and the longest input take {least} tokens, "
            f"the model's context has {brief.context}"
        )
    return None


def base_of(bench: Workbench) -> ModelRef:
    """The language model to ask; `CannotAdapt` where there is none."""
    if bench.base is None:
        raise CannotAdapt("needs a language model, and none was given")
    return bench.base


def calibrated(
    predictor: Prompted,
    how: Calibration,
    shots: Shots,
    shown: Sequence[Example],
    bench: Workbench,
    most: int = CALIBRATION_ROWS,
) -> Prompted:
    """The predictor with its offsets, measured on `most` rows that it does not show.

    Unlabelled rows first; where there are none, the inputs of labelled rows that are not shown;
    where there are none of those either it stays as it is, and the row says so.
    """
    if how == "none" or not predictor.task.has_labels:
        return predictor
    ids = {example.id for example in shown}
    inputs = calibration_inputs(how, shots, ids, bench, most)
    if not inputs:
        return predictor

    def measure() -> tuple[float, ...]:
        return predictor.calibrate(how, inputs).offsets

    # The folds of a search share their unlabelled rows, and without examples the prompts too.
    prompts = map(str, predictor.prompts(inputs))
    key = digest(
        "offsets", repr(predictor.ref), repr(predictor.task), predictor.format, how, *prompts
    )
    return replace(predictor, offsets=bench.shared(key, measure))


def calibration_inputs(
    how: Calibration, shots: Shots, shown: Collection[str], bench: Workbench, most: int
) -> list[Input]:
    """Up to `most` inputs to calibrate by, none of an id in `shown`; [] with a note without any."""
    rows = shots.unlabelled or tuple(e for e in shots.labelled if e.id not in shown)
    if how == "content_free":
        rows = rows or shots.labelled
    if not rows:
        bench.note("not calibrated: every row that there is stands in the prompt")
        return []
    order = random.Random(f"calibration:{bench.seed}")
    chosen = order.sample(sorted(rows, key=lambda e: e.id), min(most, len(rows)))
    return [example.input for example in chosen]


def prompted(
    task: Task, shots: Shots, bench: Workbench, ref: ModelRef, format: Format, constrained: bool
) -> Prompted:
    """What asks `ref` without examples; its texts may get a quarter longer than the shots'."""
    tokens = answer_tokens(task, shots, bench)
    return Prompted(task, bench.models, ref, format, max_tokens=tokens, constrained=constrained)


def how_many_fit(bare: Prompted, demos: Sequence[Example], shots: Shots, bench: Workbench) -> int:
    """How many of the first `demos` leave room for the longest input there is.

    Raises `CannotAdapt` where not one does; the row says where it is not all.
    """
    inputs = [example.input for example in (*shots.labelled, *shots.unlabelled)]
    count = len(demos)
    while count and not _fits(replace(bare, demos=tuple(demos[:count])), inputs):
        count -= 1
    if demos and not count:
        raise CannotAdapt("one example and the longest input do not fit into the model's context")
    if count < len(demos):
        bench.note(f"{count} examples shown instead of {len(demos)}: the context holds no more")
    return count


def _fits(predictor: Prompted, inputs: Sequence[Input]) -> bool:
    """Whether the longest of `inputs` fits into the context with the prompt around it."""
    model = predictor.models.open(predictor.ref)
    longest = max(inputs, key=lambda one: len(one.text))
    return (
        max(model.count(predictor.prompts([longest]))) + answer_room(predictor)
        <= model.facts.context
    )


def answer_tokens(task: Task, shots: Shots, bench: Workbench, limit: int = 512) -> int:
    """How long a generated answer may get: a quarter longer than the longest reference.

    At most `limit` tokens and half the context: the other half is for what is asked.
    """
    references = [shown_answer(task, example) for example in shots.labelled if example.targets]
    if not task.is_written or not references:
        return 64
    model = bench.models.open(base_of(bench))
    longest = max(model.count(references))
    return min(limit, model.facts.context // 2, max(16, longest + longest // 4))


def answer_room(predictor: Prompted) -> int:
    """Tokens to leave for the answer."""
    if not predictor.task.has_labels:
        return predictor.max_tokens
    model = predictor.models.open(predictor.ref)
    return max(model.count([label.words for label in predictor.task.labels])) + 2
