"""A predictor around another one: the same answers, with probabilities that come true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nshot.core.errors import Fault, InputError
from nshot.core.serial import from_data, to_data
from nshot.core.types import Example, Input, Prediction, Task
from nshot.models.base import Models
from nshot.predictors import load
from nshot.predictors.base import Extends, Predictor
from nshot.predictors.calibration import Calibration
from nshot.predictors.folder import Saved, read, write

INNER = "predictor"
"""The folder of the predictor inside, beside the record."""


@dataclass(frozen=True)
class Calibrated:
    """Answers as `predictor` does; its scores go through `calibration`."""

    predictor: Predictor
    calibration: Calibration

    @property
    def task(self) -> Task:
        """What the predictor inside answers."""
        return self.predictor.task

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """The same answers; scores are calibrated log-probabilities over the labels."""
        return self.calibration.of(self.task, self.predictor.predict(inputs))

    @property
    def beside(self) -> Mapping[str, Predictor]:
        """What is measured beside the predictor inside."""
        others: Mapping[str, Predictor] = getattr(self.predictor, "beside", {})
        return others

    def extend(self, examples: Sequence[Example]) -> Calibrated:
        """Also knows the examples' labels; the temperature stays, what was fitted beyond it goes.

        Raises `InputError` where the predictor inside knows its labels for good.
        """
        if not isinstance(self.predictor, Extends):
            raise InputError(Fault("its method cannot learn classes later"))
        kept = replace(self.calibration, kind="temperature", knots=(), thresholds=(), precisions=())
        return Calibrated(self.predictor.extend(examples), kept)

    def save(self, folder: Path) -> None:
        """The predictor inside in a folder of its own; the calibration as JSON."""
        self.predictor.save(folder / INNER)
        write(folder, "calibrated", self.task, {"calibration": to_data(self.calibration)})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Calibrated:
        """The predictor that `save` wrote."""
        return cls(load(_inside(saved), models), _calibration(saved))


def calibrated(
    predictor: Predictor, calibration: Calibration | Mapping[str, Any] | None
) -> Predictor:
    """The predictor with calibrated scores, or as it is where there is nothing to calibrate by.

    `calibration` may be the JSON of one, as the body of a search holds it.
    """
    if calibration is None:
        return predictor
    if not isinstance(calibration, Calibration):
        calibration = from_data(Calibration, calibration)
    return predictor if calibration.kind == "none" else Calibrated(predictor, calibration)


def recalibrated(
    task: Task, predictions: Sequence[Prediction], calibration: Mapping[str, Any] | None
) -> list[Prediction]:
    """What `calibrated` would have answered, from what the predictor inside has."""
    if calibration is None:
        return list(predictions)
    return from_data(Calibration, calibration).of(task, predictions)


def bare(predictor: Predictor) -> Predictor:
    """The predictor inside, however often it is calibrated."""
    while isinstance(predictor, Calibrated):
        predictor = predictor.predictor
    return predictor


def unwrapped(saved: Saved) -> tuple[Saved, tuple[Calibration, ...]]:
    """The saved predictor inside, and its calibrations in the order in which they apply."""
    calibrations: list[Calibration] = []
    while saved.kind == "calibrated":
        calibrations.insert(0, _calibration(saved))
        saved = read(_inside(saved))
    return saved, tuple(calibrations)


def _calibration(saved: Saved) -> Calibration:
    return from_data(Calibration, saved.settings["calibration"], where=str(saved.folder))


def _inside(saved: Saved) -> Path:
    place = saved.folder / INNER
    if not place.is_dir():
        do, where = "copy the whole folder again", str(saved.folder)
        raise InputError(Fault(f"no folder {INNER}", do=do, where=where))
    return place
