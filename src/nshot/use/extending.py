"""Classes added to a delivered folder: nothing is trained again, nothing it knew is touched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nshot.core.errors import Fault, InputError
from nshot.core.types import Example, Task
from nshot.models.base import Models
from nshot.predictors import load
from nshot.predictors.base import Extends, Predictor
from nshot.predictors.calibrated import bare
from nshot.predictors.checks import read_checks, write_checks
from nshot.use.abstaining import keep_threshold, kept_threshold

METHOD = "method.json"


@dataclass(frozen=True)
class Extended:
    """A folder's predictor that knows more classes; `save` writes it with its checks."""

    folder: Path
    before: Task
    predictor: Predictor
    examples: tuple[Example, ...]

    @property
    def added(self) -> dict[str, int]:
        """The new labels and the examples of each."""
        names = [example.label for example in self.examples]
        return {name: names.count(name) for name in dict.fromkeys(names)}

    def changed(self) -> tuple[int, int]:
        """How many of the answers it was delivered with are others now, and how many there are."""
        checks = read_checks(self.folder)
        answers = self.predictor.predict([input for input, _ in checks])
        pairs = zip(checks, answers, strict=True)
        return sum(then.answer != now.answer for (_, then), now in pairs), len(checks)

    def save(self, place: Path) -> None:
        """Write the folder anew: old inputs and those of the new classes are answered for checks.

        Of new inputs there are at most as many as of old ones. A threshold that it keeps stays.
        """
        self.predictor.save(place)
        inputs = [input for input, _ in read_checks(self.folder)]
        fresh = [example.input for example in self.examples]
        write_checks(place, self.predictor.predict, [*inputs, *fresh[: max(1, len(inputs))]])
        if (threshold := kept_threshold(self.folder)) is not None:
            keep_threshold(place, threshold)
        if (self.folder / METHOD).exists():
            body = json.loads((self.folder / METHOD).read_text(encoding="utf-8"))
            body["extended"] = [*body.get("extended", ()), self.added]
            text = json.dumps(body, indent=1, ensure_ascii=False)
            (place / METHOD).write_text(text, encoding="utf-8")


def extend(folder: Path, examples: Sequence[Example], models: Models) -> Extended:
    """The predictor in `folder` with the classes of `examples` added.

    Raises `InputError` where its method cannot, or has one of the labels already.
    """
    predictor = load(folder, models)
    if not isinstance(predictor, Extends) or not isinstance(bare(predictor), Extends):
        raise InputError(
            Fault(
                "its method cannot learn classes later",
                expected="a folder of a method that keeps each class by itself: nearest_mean, knn"
                " or, for pictures, picture_probe",
                do="nshot adapt TASK --method nearest_mean --out DIR",
                where=str(folder),
            )
        )
    return Extended(folder, predictor.task, predictor.extend(examples), tuple(examples))
