"""Shapes of JSON that hold rows."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from nshot.core.errors import InputError
from nshot.data.faults import Faults
from nshot.data.files import read_file
from nshot.data.table import Row, Table

ROWS: list[Row] = [
    {"text": "the phone was charged twice, refund me", "label": "refund"},
    {"text": "when will it be delivered", "label": "delivery"},
    {"text": "my card was billed wrong", "label": "refund"},
    {"text": "the parcel is late", "label": "delivery"},
]
CELLS = [[*row.values()] for row in ROWS]
COLUMNS = {name: [row[name] for row in ROWS] for name in ("text", "label")}


def table(path: Path, content: Any) -> Table:
    path.write_text(json.dumps(content))
    faults = Faults()
    read = read_file(path, faults)
    if faults or read is None:
        raise faults.error()
    return read


@pytest.mark.parametrize(
    "content",
    [
        ROWS,
        COLUMNS,
        {name: {str(i): cell for i, cell in enumerate(cells)} for name, cells in COLUMNS.items()},
        {str(i): row for i, row in enumerate(ROWS)},
        {"data": ROWS},
        {"version": "1.0", "about": {"by": "us"}, "data": ROWS},
        {"version": 2, "set": {"name": "x", "rows": ROWS}},
        {"columns": ["text", "label"], "index": [0, 1, 2, 3], "data": CELLS},
        {"schema": {"fields": [{"name": "text"}], "pandas_version": "1.4.0"}, "data": ROWS},
        [["text", "label"], *CELLS],
    ],
    ids=["array", "columns", "pandas", "index", "nested", "beside", "deeper", "split", "schema",
         "arrays"],
)  # fmt: skip
def test_shapes_of_the_same_rows(tmp_path: Path, content: Any) -> None:
    read = table(tmp_path / "a.json", content)
    assert read.rows == ROWS
    assert read.columns == ("text", "label")
    assert bool(read.notes) == (content is not ROWS)


def test_rows_by_their_name_keep_it_as_id(tmp_path: Path) -> None:
    read = table(tmp_path / "a.json", {"t-1": ROWS[0], "t-2": ROWS[1]})
    assert [row["id"] for row in read.rows] == ["t-1", "t-2"]


def test_texts_by_label(tmp_path: Path) -> None:
    content = {"refund": ["pay me back", "my money", "twice"], "delivery": ["where is it", "late"]}
    read = table(tmp_path / "a.json", content)
    assert read.rows[0] == {"text": "pay me back", "label": "refund"}
    assert [row["label"] for row in read.rows] == ["refund"] * 3 + ["delivery"] * 2


def test_columns_or_labels_is_refused_and_both_cures_work(tmp_path: Path) -> None:
    content = {"refund": ["pay me back", "my money"], "delivery": ["where is it", "late"]}
    path = tmp_path / "a.json"
    with pytest.raises(InputError, match="the keys may be columns or labels") as caught:
        table(path, content)
    labels, columns = caught.value.faults[0].do.split(" are labels; ")
    subprocess.run(["bash", "-c", labels.split("   where")[0]], check=True)
    read = read_file(tmp_path / "a.rows.json", Faults())
    assert read is not None
    assert read.rows[2] == {"text": "where is it", "label": "delivery"}
    subprocess.run(["bash", "-c", columns.split("   where")[0]], check=True)
    read = read_file(tmp_path / "a.rows.json", Faults())
    assert read is not None
    assert read.rows == [
        {"refund": "pay me back", "delivery": "where is it"},
        {"refund": "my money", "delivery": "late"},
    ]


def test_several_lists_are_refused_and_the_cure_works(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(InputError, match="2 lists of rows: 'old', 'new'") as caught:
        table(path, {"old": ROWS, "new": ROWS[:1]})
    for command in caught.value.faults[0].do.split(" ; "):
        subprocess.run(["bash", "-c", command], check=True)
    read = read_file(tmp_path / "a.old.json", Faults())
    assert read is not None
    assert read.rows == ROWS


def test_one_row_is_a_row(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "hi"}], "id": "a"}
    read = table(tmp_path / "a.json", [row])
    assert read.rows == [row]


@pytest.mark.parametrize("content", [3, "text", None, {}, {"a": 1}, {"a": {"b": 2}}])
def test_values_without_rows_are_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(InputError, match="without rows"):
        table(tmp_path / "a.json", content)
