"""The three sets on which the claims are measured: two of labels, one of texts to be written."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.data import draw, split
from nshot.data.loading import content_ids
from table import read

DEV_ROWS, TEST_ROWS, WRITTEN_ROWS = 100, 200, 60


@dataclass(frozen=True)
class Board:
    """A task with its rows.

    `shots` rows per label (of a task without labels: in all) are drawn from `train`; `dev` rows
    choose the learning rate and are in no draw. `draws` counts the draws of the shots, and
    `epochs` the passes over them; None leaves that to the method.
    """

    name: str
    title: str
    task: Task
    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    test: tuple[Example, ...]
    shots: int
    draws: int
    epochs: int | None = None

    def drawn(self, seed: int) -> Shots:
        """The shots of a draw."""
        return Shots(draw(self.train, self.shots, seed, self.task.label_names).labelled)


def load(name: str, data: Path) -> Board:
    """A board by its name, from the folder of data sets."""
    return {"banking10": _banking, "sst2": _sst2, "e2e": _e2e}[name](data)


def _banking(data: Path) -> Board:
    train, test = _rows(data / "banking77", "Query")
    intents = random.Random(0).sample(sorted({row.label for row in test}), 10)
    task = _labelled("ten intents", sorted(intents), "Query", "Intent")
    train, test = ([row for row in rows if row.label in intents] for rows in (train, test))
    return _board("banking10", "BANKING77, ten intents", task, train, test, 8)


def _sst2(data: Path) -> Board:
    train, test = _rows(data / "sst2", "Review")
    task = _labelled("SST-2", ["negative", "positive"], "Review", "Sentiment")
    return _board("sst2", "SST-2", task, train, test, 32)


def _e2e(data: Path) -> Board:
    folder = data / "e2e_nlg"
    task = Task(
        "E2E", "generate", metric="token_f1", field_names=(("Data", "Data"),), answer_name="Text"
    )
    train = _named([_example("Data", row, [row["output"]]) for row in read(folder / "train.jsonl")])
    test = _named([_example("Data", row, row["references"]) for row in read(folder / "test.jsonl")])
    cut = split(task, train, test, test_limit=WRITTEN_ROWS)
    return Board("e2e", "E2E", task, cut.train, (), cut.test, shots=150, draws=1, epochs=3)


def _board(
    name: str, title: str, task: Task, train: Sequence[Example], test: Sequence[Example], shots: int
) -> Board:
    cut = split(task, train, test, test_limit=TEST_ROWS)
    shuffled = random.Random(f"dev:{name}").sample(cut.train, len(cut.train))
    dev, rest = tuple(shuffled[:DEV_ROWS]), tuple(shuffled[DEV_ROWS:])
    return Board(name, title, task, rest, dev, cut.test, shots, draws=3)


def _rows(folder: Path, field: str) -> tuple[list[Example], list[Example]]:
    """(train, test) rows of a set of labelled texts."""
    train, test = (
        _named([_example(field, row, [row["label"]]) for row in read(folder / f"{part}.jsonl")])
        for part in ("train", "test")
    )
    return train, test


def _example(field: str, row: dict[str, Any], targets: Sequence[str]) -> Example:
    text = row["text"] if "text" in row else row["input"]
    return Example("", Input(((field, text),)), tuple(targets))


def _named(rows: Sequence[Example]) -> list[Example]:
    return [replace(row, id=name) for row, name in zip(rows, content_ids(rows), strict=True)]


def _labelled(name: str, labels: Sequence[str], field: str, answer: str) -> Task:
    return Task(
        name,
        "classify",
        tuple(map(Label, labels)),
        field_names=((field, field),),
        answer_name=answer,
    )
