"""The training benchmark on a tiny model: every method's step is timed, through its own adapter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import table
import tiny
import training
from nshot.core.types import ModelRef
from nshot.methods import TABLE
from nshot.methods.trained import Trained
from nshot.models import open_models


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two intents with a hundred messages each."""
    rows = [{"text": f"where is my card {i}", "label": f"intent {i % 2}"} for i in range(200)]
    file = tmp_path / "banking77" / "train.jsonl"
    file.parent.mkdir()
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


def test_every_row_names_a_method_of_the_table_with_settings_it_has() -> None:
    # Those that make a model small are measured by white_box.py, beside what they lose.
    teachers = {
        name
        for name in TABLE
        if issubclass(TABLE[name], Trained) and TABLE[name].rung != "compress"
    }
    # A step of these reads other rows than the batch; pattern_tuning.py measures them.
    other_rows = {"pattern_tuning", "in_context_tuning"}
    trained = {name for name in teachers - other_rows if "classify" in TABLE[name].kinds}
    assert {str(spec["method"]) for spec, _ in training.PLAIN.values()} == trained
    for spec, _ in training.PLAIN.values():
        TABLE.build(spec)


def test_a_step_of_every_method_is_timed(data: Path, tmp_path: Path) -> None:
    base = ModelRef("hf", str(tiny.tiny_llama(tmp_path / "model")))
    found = training.measure_methods(data, 2, 1, open_models(), base)
    cannot = {name: took for name, took in found.items() if isinstance(took, str)}
    assert not cannot
    assert list(found) == list(training.PLAIN)
    text = training.methods_table(found, 2)
    assert "| lora, queries and values |" in text
    assert "| 1.00 | 1.00 | 1.10 | holds |" in text


def test_a_goal_that_is_missed_is_said_and_what_cannot_says_why() -> None:
    found = {training.REFERENCE: [1.0, 2.0], "ia3": [1.2, 2.4], "bitfit": "there are no biases"}
    text = training.methods_table(found, 6)
    assert "| ia3 | 1800 | 1.20 | 1.04 | 1.14 | **missed** |" in text
    assert "| bitfit |  |  |  |  | there are no biases |" in text


def test_a_table_is_written_between_its_own_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    marks = [f"<!-- table of benchmarks/{name} -->" for name in ("a.py", "a.py, more")]
    page.write_text(f"one\n{marks[0]}\n{table.END}\n{marks[1]}\nold\n{table.END}\nlast\n")
    table.write("a.py, more", "new", page)
    expected = f"one\n{marks[0]}\n{table.END}\n{marks[1]}\nnew\n{table.END}\nlast\n"
    assert page.read_text() == expected
