"""Which columns are the text and the label where nobody names them, and what is told of it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from nshot.core.errors import InputError
from nshot.data import Loaded, load, read_inputs


def write(path: Path, header: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def labels(loaded: Loaded) -> list[str]:
    return [row.label for row in loaded.train]


FLAGS = [("1", "0", "0"), ("0", "1", "0"), ("0", "0", "1")]


def flagged(path: Path, flags: list[tuple[str, str, str]], first: int = 0) -> Path:
    rows = [[f"words of row {first + i}", *flags[i % len(flags)]] for i in range(len(flags) * 7)]
    return write(path, ["message", "refund", "delivery", "login"], rows)


def test_columns_of_one_1_a_row_are_one_label(tmp_path: Path) -> None:
    train = flagged(tmp_path / "train.csv", FLAGS)
    test = flagged(tmp_path / "test.csv", [("0.0", "1.0", "0.0")], 100)
    loaded = load(train, test=test)
    assert labels(loaded)[:3] == ["refund", "delivery", "login"]
    assert {row.label for row in loaded.test or ()} == {"delivery"}
    assert loaded.train[0].input.fields == (("message", "words of row 0"),)
    assert any("'refund', 'delivery', 'login' hold one 1 a row" in n for n in loaded.notes)


def test_a_row_without_a_1_has_no_label(tmp_path: Path) -> None:
    path = flagged(tmp_path / "x.csv", FLAGS * 3)
    path.write_text(path.read_text() + "none of them,0,0,0\n")
    loaded = load(path)
    assert len(loaded.train) == 63
    assert any("1 of 64 rows have no label" in note for note in loaded.notes)


def test_several_1s_a_row_are_not_read_as_one_label(tmp_path: Path) -> None:
    path = flagged(tmp_path / "x.csv", [*FLAGS * 10, ("1", "1", "0")])
    with pytest.raises(InputError, match="refund, delivery, login hold 0 and 1: --kind") as caught:
        load(path)
    assert "--label refund" in caught.value.faults[0].do
    assert load(path, kind="multilabel").train[30].targets == ("delivery", "refund")
    assert load(path, text=["message"], label="refund").task.label_names == ("0", "1")


def test_a_label_beside_flags_is_the_label(tmp_path: Path) -> None:
    path = flagged(tmp_path / "x.csv", FLAGS)
    lines = path.read_text().splitlines()
    kinds = ["label", *("ab"[i % 2] for i in range(len(lines) - 1))]
    path.write_text("\n".join(f"{a},{b}" for a, b in zip(lines, kinds, strict=True)))
    assert load(path).task.label_names == ("a", "b")


def test_several_texts_that_nobody_named_are_all_taken_and_told(tmp_path: Path) -> None:
    rows: list[list[object]] = [[f"the head {i}", f"some note {i}", "ab"[i % 2]] for i in range(8)]
    loaded = load(write(tmp_path / "x.csv", ["subject line", "remark", "label"], rows))
    assert [name for name, _ in loaded.train[0].input.fields] == ["subject line", "remark"]
    assert loaded.notes[0].startswith("text columns 'subject line', 'remark', label column 'label'")


def test_an_empty_second_text_is_an_empty_field(tmp_path: Path) -> None:
    rows: list[list[object]] = [[f"the head {i}" * (i % 3 > 0), f"some note {i}", "ab"[i % 2]]
                                for i in range(9)]  # fmt: skip
    path = write(tmp_path / "x.csv", ["Title", "Review Text", "Rating"], rows)
    loaded = load(path, text=["Title", "Review Text"], label="Rating")
    assert loaded.train[0].input.fields == (("Review Text", "some note 0"),)
    assert "x.csv: 3 rows have an empty 'Title': read without" in loaded.notes
    assert len(read_inputs(path, loaded.task)) == 9
    path.write_text(path.read_text() + ",,a\n")
    loaded = load(path, text=["Title", "Review Text"], label="Rating")
    assert "x.csv: 1 rows have no text ('Title', 'Review Text'), left out" in loaded.notes
    path.write_text(path.read_text() + ",,b\n" * 10)
    with pytest.raises(InputError, match="the text 'Review Text' is empty"):
        load(path, text=["Title", "Review Text"], label="Rating")


def test_questions_with_answers_of_their_own_are_no_classes(tmp_path: Path) -> None:
    rows: list[list[object]] = [[f"what is number {i}?", f"it is {i}"] for i in range(20)]
    path = write(tmp_path / "x.csv", ["question", "answer"], rows)
    loaded = load(path)
    assert loaded.task.kind == "generate"
    assert loaded.train[3].targets == ("it is 3",)
    assert any("nearly every row has a 'answer' of its own" in note for note in loaded.notes)
    assert load(path, kind="classify").task.kind == "classify"
    few = write(tmp_path / "few.csv", ["question", "answer"], [[q, "ab"[i % 2]] for i, (q, _) in
                                                                 enumerate(rows)])  # fmt: skip
    assert load(few).task.label_names == ("a", "b")


def test_one_example_a_label_stays_labels(tmp_path: Path) -> None:
    rows: list[list[object]] = [[f"words of row {i}", f"kind_{i}"] for i in range(12)]
    assert len(load(write(tmp_path / "x.csv", ["text", "intent"], rows)).task.label_names) == 12


def test_an_unnamed_label_may_have_gaps(tmp_path: Path) -> None:
    rows: list[list[object]] = [[f"words of row {i}", "ab"[i % 2] * (i != 3)] for i in range(20)]
    loaded = load(write(tmp_path / "x.csv", ["note", "what"], rows))
    assert len(loaded.train) == 19


def test_a_test_without_labels_that_lies_beside_is_told(tmp_path: Path) -> None:
    rows: list[list[object]] = [[f"words of row {i}", "ab"[i % 2]] for i in range(20)]
    write(tmp_path / "train.csv", ["text", "target"], rows)
    write(tmp_path / "test.csv", ["text"], [["what is it"]])
    loaded = load(tmp_path)
    assert loaded.test is None
    assert any("test.csv has no labels: not used; once the run" in note for note in loaded.notes)
