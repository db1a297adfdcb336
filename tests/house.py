"""A run folder with one task and the real workplace over it, for the tests of shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nshot.bench.jobs.job import Job
from nshot.bench.jobs.place import Workplace
from nshot.bench.setting import Setting
from nshot.board.reduce import Entry, Facts, reduce
from nshot.board.schema import Board
from nshot.core.serial import from_data
from nshot.core.types import Example, Input, Label, Measurement, ModelRef, Split, Task
from nshot.methods.contract import Method

SCORER = ModelRef("fake", "scorer")
REMOTE = ModelRef("fake", "remote")
ENCODER = ModelRef("fake", "encoder")


def fields(**texts: str) -> Input:
    return Input(fields=tuple(texts.items()))


@dataclass
class House:
    """A run folder with one task, and the real workplace over it, in this process."""

    place: Workplace

    @staticmethod
    def build(
        root: Path,
        methods: dict[str, str],
        task: Task,
        split: Split,
        base: ModelRef | None = SCORER,
    ) -> House:
        Setting(task, split, (base,) if base else (), (ENCODER,), methods=methods).write(root)
        return House(Workplace(root))

    def measure(self, method: Method, do: str = "measure") -> Measurement:
        setting = self.place.setting
        job = Job.of(do, method, None, 0, None, setting.base, setting.encoder)
        body = self.place.run(job)
        kept = self.place.store.get(job.name(self.place.context))
        assert kept == ("ok", body), "the store gives back what the job put there"
        return from_data(Measurement, body)

    def board(self, entries: Sequence[Entry], outside: Sequence[Entry] = ()) -> Board:
        setting = self.place.setting
        return reduce(Facts(setting.task, setting.split, (None,), 1), entries, outside)


def places(*methods: type[Method]) -> dict[str, str]:
    """Where the methods of a test are, as a run's setting says it."""
    return {cls.name: f"{cls.__module__}:{cls.__qualname__}" for cls in methods}


def entry(method: Method, measurement: Measurement, form: str = "trained") -> Entry:
    parent = None if form == "trained" else method.name
    return Entry(method, measurements={None: [measurement]}, form=form, parent=parent)


COLOURS = Task("colours", "classify", (Label("red"), Label("green"), Label("blue")))
WORDS = {"red": "rose blood fire", "green": "grass leaf frog", "blue": "sky sea ice"}


def colours(count: int, prefix: str) -> tuple[Example, ...]:
    return tuple(
        Example(f"{prefix}{label}{i}", fields(text=f"{words.split()[i % 3]} {i}"), (label,))
        for label, words in WORDS.items()
        for i in range(count)
    )
