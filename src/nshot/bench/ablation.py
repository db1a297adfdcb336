"""A task's prompt measured on labelled rows, whole and without each of its parts in turn."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nshot.bench.workbench import Workbench
from nshot.board.ablation import PartWorth, worths
from nshot.board.column import Floats
from nshot.core.errors import Fault, InputError
from nshot.core.types import Example, Label, ModelRef, Shots, Task, group_numbers, group_of
from nshot.methods.prompt.few_shot import FewShot
from nshot.methods.prompt.zero_shot import ZeroShot
from nshot.methods.prompting import CALIBRATION_ROWS
from nshot.metrics import metric_of, points
from nshot.models.base import Models
from nshot.predictors.base import Predictor
from nshot.prompts.demonstrations import in_turn
from nshot.prompts.render import Format

EMPTY_NAME = "Label"
"""What the answer is called where its name is left out."""
LEAST = 20
"""Rows to measure on, below which nothing could be told."""
Step = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Ablation:
    """What was measured: the whole prompt's score, and each part's worth, the dearest first."""

    score: float
    rows: int
    shots: int
    parts: tuple[PartWorth, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """Which rows are shown, which calibrate (without labels), and which are answered."""

    shown: tuple[Example, ...]
    calibrating: tuple[Example, ...]
    answered: tuple[Example, ...]


def ablate(
    task: Task,
    rows: Sequence[Example],
    models: Models,
    base: ModelRef,
    format: Format,
    shots: int,
    most: int,
    on: Step,
) -> Ablation:
    """Ask `most` labelled rows at most, which no demonstration shows, once a part.

    Raises `InputError` where the prompt has no part to leave out, or rows are too few.
    """
    divided = divide(rows, shots, most)
    variants = without_each(task, format, len(divided.shown))
    if not variants:
        problem = f"nothing to leave out of the prompt of {task.name} in the format {format}"
        do = "write its parts in task.yaml, or --format instruction"
        raise InputError(Fault(problem, "instruction, persona, descriptions, ...", do))
    every: dict[str, tuple[Task, bool]] = {"all of it": (task, True), **variants}
    measured: dict[str, Floats] = {}
    notes: list[str] = []
    metric = metric_of(task)
    with tempfile.TemporaryDirectory(prefix="nshot-") as folder:
        for at, (name, (variant, shows)) in enumerate(every.items()):
            on(at, len(every), name)
            bench = Workbench(models, base, folder=Path(folder))
            predictor = _prompt(variant, divided, format, bench, shows)
            answers = predictor.predict([row.input for row in divided.answered])
            pairs = zip(divided.answered, answers, strict=True)
            statistics = np.array([metric.statistics(row, answer) for row, answer in pairs])
            measured[name] = points(metric, statistics)
            notes += [note for note in bench.notes if note not in notes]
    whole = measured.pop("all of it")
    parts = worths(whole, measured, group_numbers(divided.answered))
    parts.sort(key=lambda part: -part.difference)
    return Ablation(float(whole.mean()), len(whole), len(divided.shown), tuple(parts), tuple(notes))


def divide(rows: Sequence[Example], shots: int, most: int) -> Rows:
    """Rows to show, to calibrate by and to answer; no group is in two of these."""
    labelled = [row for row in rows if row.targets]
    shown = in_turn(labelled, shots, seed=0)
    groups = {group_of(row) for row in shown}
    rest = sorted((row for row in labelled if group_of(row) not in groups), key=lambda row: row.id)
    random.Random("ablation").shuffle(rest)
    calibrating = rest[: min(CALIBRATION_ROWS, len(rest) // 4)]
    used = {group_of(row) for row in calibrating}
    answered = [row for row in rest[len(calibrating) :] if group_of(row) not in used][:most]
    if len(answered) < LEAST:
        problem = f"{len(answered)} labelled rows to measure on"
        raise InputError(Fault(problem, f"{LEAST} at least", "label more rows, or show fewer"))
    return Rows(shown, tuple(replace(row, targets=()) for row in calibrating), tuple(answered))


def without_each(task: Task, format: Format, shots: int) -> dict[str, tuple[Task, bool]]:
    """Name of a part -> the task without it, and whether demonstrations are shown."""
    parts, variants = task.parts, dict[str, tuple[Task, bool]]()
    if format != "plain":
        shorter = {
            "persona": replace(parts, persona=""),
            "context": replace(parts, context=""),
            "constraints": replace(parts, constraints=()),
            "output_format": replace(parts, output_format=""),
        }
        for name, rest in shorter.items():
            if rest != parts:
                variants[name] = (replace(task, parts=rest), True)
        if task.instruction:
            variants["instruction"] = (replace(task, instruction=""), True)
        if any(label.description for label in task.labels):
            bare = tuple(Label(label.name) for label in task.labels)
            variants["descriptions"] = (replace(task, labels=bare), True)
        if format == "chat" and task.system:
            variants["system"] = (replace(task, system=""), True)
    if parts.delimiter != "none":
        variants["delimiter"] = (replace(task, parts=replace(parts, delimiter="none")), True)
    if task.has_labels and task.answer_name != EMPTY_NAME:
        variants["the answer's name"] = (replace(task, answer_name=EMPTY_NAME), True)
    if shots:
        variants["demonstrations"] = (task, False)
    return variants


def _prompt(task: Task, rows: Rows, format: Format, bench: Workbench, shows: bool) -> Predictor:
    """Adapted as on the board; without demonstrations as `zero_shot`."""
    if shows and rows.shown:
        method = FewShot(n=len(rows.shown), format=format)
        return method.adapt(task, Shots(rows.shown, rows.calibrating), bench)
    return ZeroShot(format=format).adapt(task, Shots((), rows.calibrating), bench)
