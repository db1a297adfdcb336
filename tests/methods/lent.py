"""A workbench for one method in one test: real models, a folder, and a record of what was said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nshot.core.types import ModelRef, Shots, Task
from nshot.methods.contract import Method
from nshot.models.base import Models
from nshot.predictors.base import Predictor


@dataclass
class Lent:
    """See `nshot.methods.contract.Workbench`."""

    models: Models
    base: ModelRef | None
    folder: Path
    seed: int = 0
    encoder: ModelRef | None = None
    notes: list[str] = field(default_factory=list)
    steps: list[tuple[int, int, str]] = field(default_factory=list)
    parameters: int = 0
    charged: float = 0.0
    attempts: list[Any] = field(default_factory=list)
    curve: tuple[Any, ...] = ()
    rounds: Any = None
    shelf: dict[str, Any] = field(default_factory=dict)

    def shared(self, key: str, make: Callable[[], Any]) -> Any:
        if key not in self.shelf:
            self.shelf[key] = make()
        return self.shelf[key]

    def adapt(self, role: str, method: Method, task: Task, shots: Shots) -> Predictor:
        return method.adapt(task, shots, self)

    def charge(self, seconds: float, money: float = 0.0) -> None:
        self.charged += seconds

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def trained(self, parameters: int) -> None:
        self.parameters = parameters

    def learned(self, losses: Any, validation: Any, rounds: Any = None) -> None:
        self.curve = (tuple(losses), tuple(validation))
        self.rounds = rounds

    def attempted(self, attempts: Any) -> None:
        self.attempts = list(attempts)

    def progress(self, done: int, total: int, what: str) -> None:
        self.steps.append((done, total, what))


class Killed(Exception):
    """Stands for the signal that ends a job."""


def kill(method: Method, task: Task, shots: Shots, bench: Lent, at: int) -> None:
    """Let the job die at its step `at`."""

    def dies(done: int, total: int, what: str) -> None:
        if done == at:
            raise Killed

    ordinary, bench.progress = bench.progress, dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        method.adapt(task, shots, bench)
    bench.progress = ordinary  # type: ignore[method-assign]


def resumed(method: Method, task: Task, shots: Shots, bench: Lent, at: int) -> Any:
    """The predictor of a job that was killed at its step `at` and then started again."""
    kill(method, task, shots, bench, at)
    return method.adapt(task, shots, bench)
