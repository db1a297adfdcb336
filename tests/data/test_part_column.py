"""One file that holds the parts of a data set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from layouts import PLAIN, joined

from nshot.data import load

PARTS = ["train", "train", "dev", "test"]
ROWS = [(text, label, PARTS[i % 4]) for i, (text, label) in enumerate(PLAIN)]


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_a_column_of_parts_is_followed(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", joined([("text", "label", "split"), *ROWS]))
    loaded = load(path)
    assert [row.input.text for row in loaded.test or ()] == [t for t, _, p in ROWS if p == "test"]
    assert [row.input.text for row in loaded.train] == [t for t, _, p in ROWS if p == "train"]
    assert any("8 to learn from, 4 (test) to test on, 4 (validation)" in n for n in loaded.notes)


def test_validation_rows_test_where_there_are_no_others(tmp_path: Path) -> None:
    rows = [(t, n, {"dev": "Valid", "test": "Train"}.get(p, "Train")) for t, n, p in ROWS]
    loaded = load(write(tmp_path / "t.csv", joined([("text", "label", "Set"), *rows])))
    assert (len(loaded.train), len(loaded.test or ())) == (12, 4)


def test_a_test_file_goes_before_the_parts_of_the_other(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", joined([("text", "label", "split"), *ROWS]))
    later = write(tmp_path / "later.csv", "text,label\nwhere is it now,parcel\npay me,refund\n")
    loaded = load(path, test=later)
    assert (len(loaded.train), len(loaded.test or ())) == (8, 2)
    assert any("not used (--test was given)" in note for note in loaded.notes)


@pytest.mark.parametrize("cells", [["train"] * 16, ["train", "bus"] * 8, ["", "train"] * 8])
def test_other_columns_are_no_parts(cells: list[str], tmp_path: Path) -> None:
    rows = [(t, n, cell) for (t, n), cell in zip(PLAIN, cells, strict=True)]
    loaded = load(write(tmp_path / "t.csv", joined([("text", "label", "way"), *rows])))
    assert len(loaded.train) == 16
    assert loaded.test is None


def test_test_rows_without_labels_are_not_used(tmp_path: Path) -> None:
    rows = [(t, "" if p == "test" else n, p) for t, n, p in ROWS]
    loaded = load(write(tmp_path / "t.csv", joined([("text", "label", "split"), *rows])))
    assert loaded.test is None
    assert "the test rows of t.csv have no labels: not used" in loaded.notes


def test_a_document_of_parts_with_pairs(tmp_path: Path) -> None:
    whole = {"train": PLAIN[:10], "val": PLAIN[10:12], "test": PLAIN[12:], "oos_test": [["a", "b"]]}
    loaded = load(write(tmp_path / "data_full.json", json.dumps(whole)))
    assert (len(loaded.train), len(loaded.test or ())) == (10, 4)
    assert any("not used: oos_test" in note for note in loaded.notes)


def test_pairs_without_names_are_all_rows(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "pairs.json", json.dumps(PLAIN)))
    assert len(loaded.train) == 16
    assert loaded.task.label_names == ("parcel", "refund")
