"""`nshot prompt ablate`: parts left out in turn, with a model that learns from demonstrations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nshot.bench.ablation import ablate, divide, without_each
from nshot.core.errors import InputError
from nshot.core.types import Example, Label, Parts, Task, group_of
from nshot.data import load
from nshot.models import open_models
from nshot.models.catalog import resolve
from spine import jsonl, tickets


def rows(folder: Path) -> tuple[Task, tuple[Example, ...]]:
    loaded = load(jsonl(folder / "train.jsonl", tickets(30)))
    return loaded.task, loaded.train


def test_a_model_that_reads_examples_needs_them_and_no_persona(tmp_path: Path) -> None:
    task, train = rows(tmp_path)
    task = replace(task, parts=Parts(persona="You work at a shop."), answer_name="Topic")
    steps: list[str] = []
    made = ablate(task, train, open_models(), resolve("fake:scorer", "lm"), "instruction", 9, 60,
                  lambda at, of, name: steps.append(name))  # fmt: skip
    parts = {part.part: part for part in made.parts}
    assert made.rows == 60
    assert made.shots == 9
    assert parts["demonstrations"].worth == "pays"
    assert parts["persona"].worth == "cannot tell"
    assert steps[0] == "all of it"
    assert sorted(steps[1:]) == sorted(parts)
    assert made.parts[0].part == "demonstrations"
    again = ablate(task, train, open_models(), resolve("fake:scorer", "lm"), "instruction", 9, 60,
                   lambda at, of, name: None)  # fmt: skip
    assert again == made


def test_rows_that_are_shown_calibrate_or_are_answered_share_no_group(tmp_path: Path) -> None:
    _, train = rows(tmp_path)
    grouped = [replace(row, group=f"g{at % 40}") for at, row in enumerate(train)]
    divided = divide(grouped, 6, 500)
    groups = [{group_of(row) for row in part}
              for part in (divided.shown, divided.calibrating, divided.answered)]  # fmt: skip
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert all(not row.targets for row in divided.calibrating)


def test_what_can_be_left_out() -> None:
    labels = (Label("a", "the first"), Label("b"))
    parts = Parts("Who", "What", ("One",), "Form", "tags")
    task = Task("t", "classify", labels, "Ask.", system="Sys", parts=parts, answer_name="Topic")
    assert list(without_each(task, "plain", 0)) == ["delimiter", "the answer's name"]
    assert list(without_each(task, "chat", 2)) == [
        "persona", "context", "constraints", "output_format", "instruction", "descriptions",
        "system", "delimiter", "the answer's name", "demonstrations",
    ]  # fmt: skip
    for name, (variant, _) in without_each(task, "chat", 0).items():
        assert variant != task, name


def test_too_few_rows_and_nothing_to_leave_out(tmp_path: Path) -> None:
    task, train = rows(tmp_path)
    lm = resolve("fake:scorer", "lm")
    with pytest.raises(InputError, match="labelled rows to measure on"):
        ablate(task, train[:12], open_models(), lm, "plain", 4, 60, lambda at, of, name: None)
    bare = replace(task, instruction="", answer_name="Label")
    with pytest.raises(InputError, match="nothing to leave out"):
        ablate(bare, train, open_models(), lm, "plain", 0, 60, lambda at, of, name: None)
