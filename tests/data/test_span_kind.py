"""Columns of spans as a task of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nshot.core.errors import InputError
from nshot.core.spans import Span, spans_of
from nshot.data.loading import Loaded, load

TEXT = "Kim lives in Seoul"
KIM, SEOUL = Span(0, 3, "PER"), Span(13, 18, "LOC")


def rows(folder: Path, *cells: Any, name: str = "spans", text: str = TEXT) -> Path:
    path = folder / "a.jsonl"
    lines = [json.dumps({"text": text, name: cell}) for cell in cells]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def spans(loaded: Loaded) -> list[tuple[Span, ...]]:
    return [spans_of(row.targets[0]) for row in loaded.train]


@pytest.mark.parametrize(
    "cell",
    [
        [{"start": 0, "end": 3, "label": "PER"}, {"start": 13, "end": 18, "label": "LOC"}],
        [{"start": 13, "end": 18, "labels": ["LOC"]}, {"start": 0, "end": 3, "labels": ["PER"]}],
        [{"start_offset": 0, "end_offset": 4, "type": "PER"}, [12, 18, "LOC"]],
        [[0, 3, "PER"], [13, 18, "LOC"], [0, 3, "PER"]],
        {"entities": [[0, 3, "PER"], [13, 18, "LOC"]]},
        '[[0, 3, "PER"], [13, 18, "LOC"]]',
        [{"start": 0, "end": 3, "label": "PER", "text": "Kim"}, [13, 18, "LOC"]],
    ],
)
@pytest.mark.parametrize("name", ["spans", "entities", "ner", "label"])
def test_the_usual_ways_to_write_spans_are_read(cell: Any, name: str, tmp_path: Path) -> None:
    loaded = load(rows(tmp_path, cell, cell, [], name=name))
    assert (loaded.task.kind, loaded.task.metric) == ("spans", "span_f1")
    assert loaded.task.label_names == ("LOC", "PER")
    assert spans(loaded) == [(KIM, SEOUL), (KIM, SEOUL), ()]
    assert any("4 spans in 3 rows: LOC, PER" in note for note in loaded.notes)


def test_a_csv_holds_spans_as_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'text,ents\n{TEXT},"[[0, 3, ""PER""]]"\n{TEXT},[]\n', encoding="utf-8")
    assert spans(load(path)) == [(KIM,), ()]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([[0, 99, "PER"]], r"PER 0-99: the text has 18 characters"),
        ([[-3, 2, "PER"]], r"PER -3-2: the text has 18 characters"),
        ([[3, 3, "PER"]], r"PER 3-3"),
        ([[3, 4, "PER"]], r"PER 3-4 holds nothing but space"),
        ([[0, 8, "PER"], [4, 12, "LOC"]], r"PER 0-8 'Kim live' and LOC 4-12 'lives in' overlap"),
        ([[0, 8, "PER"], [4, 6, "LOC"]], r"overlap"),
        ([{"start": 0, "end": 2, "label": "PER", "text": "Kim"}], r"PER 0-2 is 'Ki', not 'Kim'"),
        ([[0, 3]], r"'spans' holds \[0, 3\]"),
        ([["0", 3, "PER"]], r"'spans' holds"),
        ("Kim", r"'spans' holds a str"),
        (None, r"'spans' is missing"),
    ],
)
def test_what_cannot_be_meant_is_a_fault_of_its_line(
    cell: Any, message: str, tmp_path: Path
) -> None:
    path = rows(tmp_path, [[0, 3, "PER"]], cell, [[0, 3, "PER"]])
    with pytest.raises(InputError, match=rf"(?s){message}.*line 2|line 2.*{message}"):
        load(path, label="spans", kind="spans")


def test_an_offset_inside_a_character_is_a_fault(tmp_path: Path) -> None:
    path = rows(tmp_path, [[0, 4, "PLACE"]], text="cafe\u0301 Sicilia")
    with pytest.raises(InputError, match="splits a character"):
        load(path, kind="spans")


def test_rows_without_any_span_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no row has a span"):
        load(rows(tmp_path, [], []), kind="spans", label="spans")


def test_two_texts_are_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    row = {"title": "On Kim", "text": TEXT, "spans": [[0, 3, "PER"]]}
    path.write_text("\n".join([json.dumps(row)] * 2), encoding="utf-8")
    with pytest.raises(InputError, match="characters of one text"):
        load(path)
    assert spans(load(path, text=["text"])) == [(KIM,)] * 2


def test_a_task_file_lists_the_labels_and_others_are_faults(tmp_path: Path) -> None:
    rows(tmp_path, [[0, 3, "PER"]], [[13, 18, "LOC"]])
    task = tmp_path / "task.yaml"
    head = "kind: spans\ndata: {train: a.jsonl}\nlabels:\n- {name: PER, description: a person}\n"
    task.write_text(head, encoding="utf-8")
    with pytest.raises(InputError, match="label 'LOC', which the task file does not list"):
        load(task)
    task.write_text(head + "- LOC\n", encoding="utf-8")
    assert load(task).task.labels[0].description == "a person"


def test_labels_of_test_rows_alone_are_named(tmp_path: Path) -> None:
    train = rows(tmp_path, [[0, 3, "PER"]])
    test = tmp_path / "b.jsonl"
    test.write_text(json.dumps({"text": TEXT, "spans": [[13, 18, "LOC"]]}), encoding="utf-8")
    loaded = load(train, test=test)
    assert loaded.task.label_names == ("PER",)
    assert any("no other row has: LOC" in note for note in loaded.notes)


def test_a_column_of_empty_lists_is_told(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a b", "spans": []}\n{"text": "c", "spans": []}\n', "utf-8")
    with pytest.raises(InputError, match="no row has a span"):
        load(path, kind="spans")
