"""The workbench a benchmark lends a method: the public one, and when each step ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from nshot.bench import workbench
from nshot.core.types import ModelRef
from nshot.models.base import Models

T = TypeVar("T")


class Shelf(workbench.Shelf):
    """What several jobs of one process share; `work` is what of the processor each value took."""

    def __init__(self) -> None:
        super().__init__()
        self.work: dict[str, float] = {}


class Workbench(workbench.Workbench):
    """See `nshot.bench.workbench.Workbench`.

    What a job takes from the shelf is charged to it: `charged` seconds, `charged_work` of the
    processor. `ended` holds the time by `clock` at which each training step was over.
    """

    def __init__(
        self,
        models: Models,
        base: ModelRef | None,
        folder: Path,
        seed: int = 0,
        encoder: ModelRef | None = None,
        clock: Callable[[], float] = time.perf_counter,
        shelf: Shelf | None = None,
    ) -> None:
        self.values = Shelf() if shelf is None else shelf
        super().__init__(models, base, encoder, folder, seed, self.values)
        self.clock = clock
        self.ended: list[float] = []
        self.charged_work = 0.0

    def shared(self, key: str, make: Callable[[], T]) -> T:
        """Made once a process, charged to each job that asks."""
        worked, paid = time.process_time(), key in self.account
        value = super().shared(key, make)
        spent = time.process_time() - worked
        first = self.values.work.setdefault(key, spent)
        self.charged_work += (0.0 if paid else first) - spent
        return value

    def progress(self, done: int, total: int, what: str) -> None:
        """A step is over."""
        self.ended.append(self.clock())
