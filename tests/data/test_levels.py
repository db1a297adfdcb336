"""The order of levels, from their names."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from nshot.core.errors import InputError
from nshot.data.levels import ordered
from nshot.data.loading import load

ORDERS = [
    ("1", "2", "3", "4", "5"),
    ("-1", "0", "1"),
    ("2", "9", "10"),
    ("1.5", "2", "10.25"),
    ("1 star", "2 stars", "5 stars"),
    ("1점", "2점", "3점"),
    ("P1", "P2", "P3"),
    ("low", "Medium", "HIGH"),
    ("none", "minor", "major", "critical"),
    ("strongly-disagree", "disagree", "neutral", "agree", "strongly agree"),
    ("부정", "중립", "긍정"),
    ("very_bad", "bad", "okay", "good", "excellent"),
    ("never", "sometimes", "always"),
    ("small", "medium", "large"),
]


@pytest.mark.parametrize("names", ORDERS)
def test_names_that_tell_are_put_in_order_whatever_theirs_was(names: tuple[str, ...]) -> None:
    mixed = list(names)
    random.Random(0).shuffle(mixed)
    assert ordered(mixed) == names
    assert ordered(names[::-1]) == names


@pytest.mark.parametrize(
    "names",
    [
        ("none", "offensive", "hate"),
        ("1", "1.0"),
        ("1-2", "3-4"),
        ("1 star", "2 points"),
        ("minor", "low"),
        ("refund", "login"),
        ("good", "2"),
    ],
)
def test_names_that_do_not_tell_have_none(names: tuple[str, ...]) -> None:
    assert ordered(names) is None


def rows(levels: list[str], path: Path) -> Path:
    body = "".join(f"text number {i} {level},{level}\n" for i in range(6) for level in levels)
    path.write_text(f"text,severity\n{body}", encoding="utf-8")
    return path


def test_levels_are_read_in_their_order_and_it_is_printed(tmp_path: Path) -> None:
    loaded = load(rows(["high", "low", "medium"], tmp_path / "a.csv"), kind="score")
    assert loaded.task.kind == "score"
    assert loaded.task.label_names == ("low", "medium", "high")
    assert loaded.task.metric == "kappa"
    assert "levels, the lowest first: low, medium, high" in loaded.notes


def test_the_task_files_order_goes_before(tmp_path: Path) -> None:
    rows(["high", "low", "medium"], tmp_path / "a.csv")
    task = "kind: score\ndata: {train: a.csv}\nlabels: [high, low, medium]\n"
    (tmp_path / "task.yaml").write_text(task, encoding="utf-8")
    assert load(tmp_path / "task.yaml").task.label_names == ("high", "low", "medium")


def test_levels_without_an_order_are_refused_with_a_cure_that_works(tmp_path: Path) -> None:
    path = rows(["none", "offensive", "hate"], tmp_path / "a.csv")
    with pytest.raises(InputError) as error:
        load(path, kind="score")
    (fault,) = error.value.faults
    assert "which of these levels is the lowest? hate, none, offensive" in fault.found
    lines = (
        fault.do.split(": ", 1)[1].replace(", data:", "\ndata:").replace(", labels:", "\nlabels:")
    )
    (tmp_path / "task.yaml").write_text(lines, encoding="utf-8")
    assert load(tmp_path / "task.yaml").task.label_names == ("hate", "none", "offensive")


def test_labels_that_look_like_levels_are_noted(tmp_path: Path) -> None:
    path = rows(["1", "2", "3"], tmp_path / "a.csv")
    assert any("--kind score" in note for note in load(path).notes)
    assert not any("--kind score" in note for note in load(path, kind="classify").notes)
    two = rows(["0", "1"], tmp_path / "b.csv")
    assert not any("--kind score" in note for note in load(two).notes)
