"""Rows that end early, columns that stand twice, labels before texts, objects, annotators."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import ENGLISH, PLAIN, joined, lines, quoted

from nshot.core.errors import InputError
from nshot.data import Loaded, load, read_inputs


def labelled(loaded: Loaded) -> list[tuple[str, str]]:
    return [(row.input.text, row.label) for row in loaded.train]


def write(path: Path, content: Any) -> Path:
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return path


FULL = [(text, name, ("new", "done")[i % 2], f"note {i}") for i, (text, name) in enumerate(PLAIN)]


@given(st.integers(0, 15), st.integers(0, 3), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_row_that_lacks_a_cell_is_never_shifted(row: int, cell: int, seed: int) -> None:
    """Refused, or its label is one that it has."""
    import tempfile

    rows = [list(one) for one in FULL]
    random.Random(seed).shuffle(rows)
    before = {tuple(one[:2]) for one in rows}
    del rows[row][cell]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text(joined([("text", "label", "state", "remark"), *rows]))
        try:
            loaded = load(path, text=["text"], label="label")
        except InputError:
            return
        assert {(r.input.text, r.label) for r in loaded.train} <= before


def test_short_rows_without_a_column_that_recurs_are_refused(tmp_path: Path) -> None:
    rows = [(t, f"note {i}", n) for i, (t, n) in enumerate(PLAIN)]
    rows[4] = rows[4][:2]  # type: ignore[call-overload]
    path = write(tmp_path / "t.csv", joined([("text", "remark", "label"), *rows]))
    with pytest.raises(InputError, match="2 cells, the header has 3"):
        load(path)


def test_two_columns_of_one_name_are_numbered_and_the_command_works(tmp_path: Path) -> None:
    rows = [(t, n, n[::-1]) for t, n in ENGLISH]
    path = write(tmp_path / "t.csv", quoted([("text", "label", "label"), *rows]))
    with pytest.raises(InputError, match="--label 'label \\(1\\)'"):
        load(path)
    assert labelled(load(path, label="label (1)")) == ENGLISH
    assert load(path, label="label (2)").task.label_names == ("dnufer", "lecrap")


NUMBERED = ["0 " + t if n == "parcel" else "1 " + t for t, n in ENGLISH]
STARTS = {
    "colons": [f"{n}: {t}" for t, n in ENGLISH],
    "spaced": [f"{n} : {t}" for t, n in ENGLISH],
    "capitals": [f"{n.upper()} {t}" for t, n in ENGLISH],
    "numbers": NUMBERED,
}


@pytest.mark.parametrize("name", STARTS)
def test_lines_begin_with_their_label(name: str, tmp_path: Path) -> None:
    loaded = load(write(tmp_path / "t.txt", "\n".join(STARTS[name]) + "\n"))
    assert [row.input.text for row in loaded.train] == [t for t, _ in ENGLISH]
    assert len(loaded.task.label_names) == 2


@pytest.mark.parametrize(
    "texts",
    [
        [f"What {word} is number {i}?" for i in range(9) for word in ("size", "age")],
        [f"{'How' if i % 2 else 'Where'} is the parcel {i}" for i in range(18)],
        [f"the parcel {i} is here" for i in range(18)],
        [f"{i} parcels are here" for i in range(18)],
        ["I want it", "We want it", "I need it", "We need it"],
    ],
)
def test_texts_that_begin_alike_have_no_labels(texts: Sequence[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lines of text without labels"):
        load(write(tmp_path / "t.txt", "\n".join(texts) + "\n"))


@pytest.mark.parametrize("mark", ["^", "~", "\x01", "||", "|||", "::", " ||| ", "@@@", " => "])
def test_a_sign_of_any_length_parts_the_cells(mark: str, tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", joined([("text", "label"), *PLAIN], mark))
    assert labelled(load(path)) == PLAIN


def test_halves_with_a_comma_are_no_label_sets_unless_somebody_asks(tmp_path: Path) -> None:
    texts = [f"flat {i} with rooms" for i in range(24)]
    price = [f"{i % 3 + 1},5" if i % 4 == 0 else f"{i % 3 + 1}" for i in range(24)]
    path = write(tmp_path / "p.tsv", joined([("text", "label"), *zip(texts, price, strict=True)],
                                            "\t"))  # fmt: skip
    assert load(path).task.kind != "multilabel"
    assert load(path, kind="multilabel").task.label_names == ("1", "2", "3", "5")


def test_a_level_vote_is_no_label_and_a_lone_column_no_annotator(tmp_path: Path) -> None:
    rows = [(t, n, "refund" if i == 0 else n) for i, (t, n) in enumerate(PLAIN)]
    path = write(tmp_path / "t.csv", joined([("text", "Rater A", "Rater B"), *rows]))
    loaded = load(path)
    assert len(loaded.train) == 15
    assert any("alpha" in note and "line 2" in note for note in loaded.notes)
    topics = [(t, n, ("low", "high")[i % 2]) for i, (t, n) in enumerate(PLAIN)]
    path = write(tmp_path / "u.csv", joined([("text", "rater_1", "rater_2"), *topics]))
    with pytest.raises(InputError, match="which column holds the label"):
        load(path)


def test_several_labels_of_a_text_by_one_annotator_are_no_vote(tmp_path: Path) -> None:
    rows = [(t, "w1", n) for t, n in PLAIN]
    path = write(tmp_path / "t.csv", joined([("text", "worker", "label"), *rows]))
    assert labelled(load(path)) == PLAIN


def test_objects_are_taken_apart_by_check_and_predict_alike(tmp_path: Path) -> None:
    rows = [{"id": i, "data": {"text": t, "lang": "en"}, "label": n}
            for i, (t, n) in enumerate(ENGLISH)]  # fmt: skip
    path = write(tmp_path / "t.jsonl", lines(rows))
    loaded = load(path)
    assert labelled(loaded) == ENGLISH
    assert any("'data' holds objects: read as text, lang" in note for note in loaded.notes)
    assert [one.text for _, one in read_inputs(path, loaded.task)] == [t for t, _ in ENGLISH]


def test_all_answers_of_squad_count_and_one_context_is_one_group(tmp_path: Path) -> None:
    rows = [
        {"context": f"Ann has {i // 2} cats, Bob {i}", "question": f"Who has {i}?",
         "answers": [{"text": "Bob", "answer_start": 13}, {"text": "Bob has", "answer_start": 1},
                     {"text": "Bob", "answer_start": 13}]}
        for i in range(8)
    ]  # fmt: skip
    loaded = load(write(tmp_path / "s.json", rows))
    assert loaded.train[0].targets == ("Bob", "Bob has")
    assert [name for name, _ in loaded.train[0].input.fields] == ["context", "question"]
    assert loaded.train[0].group != loaded.train[2].group
    asks = write(tmp_path / "q.json", [{k: r[k] for k in ("context", "question")} for r in rows])
    assert len(read_inputs(asks, loaded.task)) == 8


@pytest.mark.parametrize("tagged", [True, False])
def test_predict_reads_a_token_a_row(tagged: bool, tmp_path: Path) -> None:
    head = ("Sentence #", "Word", "Tag")
    rows = [
        ("" if k else f"Sentence: {s}", word, tag)
        for s in range(8)
        for k, (word, tag) in enumerate([("Ann", "B-per"), ("Lee", "I-per"), ("left", "O")])
    ]
    train = load(write(tmp_path / "ner.csv", quoted([head, *rows])))
    width = 3 if tagged else 2
    path = write(tmp_path / "new.csv", quoted([head[:width], *(row[:width] for row in rows)]))
    assert [one.text for _, one in read_inputs(path, train.task)] == ["Ann Lee left"] * 8
