"""A delivered folder, ready to answer: what `nshot.load` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from nshot.core.errors import Fault, InputError
from nshot.core.files import RECORD
from nshot.core.types import Input, Prediction, Task
from nshot.data.pictures import as_image
from nshot.models import open_models
from nshot.models.base import Models
from nshot.predictors import load
from nshot.predictors.base import Predictor
from nshot.predictors.calibrated import bare
from nshot.predictors.cascade import Cascade
from nshot.predictors.checks import read_checks
from nshot.predictors.folder import require_intact
from nshot.predictors.to_a_person import ToAPerson
from nshot.use.abstaining import held_back, kept_threshold, misfit
from nshot.use.answers import Answers, Cached, fingerprint, listed_as
from nshot.use.at_precision import answered_at, threshold_of
from nshot.use.drift import Drift, asks_elsewhere, drift

Asked: TypeAlias = str | Path | Mapping[str, str] | Input
REQUEST = "nshot.yaml"
"""What a run folder holds from its beginning."""
TOLERANCE = 1e-3
"""How far a score may move between machines and still be the same answer."""


class Ready:
    """A predictor that also takes plain texts, mappings of column to text and pictures' paths.

    Answers less probable than `abstain_below` are held back; None: than the folder keeps, if it
    keeps a threshold. With `at_precision` the positive label of two is answered from the
    probability on at which validation rows had that precision. Answers that `answers` keeps are not
    computed again. Raises `InputError` for a threshold that the task cannot have, and for both.
    """

    def __init__(
        self,
        predictor: Predictor,
        folder: Path,
        abstain_below: float | None = None,
        at_precision: float | None = None,
        answers: Answers | None = None,
    ) -> None:
        if abstain_below is not None and at_precision is not None:
            raise InputError(Fault("at_precision beside abstain_below", "one or the other"))
        self._predictor, self._folder = predictor, folder
        self.cached = None
        if answers is not None:
            name = listed_as(folder)
            self.cached = Cached(predictor.predict, answers, fingerprint(folder), name)
        self._checks = read_checks(folder)
        kept = kept_threshold(folder) if abstain_below is None else abstain_below
        self.abstain_below = kept or 0.0
        if fault := misfit(self.abstain_below, self.task, folder):
            raise InputError(fault)
        self._positive_from = (
            None if at_precision is None else threshold_of(predictor, at_precision, folder)
        )

    @property
    def task(self) -> Task:
        """What it answers."""
        return self._predictor.task

    @property
    def holds_back(self) -> bool:
        """May an answer be held back: below a threshold, or by a cascade to a person?"""
        inner = bare(self._predictor)
        parts = (inner.cheap, inner.dear) if isinstance(inner, Cascade) else (inner,)
        return bool(self.abstain_below) or any(isinstance(one, ToAPerson) for one in parts)

    @property
    def checks(self) -> int:
        """Answers it was delivered with."""
        return len(self._checks)

    @property
    def delivered_with(self) -> tuple[tuple[Input, Prediction], ...]:
        """Inputs and the answers that it was delivered with."""
        return tuple(self._checks)

    def predict(self, inputs: Sequence[Asked]) -> list[Prediction]:
        """One prediction per text, mapping, picture's path or `Input`, in order.

        One that is held back is `abstained`, its answer ``""``, its scores as they were.
        """
        predictor = self.cached or self._predictor
        predictions = predictor.predict([self.input(one) for one in inputs])
        if self._positive_from is not None:
            predictions = answered_at(self.task, predictions, self._positive_from)
        if not self.abstain_below:
            return predictions
        return held_back(self.task, predictions, self.abstain_below)

    def input(self, value: Asked) -> Input:
        """A text, mapping, path or `Input` as an input of the task. Raises `InputError`."""
        if isinstance(value, Input):
            return value
        if self.task.pictures and isinstance(value, (str, Path)):
            return Input(images=(as_image(Path(value)),))
        if self.task.pictures or isinstance(value, Path):
            expected = "a picture's path" if self.task.pictures else "a text, not a path"
            raise InputError(Fault(f"a {type(value).__name__}", expected=expected))
        names = [name for name, _ in self.task.field_names] or ["text"]
        if isinstance(value, str):
            if len(names) > 1:
                raise InputError(Fault("one text", expected=f"a mapping with {', '.join(names)}"))
            return Input(fields=((names[0], value),))
        if missing := [name for name in names if name not in value]:
            raise InputError(Fault(f"no {', '.join(missing)} in {sorted(value)}"))
        return Input(fields=tuple((name, str(value[name])) for name in names))

    @property
    def is_elsewhere(self) -> bool:
        """Does it ask a model on another machine, which may change under its name?"""
        return asks_elsewhere(self._folder)

    def drift(self) -> Drift:
        """How far its answers are from those it was delivered with; asks for them twice."""
        inputs = [input for input, _ in self._checks]
        now, again = (self._predictor.predict(inputs) for _ in range(2))
        return drift([then for _, then in self._checks], now, again)

    def check(self) -> list[str]:
        """Where this copy's answers differ from those it was delivered with, a line each."""
        answers = self._predictor.predict([input for input, _ in self._checks])
        return differences([then for _, then in self._checks], answers)


def differences(before: Sequence[Prediction], after: Sequence[Prediction]) -> list[str]:
    """A line for each answer that is another now, or whose scores moved beyond `TOLERANCE`."""
    lines = []
    for then, now in zip(before, after, strict=True):
        moved = max((abs(a - b) for a, b in zip(then.scores, now.scores, strict=True)), default=0)
        if now.answer != then.answer or moved > TOLERANCE:
            lines.append(f"was {then.answer!r}, is {now.answer!r} (scores moved by {moved:.2g})")
    return lines


def ready(
    folder: str | Path,
    models: Models | None = None,
    abstain_below: float | None = None,
    at_precision: float | None = None,
    answers: Answers | None = None,
) -> Ready:
    """Load a delivered folder, or the winner of a run folder.

    Raises `InputError` for files that are not as they were saved, or cannot be read here.
    """
    place = delivered(Path(folder))
    require_intact(place)
    predictor = load(place, models or open_models())
    return Ready(predictor, place, abstain_below, at_precision, answers)


def delivered(folder: Path) -> Path:
    """The folder itself, or the winner of a run folder.

    Raises `InputError` for a run that was interrupted before it had one.
    """
    inner = folder / "winner"
    if inner.is_dir() and not (folder / RECORD).exists():
        return inner
    if (folder / RECORD).exists() or not (folder / REQUEST).exists():
        return folder
    problem = "a run that has no winner yet"
    do = f"nshot compare {folder / REQUEST}"
    raise InputError(Fault(problem, "it to be gone on with to its end", do, str(folder)))
