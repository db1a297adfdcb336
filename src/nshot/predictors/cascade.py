"""A cheap predictor answers where it is sure, a dear one the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nshot.core import machine
from nshot.core.errors import Fault, InputError
from nshot.core.types import Input, Prediction, Task
from nshot.models.base import Floats, Models
from nshot.predictors import load
from nshot.predictors.base import AskedElsewhere, Predictor
from nshot.predictors.folder import Saved, write
from nshot.predictors.scores import log_softmax

CHEAP, DEAR = "cheap", "dear"
"""The folders of the two, beside the record."""


@dataclass(frozen=True)
class Cascade:
    """Answers of `cheap` that are at least as probable as `threshold`, else of `dear`.

    An answer without scores is passed on. Those that were are `Prediction.passed_on`.
    """

    task: Task
    cheap: Predictor
    dear: Predictor
    threshold: float

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """One prediction an input; its scores are those of whoever answered."""
        start = machine.cold_clock()
        answers = self.cheap.predict(inputs)
        each = (machine.cold_clock() - start) / max(len(inputs), 1)
        sure = sureness(answers)
        passed = np.flatnonzero(sure < self.threshold).tolist()
        dear = self.dear.predict([inputs[i] for i in passed]) if passed else []
        for i, answer in zip(passed, dear, strict=True):
            before = answers[i]
            answers[i] = replace(
                answer,
                tokens_in=answer.tokens_in + before.tokens_in,
                tokens_out=answer.tokens_out + before.tokens_out,
                money=answer.money + before.money,
                passed_on=True,
            )
        if all(one.seconds is None for one in answers):
            return answers
        return [replace(one, seconds=each + (one.seconds or 0.0)) for one in answers]

    def anew(self) -> Cascade | None:
        """It, its parts asking again what was answered before; None where none asks anybody."""
        return self._with(
            *(p.anew() if isinstance(p, AskedElsewhere) else None for p in self._parts)
        )

    def in_reverse(self) -> Cascade | None:
        """It, with the options of its parts in reverse; None where they have no order."""
        return self._with(
            *(p.in_reverse() if isinstance(p, AskedElsewhere) else None for p in self._parts)
        )

    def in_other_words(self) -> Cascade | None:
        """It, its parts asking the same in other words; None where none asks anybody."""
        return self._with(
            *(p.in_other_words() if isinstance(p, AskedElsewhere) else None for p in self._parts)
        )

    @property
    def _parts(self) -> tuple[Predictor, Predictor]:
        return self.cheap, self.dear

    def _with(self, cheap: Predictor | None, dear: Predictor | None) -> Cascade | None:
        if cheap is None and dear is None:
            return None
        return replace(self, cheap=cheap or self.cheap, dear=dear or self.dear)

    def save(self, folder: Path) -> None:
        """The two in folders of their own; the threshold as JSON."""
        self.cheap.save(folder / CHEAP)
        self.dear.save(folder / DEAR)
        write(folder, "cascade", self.task, {"threshold": self.threshold})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Cascade:
        """The predictor that `save` wrote."""
        if missing := [n for n in (CHEAP, DEAR) if not (saved.folder / n).is_dir()]:
            do, where = "copy the whole folder again", str(saved.folder)
            raise InputError(Fault(f"no folder {missing[0]}", do=do, where=where))
        cheap, dear = (load(saved.folder / name, models) for name in (CHEAP, DEAR))
        return cls(saved.task, cheap, dear, saved.settings["threshold"])


def sureness(answers: Sequence[Prediction]) -> Floats:
    """The probability of each answer; -1 where it has none, or is none."""
    return np.array(
        [
            float(np.exp(log_softmax(np.array(one.scores)).max())) if one.scores and one.answer
            else -1.0
            for one in answers
        ]
    )  # fmt: skip
