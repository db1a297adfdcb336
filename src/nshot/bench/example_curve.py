"""A prompt measured with none, one, two, four and more examples, several draws of each."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nshot.bench.workbench import Workbench
from nshot.board.column import Floats
from nshot.board.example_curve import CurvePoint, Gain, gain
from nshot.core.errors import CannotAdapt, Fault, InputError
from nshot.core.types import Example, ModelRef, Shots, Task, group_numbers, group_of
from nshot.methods.prompt.few_shot import FewShot
from nshot.methods.prompt.zero_shot import ZeroShot
from nshot.methods.prompting import CALIBRATION_ROWS
from nshot.metrics import metric_of, points
from nshot.models.base import Models
from nshot.predictors.base import Predictor
from nshot.predictors.prompted import Prompted

LEAST = 20
"""Rows to measure on, below which nothing could be told."""
Step = Callable[[int, int, str], None]


@dataclass(frozen=True)
class ExampleCurve:
    """What was measured, fewest examples first; what all of them add, and the last doubling."""

    points: tuple[CurvePoint, ...]
    gains: tuple[Gain, ...]
    rows: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Divided:
    """Rows that examples are drawn from, that calibrate (without labels), and that are answered."""

    pool: tuple[Example, ...]
    calibrating: tuple[Example, ...]
    answered: tuple[Example, ...]


def example_curve(
    task: Task,
    rows: Sequence[Example],
    models: Models,
    base: ModelRef,
    method: FewShot,
    draws: int,
    most: int,
    answered: int,
    on: Step,
    encoder: ModelRef | None = None,
) -> ExampleCurve:
    """Ask `answered` labelled rows at most with 0, 1, 2, 4, ... `most` examples, `draws` times.

    All numbers of a draw begin with the same examples, as `method` chooses them; no row that is
    answered is ever shown. The curve ends where the context does, or the rows. Raises `InputError`
    where rows are too few, or the context holds no example.
    """
    divided = divide(rows, most, answered)
    curve = _Curve(task, divided, models, base, encoder, method, [], {})
    sizes = numbers(min(most, len(divided.pool)))
    if sizes[-1] < most:
        curve.notes.append(f"{len(divided.pool)} rows to draw from: no more than {sizes[-1]} shown")
    jobs = [(size, draw) for size in sizes for draw in range(draws if size else 1)]
    for at, (size, draw) in enumerate(jobs):
        if any(size > full for full in curve.full):
            continue
        on(at, len(jobs), f"{size} examples, draw {draw + 1}")
        curve.measure(size, draw)
    known = [size for size in sizes if len(curve.tables.get(size, ())) == (draws if size else 1)]
    if len(known) < 2:
        raise InputError(Fault(curve.notes[-1]))
    tables = {size: np.stack([points for points, _ in curve.tables[size]]) for size in known}
    made = tuple(
        CurvePoint(
            size,
            tuple(float(row.mean()) for row in tables[size]),
            float(np.mean([tokens for _, tokens in curve.tables[size]])),
        )
        for size in known
    )
    groups = group_numbers(divided.answered)
    ends = [(known[0], known[-1]), *([(known[-2], known[-1])] if len(known) > 2 else [])]
    gains = tuple(gain((a, tables[a]), (b, tables[b]), groups) for a, b in ends)
    return ExampleCurve(made, gains, len(divided.answered), tuple(dict.fromkeys(curve.notes)))


@dataclass
class _Curve:
    """The measurements as they come: of each size the (points, tokens) of each draw."""

    task: Task
    divided: Divided
    models: Models
    base: ModelRef
    encoder: ModelRef | None
    method: FewShot
    notes: list[str]
    tables: dict[int, list[tuple[Floats, float]]]

    def __post_init__(self) -> None:
        self.full: list[int] = []
        """The most that a draw could show, of each that could not show what it should."""

    def measure(self, size: int, draw: int) -> None:
        """One number of examples of one draw; nothing where they do not fit."""
        inputs = [row.input for row in self.divided.answered]
        with tempfile.TemporaryDirectory(prefix="nshot-") as folder:
            bench = Workbench(self.models, self.base, self.encoder, folder=Path(folder), seed=draw)
            try:
                predictor = self._prompt(size, bench)
            except CannotAdapt as error:
                self.full.append(0)
                self.notes.append(str(error))
                return
            if isinstance(predictor, Prompted) and len(predictor.demos) < size:
                self.full.append(len(predictor.demos))
                self.notes.append(f"the context holds {len(predictor.demos)} examples, not {size}")
                return
            answers = predictor.predict(inputs)
            self.notes += bench.notes
        metric = metric_of(self.task)
        pairs = zip(self.divided.answered, answers, strict=True)
        statistics = np.array([metric.statistics(row, answer) for row, answer in pairs])
        tokens = float(np.mean([answer.tokens_in for answer in answers]))
        self.tables.setdefault(size, []).append((points(metric, statistics), tokens))

    def _prompt(self, size: int, bench: Workbench) -> Predictor:
        calibrating = self.divided.calibrating
        if size == 0:
            bare = ZeroShot(format=self.method.format, calibration=self.method.calibration)
            return bare.adapt(self.task, Shots((), calibrating), bench)
        method = self.method.model_copy(update={"n": size})
        return method.adapt(self.task, Shots(self.divided.pool, calibrating), bench)


def numbers(most: int) -> list[int]:
    """0, 1, 2, 4, ... and `most` itself."""
    sizes = [0]
    size = 1
    while size < most:
        sizes.append(size)
        size *= 2
    return [*sizes, most] if most > 0 else sizes


def divide(rows: Sequence[Example], most: int, answered: int) -> Divided:
    """Half of the labelled rows are answered, `answered` at most; no group is on two sides.

    Of the others a quarter calibrates, as many rows as a prompt does at most. Raises `InputError`
    where fewer than `LEAST` could be answered, or none shown.
    """
    labelled = sorted((row for row in rows if row.targets), key=lambda row: row.id)
    random.Random("examples").shuffle(labelled)
    asked_of = labelled[: min(answered, len(labelled) // 2)]
    groups = {group_of(row) for row in asked_of}
    rest = [row for row in labelled[len(asked_of) :] if group_of(row) not in groups]
    calibrating = rest[: min(CALIBRATION_ROWS, len(rest) // 4)]
    groups = {group_of(row) for row in calibrating}
    pool = [row for row in rest[len(calibrating) :] if group_of(row) not in groups]
    if len(asked_of) < LEAST or not pool or most < 1:
        problem = f"{len(asked_of)} labelled rows to measure on, {len(pool)} to show"
        raise InputError(Fault(problem, f"{LEAST} at least, and 1 to show", "label more rows"))
    bare = tuple(replace(row, targets=()) for row in calibrating)
    return Divided(tuple(pool), bare, tuple(asked_of))
