"""The encoders' table: what is drawn and asked, a text read once, the lines."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nshot.core.types import ModelRef
from nshot.models import open_models
from sentence_encoders import (
    COUNTED,
    TASKS,
    OneEncoder,
    Remembering,
    Side,
    drawn,
    public,
    rows_of,
    spread,
    table,
    tickets,
)

WORDS = {"good": "fine joy warm", "bad": "dull cold sad"}


class Counting:
    """The fake encoder, which says how many texts it has read."""

    def __init__(self) -> None:
        self._encoder, self.read = open_models().encoder(ModelRef("fake", "encoder")), 0

    ref = ModelRef("fake", "encoder")

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.read += len(texts)
        return self._encoder.encode(texts)

    def count(self, texts: Sequence[str]) -> list[int]:
        return self._encoder.count(texts)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = random.Random(0)
    for name in TASKS:
        labels = [f"intent {i}" for i in range(12)] if name == "banking77" else list(WORDS)
        for part in ("train", "dev" if name == "korean_hate" else "test"):
            rows = [
                {"text": f"{WORDS.get(label, label)} {rng.random()} {part}", "label": label}
                for label in labels
                for _ in range(6)
            ]
            file = tmp_path / name / f"{part}.jsonl"
            file.parent.mkdir(exist_ok=True)
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def both() -> tuple[list[Side], Counting]:
    counting = Counting()
    return [Side(COUNTED, open_models()), Side("fake", OneEncoder(Remembering(counting)))], counting


def test_rows_are_those_of_the_labels_that_are_asked(data: Path) -> None:
    rows = rows_of(data, "banking77", 40)
    assert len(rows.task.labels) == 10
    assert {row.label for row in rows.train} == set(rows.task.label_names)
    assert len(rows.test) == 40
    assert not {row.input.text for row in rows.train} & {row.input.text for row in rows.test}
    shots = drawn(rows, 4, 0)
    assert [sum(row.label == name for row in shots) for name in rows.task.label_names] == [4] * 10
    assert drawn(rows, 4, 0) == shots != drawn(rows, 4, 1)


def test_every_set_and_size_has_a_line_and_a_text_is_read_once(data: Path) -> None:
    sides, counting = both()
    lines = public(data, 12, [2, 3], 2, sides)
    assert len(lines) == 2 * len(TASKS)
    assert all("100.0 (100.0 - 100.0)" in row for row in lines if "SST-2" in row)
    texts = sum(len(rows_of(data, name, 12).train) + 12 for name in TASKS)
    assert counting.read <= texts
    assert set(sides[1].seconds) == set(TASKS)
    assert not sides[0].seconds
    text = table(lines, sides, 12, 2)
    assert "Seconds of the processor for 300 rows: fake" in text
    assert text.count("\n|") == len(lines) + 1


def test_the_tickets_and_the_korean_ones_among_them() -> None:
    lines = tickets(both()[0])
    assert len(lines) == 2
    assert "the 136 Korean ones" in lines[1]


def test_a_spread_is_mean_lowest_and_highest() -> None:
    assert spread([0.5, 0.75, 0.7]) == "65.0 (50.0 - 75.0)"
