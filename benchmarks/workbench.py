"""The workbench a benchmark lends a method: real models, a folder, and when each step ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from nshot.core.errors import CannotAdapt
from nshot.core.types import ModelRef, Shots, Task
from nshot.methods.contract import Method
from nshot.models.base import Models
from nshot.predictors.base import Predictor

T = TypeVar("T")


@dataclass
class Workbench:
    """See `nshot.methods.contract.Workbench`. `shelf` is what several jobs of one process share.

    What a job takes from the shelf is charged to it: `charged` seconds, `charged_work` of the
    processor. `ended` holds the time by `clock` at which each training step was over.
    """

    models: Models
    base: ModelRef | None
    folder: Path
    seed: int = 0
    encoder: ModelRef | None = None
    clock: Callable[[], float] = time.perf_counter
    shelf: dict[str, tuple[object, float, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    parameters: int = 0
    curve: dict[str, list[object]] = field(default_factory=dict)
    charged: float = 0.0
    charged_work: float = 0.0

    def adapt(self, role: str, method: Method, task: Task, shots: Shots) -> Predictor:
        """No benchmark here measures a method made of methods."""
        raise CannotAdapt(f"{role}: this workbench lends no nested methods")

    def shared(self, key: str, make: Callable[[], T]) -> T:
        """Made once a process, charged to each that asks."""
        if key in self.shelf:
            made, seconds, work = self.shelf[key]
            self.charged, self.charged_work = self.charged + seconds, self.charged_work + work
            return cast(T, made)
        start, worked = time.perf_counter(), time.process_time()
        fresh = make()
        self.shelf[key] = fresh, time.perf_counter() - start, time.process_time() - worked
        return fresh

    def note(self, sentence: str) -> None:
        """Kept once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def trained(self, parameters: int) -> None:
        """The most that any part trained."""
        self.parameters = max(self.parameters, parameters)

    def learned(self, losses: Sequence[float], validation: Sequence[tuple[int, float]]) -> None:
        """How the loss fell."""
        self.curve = {"train": list(losses), "validation": [list(look) for look in validation]}

    def progress(self, done: int, total: int, what: str) -> None:
        """A step is over."""
        self.ended.append(self.clock())
