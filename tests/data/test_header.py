"""Which line is the header, and which columns hold anything."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.data import load, read_inputs
from nshot.data.faults import Faults
from nshot.data.header import table_of, without_marks
from nshot.data.tables import read_table

TEXTS = ("the phone was charged twice", "when will it be here", "the code never comes", "pay me")
LABELS = ("refund", "delivery", "login", "refund")
ROWS = [f"{text} {i},{label}" for i in range(6) for text, label in zip(TEXTS, LABELS, strict=True)]


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_columns_without_name_and_content_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "spam.csv", "v1,v2,,,", *(f"{r},,," for r in ROWS))
    loaded = load(path, text=["v1"], label="v2")
    assert loaded.task.label_names == ("delivery", "login", "refund")
    assert "spam.csv: 3 columns without name and content, left out" in loaded.notes
    guessed = load(path)
    assert guessed.notes[0].startswith("text column 'v1', label column 'v2' (guessed")


def test_a_column_without_a_name_that_holds_something_gets_one(tmp_path: Path) -> None:
    path = write(tmp_path / "spam.csv", "v1,v2,,", *(f"{r},," for r in ROWS), "a b,refund,c,")
    faults = Faults()
    table = read_table(path, faults)
    assert table is not None
    assert table.columns == ("v1", "v2", "column 3")
    assert table.rows[-1] == {"v1": "a b", "v2": "refund", "column 3": "c"}
    assert len(load(path).train) == len(ROWS) + 1


@pytest.mark.parametrize("index", ["", "Unnamed: 0"])
def test_an_index_is_no_text_and_no_label(tmp_path: Path, index: str) -> None:
    body = [f"{i},{row}" for i, row in enumerate(ROWS)]
    loaded = load(write(tmp_path / "x.csv", f"{index},message,kind", *body))
    assert loaded.train[3].id == "3"
    assert loaded.train[3].input.fields == (("message", f"{TEXTS[3]} 0"),)
    assert loaded.train[3].label == "refund"


def test_a_first_line_that_looks_like_data_is_a_row(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "bare.csv", *ROWS))
    assert len(loaded.train) == len(ROWS)
    assert loaded.train[0].input.fields == (("text", f"{TEXTS[0]} 0"),)
    assert loaded.task.label_names == ("delivery", "login", "refund")
    note = next(note for note in loaded.notes if "no header" in note)
    assert "'refund' in line 1 is one of the values under it" in note
    assert "the columns are called text, label" in note


def test_both_files_may_be_without_a_header(tmp_path: Path) -> None:
    train = write(tmp_path / "train.csv", *ROWS)
    test = write(tmp_path / "test.csv", "give it,refund", "late,delivery", "pay it,refund")
    loaded = load(train, test=test)
    assert [row.label for row in loaded.test or ()] == ["refund", "delivery", "refund"]


def test_a_number_above_numbers_is_data(tmp_path: Path) -> None:
    body = [f"{1 + i % 5},it was {i} times so" for i in range(20)]
    loaded = load(write(tmp_path / "stars.csv", *body))
    assert len(loaded.train) == 20
    assert loaded.task.label_names == ("1", "2", "3", "4", "5")


@pytest.mark.parametrize(
    "header",
    [
        "text,label",
        "body_of_mail,refund",  # a bare word above sentences is a name
        "What went wrong?,Which team should look at it?",
        "0,1",
    ],
)
def test_a_header_stays_one(tmp_path: Path, header: str) -> None:
    names = header.split(",")
    loaded = load(write(tmp_path / "x.csv", header, *ROWS), text=names[:1], label=names[1])
    assert len(loaded.train) == len(ROWS)
    assert not any("no header" in note for note in loaded.notes)


def test_a_header_that_is_repeated_is_read_once(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "x.csv", "text,label", *ROWS, "text,label", "a b,login"))
    assert len(loaded.train) == len(ROWS) + 1
    assert "x.csv: the header stands 2 times, read once" in loaded.notes


def test_rows_without_content_are_left_out_and_counted(tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "x.csv", "text,label", *ROWS, ",", " , ", *ROWS[:1]))
    assert len(loaded.train) == len(ROWS) + 1
    assert "x.csv: 2 lines without content, left out" in loaded.notes
    (tmp_path / "x.jsonl").write_text(
        '{"text": "a b", "label": "x"}\n{"text": null, "label": ""}\n{"text": "c", "label": "y"}\n'
    )
    assert len(load(tmp_path / "x.jsonl").train) == 2


def test_cells_are_never_moved(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "text,label", *ROWS, "one,two,three", "four")
    with pytest.raises(InputError) as caught:
        load(path)
    assert "3 cells, the header has 2" in str(caught.value)
    assert "1 cells, the header has 2" in str(caught.value)


def test_names_are_read_as_they_look(tmp_path: Path) -> None:
    name = "문의 내용"
    odd = unicodedata.normalize("NFD", name).replace(" ", "\u00a0") + "\u200b "
    train = write(tmp_path / "x.csv", f"{odd},분류", *ROWS)
    assert load(train, text=[name], label="분류").train[0].input.fields[0][0] == name
    loaded = load(train, text=[odd], label="분류")
    assert loaded.train[0].input.fields[0][0] == name
    test = write(tmp_path / "test.csv", f"분류,{odd}", "refund,왜 안 와요")
    assert len(load(train, test=test, text=[name], label="분류").test or ()) == 1
    new = write(tmp_path / "new.csv", unicodedata.normalize("NFD", name), "무엇을 할까요")
    assert read_inputs(new, loaded.task)[0][1].fields == ((name, "무엇을 할까요"),)
    delivered = replace(loaded.task, field_names=((odd.strip(), "Text"),))
    assert read_inputs(new, delivered)[0][1].text == "무엇을 할까요"


@given(st.lists(st.lists(st.text(max_size=4), max_size=4), max_size=8))
@example([["0", "", "", "0"], ["0", "", "0", "0"]])
def test_a_row_has_the_cells_that_stand_in_it(records: list[list[str]]) -> None:
    table = table_of(Path("x.csv"), [(cells, i) for i, cells in enumerate(records)], Faults())
    if table is None:
        return
    others = [one for i, one in enumerate(records) if i not in set(map(int, table.places))]
    names = [[without_marks(cell) for cell in one if cell.strip()] for one in others]
    is_twice = table.headed and any(len(set(one)) < len(one) for one in names)
    for row, place in zip(table.rows, table.places, strict=True):
        cells = [cell for cell in records[int(place)] if cell.strip()]
        shown = [cell for cell in row.values() if cell.strip()]
        # Of two columns of one name and the same content one goes: its cells stand in the other.
        assert set(shown) == set(cells) if is_twice else shown == cells


@pytest.mark.parametrize(("name", "plain"), [("\ufefftext", "text"), (" a\n b ", "a b"),
                                             ("👨‍👩‍👧", "👨‍👩‍👧"), ("می‌روم", "می‌روم")])  # fmt: skip
def test_what_cannot_be_seen_is_no_part_of_a_name(name: str, plain: str) -> None:
    assert without_marks(name) == plain
