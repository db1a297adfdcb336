"""The model asked why first, and for the answer behind its rationale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field, NonNegativeInt, PositiveInt

from nshot.core.errors import CannotAdapt
from nshot.core.types import OF_LABELS, Cost, Example, Kind, Prediction, Shots, Task
from nshot.methods.contract import Brief, Workbench
from nshot.methods.label_sets import brief_of_questions, by_questions
from nshot.methods.prompting import (
    FORMAT_TOKENS,
    WRITTEN_TOKEN,
    Prompting,
    answer_room,
    base_of,
    calibration_inputs,
    no_example_fits,
    prompted,
)
from nshot.models.base import Completion
from nshot.predictors.base import Predictor
from nshot.predictors.prompted import Calibration
from nshot.predictors.rationale import Rationale as Answering
from nshot.predictors.sampled_vote import normal
from nshot.prompts.demonstrations import in_turn
from nshot.prompts.rationales import Solution, wording_for
from nshot.prompts.render import shown_answer

TRIED = 3
"""Rows that the model explains for each rationale that is to be shown, at most."""


class Rationale(Prompting):
    """Wei et al., "Chain-of-Thought Prompting Elicits Reasoning in Large Language Models", 2022.

    https://arxiv.org/abs/2201.11903 - the model writes a rationale, and the answer is read behind
    it: a label by its log-likelihood, a number or a text as it goes on. Without examples it is
    asked to think step by step, in two steps (Kojima et al. 2022,
    https://arxiv.org/abs/2205.11916). With `n` examples their rationales are the model's own, as in
    STaR (Zelikman et al. 2022, https://arxiv.org/abs/2203.14465, section 3): first without the
    answer; where that leads to a wrong one, again with the answer as a hint; kept only where the
    answer behind the rationale, the hint left out, is right.

    Args:
        n: examples with rationales that stand before every input; 0: none.
        length: tokens of a rationale, at most.
        trigger: what a rationale begins with, or in a chat what the request ends with; "": the
            papers' "Let's think step by step.", in Korean where the task's own words are.
    """

    name: ClassVar = "rationale"
    kinds: ClassVar[frozenset[Kind]] = OF_LABELS | {"number", "generate"}
    batch_rows: ClassVar = 8
    """A quarter of the other prompts': a rationale is written for each row."""
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"n": (0, 4), "calibration": ("none", "batch")}
    about: ClassVar = "the language model that writes a rationale, then answers"

    n: NonNegativeInt = 0
    length: PositiveInt = Field(default=128)
    trigger: str = ""
    calibration: Calibration = "none"

    def why_not(self, brief: Brief) -> str | None:
        """Also where no example can be shown that is to be, or a rationale has no room."""
        if reason := super().why_not(brief) or (no_example_fits(brief) if self.n else None):
            return reason
        if brief.context and brief.longest + self.length > brief.context:
            return (
                f"the longest input and a rationale take {brief.longest + self.length} tokens, the"
                f" model's context has {brief.context}: --set {self.name}.length=N for less"
            )
        return None

    def shown_tokens(self, brief: Brief) -> tuple[float, float]:
        """All demonstrations are the same in every prompt, each with a rationale."""
        shown = min(self.n, brief.labelled)
        return shown * (brief.tokens + FORMAT_TOKENS + self.length), 0.0

    def forecast(self, brief: Brief) -> Cost:
        """Calibration as any prompt's; and two rationales for each row that is tried for one."""
        brief = brief_of_questions(brief)
        tried = min(TRIED * self.n, brief.labelled)
        return (
            super()
            .forecast(brief)
            .then(self.model_copy(update={"n": 0})._reading(brief, 2 * tried))
        )

    def _reading(self, brief: Brief, rows: int) -> Cost:
        """Each row is read twice, the rationale in it the second time, and written once."""
        answers = super()._reading(brief, rows)
        common, own = self.shown_tokens(brief)
        row = brief.tokens + FORMAT_TOKENS + own
        read = rows * (row + self.length) + (common if rows else 0.0)
        written = rows * self.length
        return answers.then(
            Cost(
                seconds=(read + WRITTEN_TOKEN * written) / brief.rates.lm_tokens,
                tokens_in=int(rows * (row + common + self.length)),
                tokens_out=int(written),
            )
        )

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        """Let the model explain some rows, keep what leads to their answers, and calibrate.

        Raises `CannotAdapt` where no rationale leads to the right answer, or none has room.
        """
        if task.kind == "multilabel":
            return by_questions(self, task, shots, bench)
        prompt = prompted(task, shots, bench, base_of(bench), self.format, self.constrained)
        bare = Answering(prompt, wording_for(task, self.trigger), (), self.length)
        _require_room(bare, shots)
        predictor = replace(bare, solutions=self._solutions(bare, shots, bench))
        ids = {one.example.id for one in predictor.solutions}
        if self.calibration == "none" or not task.has_labels:
            return predictor
        inputs = calibration_inputs(self.calibration, shots, ids, bench, self.batch_rows)
        return predictor.calibrate(self.calibration, inputs) if inputs else predictor

    def _solutions(self, bare: Answering, shots: Shots, bench: Workbench) -> tuple[Solution, ...]:
        """As many of `n` as lead to their answers and as have room, labels in turn."""
        rows = in_turn(shots.labelled, TRIED * self.n, bench.seed)
        if not rows:
            return ()
        bench.progress(0, len(rows), "rationales")
        made, thrown_away, money = explained(bare, rows)
        bench.charge(0.0, money)
        bench.note(
            f"{len(made)} of {len(made) + thrown_away} rationales that the model wrote led to the"
            f" right answer; {thrown_away} were thrown away"
        )
        if not made:
            raise CannotAdapt(
                f"none of {thrown_away} rationales that the model wrote led to the right answer:"
                f" --set {self.name}.n=0 asks without examples"
            )
        shown = list(made[: self.n])
        while shown and not _has_room(replace(bare, solutions=tuple(shown)), shots):
            shown.pop()
        if len(shown) < self.n:
            bench.note(f"{len(shown)} rationales shown instead of {self.n}")
        return tuple(shown)


def explained(bare: Answering, rows: Sequence[Example]) -> tuple[list[Solution], int, float]:
    """The rows whose answer the model's own rationale leads to, in order; how many it does not;
    what was paid for all.

    A rationale written without the answer comes first; only a row that it fails is explained
    again, with the answer admitted. The count is of rationales: a row failed twice counts two.
    """
    rationales: dict[str, str] = {}
    wrong = list(rows)
    thrown_away, money = 0, 0.0
    for with_hint in (False, True):
        inputs = [row.input for row in wrong]
        hints = [shown_answer(bare.task, row) for row in wrong] if with_hint else []
        written = bare.rationales(inputs, hints)
        answers = bare.behind(inputs, written)
        money += sum(one.money for one in answers)
        right = _are_right(bare.task, wrong, answers)
        for row, why, is_right in zip(wrong, written, right, strict=True):
            if is_right:
                rationales[row.id] = why.text.strip()
        wrong = [row for row, is_right in zip(wrong, right, strict=True) if not is_right]
        thrown_away += len(wrong)
        if not wrong:
            break
    made = [Solution(row, rationales[row.id]) for row in rows if row.id in rationales]
    return made, thrown_away, money


def _are_right(task: Task, rows: Sequence[Example], answers: Sequence[Prediction]) -> list[bool]:
    """Is the answer behind each rationale the row's?"""
    if task.has_labels:
        return [one.answer == row.label for one, row in zip(answers, rows, strict=True)]
    return [
        normal(one.answer) in {normal(target) for target in row.targets}
        for one, row in zip(answers, rows, strict=True)
    ]


def _require_room(bare: Answering, shots: Shots) -> None:
    if not _has_room(bare, shots):
        raise CannotAdapt(
            f"the longest input and a rationale of {bare.length} tokens do not fit into the"
            " model's context: --set rationale.length=N for less"
        )


def _has_room(predictor: Answering, shots: Shots) -> bool:
    """Does the longest input fit into the context, a rationale and an answer behind it?"""
    rows = (*shots.labelled, *shots.unlabelled)
    if not rows:
        return True
    longest = max((row.input for row in rows), key=lambda one: len(one.text))
    model = predictor.prompt.models.open(predictor.ref)
    nothing = Completion("", 0, 0, True)
    read = max(model.count(predictor.prompts([longest], [nothing])))
    return read + predictor.length + answer_room(predictor.prompt) <= model.facts.context
