"""Rows and their answers; where some fail, which, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np

from nshot.core.errors import (
    CannotAdapt,
    EndpointRefused,
    Fault,
    InputError,
    ModelNotFound,
    NshotError,
    RunFailed,
)
from nshot.core.types import Input, Prediction
from nshot.data.blocks import Row
from nshot.use.lines import answer_line
from nshot.use.many import Many
from nshot.use.ready import Ready

BROKEN = 20
"""Rows one after the other that an engine may fail at before it is taken for broken."""


@dataclass(frozen=True)
class Failure:
    """A row without an answer, and why."""

    row: Row
    reason: str

    def line(self) -> dict[str, Any]:
        """As the side file has it."""
        one = self.row
        return {"row": one.number, "where": one.where, "id": one.id, "reason": self.reason}


Outcome: TypeAlias = dict[str, Any] | Failure
Tag = TypeVar("Tag")
_Answer: TypeAlias = Callable[[Sequence[Row], Sequence[Input]], list[dict[str, Any]]]


class Answering:
    """Answers rows; `keys` are the keys of an answer, where it is known before any is there.

    `answer` gives the line of each row that can be read. Where it raises, the rows are halved until
    those stand alone that cannot be answered. Raises what is wrong with every row: a refused key, a
    model that is not there, an engine that failed at `BROKEN` rows one after the other.
    """

    def __init__(self, answer: _Answer, keys: Sequence[str] = ()) -> None:
        self._answer, self.keys = answer, tuple(keys)
        self._broken = 0

    def begin(self) -> None:
        """Forget the failures so far: rows follow that do not stand behind those before."""
        self._broken = 0

    def in_order(
        self, groups: Iterable[tuple[Tag, Sequence[Row]]]
    ) -> Iterator[tuple[Tag, list[Outcome]]]:
        """The outcomes of groups of rows, each with what its group came with, in order."""
        for tag, rows in groups:
            yield tag, self.outcomes(rows)

    def outcomes(self, rows: Sequence[Row]) -> list[Outcome]:
        """The line of each row, or its failure, in order."""
        able = [(row, row.input) for row in rows if row.input is not None]
        answers = iter(self._outcomes(able))
        return [
            next(answers) if row.input is not None else Failure(row, row.problem) for row in rows
        ]

    def _outcomes(self, rows: Sequence[tuple[Row, Input]]) -> list[Outcome]:
        if not rows:
            return []
        try:
            lines = self._answer([row for row, _ in rows], [one for _, one in rows])
        except (InputError, CannotAdapt, RunFailed) as error:
            refused = isinstance(error, EndpointRefused) and not error.of_one_prompt
            if refused or isinstance(error, ModelNotFound):
                raise
            if len(rows) > 1:
                half = len(rows) // 2
                return [*self._outcomes(rows[:half]), *self._outcomes(rows[half:])]
            self._broken += isinstance(error, RunFailed)
            if self._broken >= BROKEN:
                raise
            return [Failure(rows[0][0], _reason(error))]
        self._broken = 0
        return list(lines)


def _reason(error: NshotError) -> str:
    if not isinstance(error, InputError):
        return str(error)
    return "; ".join(
        f"{fault.found} (expected: {fault.expected})" if fault.expected else fault.found
        for fault in error.faults
    )


def of_folder(model: Ready) -> Answering:
    """The answers of one folder."""

    def answer(rows: Sequence[Row], inputs: Sequence[Input]) -> list[dict[str, Any]]:
        predictions = _numbers(model.predict(inputs))
        abstains = model.holds_back
        return [
            {"id": row.id, **answer_line(model.task, one, abstains)}
            for row, one in zip(rows, predictions, strict=True)
        ]

    return Answering(answer)


def of_folders(models: Many) -> Answering:
    """The answers of several folders, each to its own rows."""
    tasks, abstains = models.tasks, models.holds_back

    def answer(rows: Sequence[Row], inputs: Sequence[Input]) -> list[dict[str, Any]]:
        predictions = _numbers(models.predict(inputs, [row.under for row in rows]))
        return [
            {
                "id": row.id,
                "under": row.under,
                **answer_line(tasks[row.under], one, abstains[row.under]),
            }
            for row, one in zip(rows, predictions, strict=True)
        ]

    keys = ["id", "under"]
    for name, task in tasks.items():
        scores = tuple([-1.0] * len(task.labels)) if task.has_labels else ()
        bare = Prediction(task.label_names[0] if task.has_labels else "", scores)
        keys += answer_line(task, bare, abstains[name])
    return Answering(answer, list(dict.fromkeys(keys)))


def _numbers(predictions: Sequence[Prediction]) -> Sequence[Prediction]:
    """The predictions. Raises `RunFailed` where a score of one is not a number."""
    if any(np.isnan(one.scores).any() for one in predictions if one.scores):
        raise RunFailed("a score that is not a number")
    return predictions


def faults(failures: Sequence[Failure], path: str) -> InputError:
    """The failures as one error."""
    return InputError([Fault(one.reason, where=f"{path}, {one.row.where}") for one in failures])
