"""setfit against the package of its authors: rows, our side of a cell, what is kept, the table."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from contrastive import (
    GOAL,
    OURS,
    PEER,
    Adapt,
    Answer,
    Side,
    cell,
    drawn,
    in_turns,
    ours,
    rows_of,
    steps_of,
    table,
    timed,
)
from encoders import tiny_encoder
from nshot.core.types import Example, Input, ModelRef
from nshot.methods.fewshot.setfit import SetFit
from nshot.models import open_models

LABELS = ("card", "card", "transfer", "card")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve intents with ten messages each."""
    for part, words in (("train", "where is my"), ("test", "I lost the")):
        rows = [{"text": f"{words} {i % 12} {i}", "label": f"intent {i % 12}"} for i in range(120)]
        file = tmp_path / "banking77" / f"{part}.jsonl"
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


def test_the_ten_intents_are_those_of_all_boards_and_a_draw_is_balanced(data: Path) -> None:
    task, train, test = rows_of(data, "banking77")
    every = sorted({f"intent {i}" for i in range(12)})
    assert list(task.label_names) == sorted(random.Random(0).sample(every, 10))
    shots = drawn(task, train, 3, 1)
    labels = [example.label for example in shots.labelled]
    assert {labels.count(name) for name in task.label_names} == {3}
    assert shots == drawn(task, train, 3, 1) != drawn(task, train, 3, 2)
    assert {row.label for row in test} == set(task.label_names)


def test_our_side_takes_the_steps_it_says(data: Path, tmp_path: Path) -> None:
    task, train, test = rows_of(data, "banking77")
    method = SetFit(learning_rate=1e-3, iterations=2, batch_size=16)
    shots = drawn(task, train, 2, 0)
    assert steps_of(method, shots) == 5
    assert steps_of(SetFit(max_steps=7), shots) == 7
    ref = ModelRef("hf", str(tiny_encoder(tmp_path / "encoder")))
    side = timed(lambda: ours(method, task, shots, open_models(), ref, 0, tmp_path), test[:20])
    assert side["seconds"] > 0
    assert 0 <= side["accuracy"] <= 1


def test_a_cell_is_measured_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> dict[str, Side]:
        made.append(1)
        return {OURS: told(0.5, 1), PEER: told(0.5, 2)}

    first = cell("a", "plan", make, tmp_path)
    assert cell("a", "plan", make, tmp_path) == first
    assert len(made) == 1
    cell("a", "another plan", make, tmp_path)
    assert len(made) == 2


def told(accuracy: float, seconds: float) -> Side:
    return {"accuracy": accuracy, "seconds": seconds, "work": seconds}


def test_the_table_says_what_is_missed() -> None:
    found = {
        ("sst2", 8): [{OURS: told(0.7 + i / 100, 2), PEER: told(0.72, 5)} for i in range(3)],
        ("banking77", 32): [{OURS: told(0.9, 2), PEER: told(0.95, 1)} for _ in range(3)],
    }
    text = table(found, SetFit(), 400)
    assert "| SST-2 | 8 | 40 | 71.0 (70.0 - 72.0) | 72.0 (72.0 - 72.0) | -1.0 | 2.0 | 5.0 |" in text
    assert "| 2.50x | 2.50x |" in text
    assert "| ten BANKING77 intents | 32 | 320 | 90.0" in text
    assert f"| **-{GOAL + 3:.1f}** |" in text
    assert "| 0.50x | 0.50x |" in text


def test_the_sides_take_turns() -> None:
    asked: list[str] = []

    def side(name: str) -> Adapt:
        def adapt() -> Answer:
            asked.append(name)
            return lambda texts: ["card"] * len(texts)

        return adapt

    test = [Example(str(i), Input((("text", "?"),)), (label,)) for i, label in enumerate(LABELS)]
    for draw in (0, 1):
        found = in_turns({OURS: side(OURS), PEER: side(PEER)}, test, draw)
        assert list(found) == [OURS, PEER]
        assert found[OURS]["accuracy"] == 0.75
    assert asked == [OURS, PEER, PEER, OURS]
