"""The predictor that says again what another system answered, and knows nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nshot.core.errors import Fault, InputError
from nshot.core.serial import from_data, to_data
from nshot.core.types import Input, Prediction, Task, digest
from nshot.data.same import exact
from nshot.models.base import Models
from nshot.predictors.folder import Saved, write


@dataclass(frozen=True)
class Replayed:
    """The answers of the system `title`, by the content of the input; `notes` say what of them."""

    task: Task
    title: str
    answers: Mapping[str, Prediction]
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """A name of all that it answers."""
        return digest(json.dumps(self._settings, sort_keys=True, ensure_ascii=False))

    @property
    def _settings(self) -> dict[str, object]:
        answers = {key: to_data(one) for key, one in sorted(self.answers.items())}
        return {"title": self.title, "answers": answers, "notes": list(self.notes)}

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        """What was answered. Raises `InputError` for an input that the system was not asked."""
        keys = [exact(input) for input in inputs]
        if strange := sum(key not in self.answers for key in keys):
            problem = (
                f"{strange} of {len(inputs)} inputs are not among what '{self.title}' answered"
            )
            expected = "the rows that it was measured on: there is no model that answers others"
            raise InputError(Fault(problem, expected, f"ask '{self.title}' itself"))
        return [self.answers[key] for key in keys]

    def save(self, folder: Path) -> None:
        """One JSON file."""
        write(folder, "replayed", self.task, self._settings)

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Replayed:
        """The predictor that `save` wrote."""
        settings = saved.settings
        answers = {key: from_data(Prediction, one) for key, one in settings["answers"].items()}
        return cls(saved.task, settings["title"], answers, tuple(settings["notes"]))
