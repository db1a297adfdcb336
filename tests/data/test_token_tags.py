"""Rows of tokens and tags, as Hugging Face keeps them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.core.spans import spans_of
from nshot.data.inputs import read_inputs
from nshot.data.loading import Loaded, load

EU = ["EU", "rejects", "German", "call"]
NAMED = ["B-ORG", "O", "B-MISC", "O"]
ROWS = [
    {"id": "0", "tokens": EU, "pos_tags": [1, 2, 3, 1], "ner_tags": NAMED},
    {"id": "1", "tokens": ["Peter", "Blackburn", "."], "pos_tags": [1, 1, 0],
     "ner_tags": ["B-PER", "I-PER", "O"]},
    {"id": "2", "tokens": ["It", "rained"], "pos_tags": [4, 5], "ner_tags": ["O", "O"]},
]  # fmt: skip
PIECES = [
    ("EU rejects German call", [("EU", "ORG"), ("German", "MISC")]),
    ("Peter Blackburn .", [("Peter Blackburn", "PER")]),
    ("It rained", []),
]
NUMBER = {"O": 0, "B-PER": 1, "I-PER": 2, "B-ORG": 3, "I-ORG": 4, "B-MISC": 7}


def file(folder: Path, rows: list[dict[str, Any]], name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    return path


def numbered() -> list[dict[str, Any]]:
    return [row | {"ner_tags": [NUMBER[tag] for tag in row["ner_tags"]]} for row in ROWS]


def pieces(loaded: Loaded) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (row.input.text, [(row.input.text[s.start : s.end], s.label) for s in marks])
        for row in loaded.train
        for marks in [spans_of(row.targets[0])]
    ]


def test_tokens_become_texts_and_tags_spans(tmp_path: Path) -> None:
    loaded = load(file(tmp_path, ROWS))
    assert loaded.task.kind == "spans"
    assert pieces(loaded) == PIECES
    assert "'tokens' joined to texts, 'ner_tags' read as spans" in loaded.notes


def test_columns_are_named_as_in_the_file(tmp_path: Path) -> None:
    loaded = load(file(tmp_path, ROWS), text=("tokens",), label="ner_tags", kind="spans")
    assert pieces(loaded) == PIECES


def test_numbers_without_names_are_read_by_convention_and_noted(tmp_path: Path) -> None:
    loaded = load(file(tmp_path, numbered()))
    assert loaded.task.label_names == ("1", "2", "4")
    assert any("0 read as outside" in note and "tags: [O, " in note for note in loaded.notes)


def test_the_task_file_names_numbers(tmp_path: Path) -> None:
    file(tmp_path, numbered())
    names = "O, B-PER, I-PER, B-ORG, I-ORG, B-LOC, I-LOC, B-MISC, I-MISC"
    task = tmp_path / "task.yaml"
    task.write_text(f"kind: spans\ndata: {{train: rows.jsonl, tags: [{names}]}}\n", "utf-8")
    loaded = load(task)
    assert pieces(loaded) == PIECES
    assert not any("no names" in note for note in loaded.notes)
    task.write_text("kind: spans\ndata: {train: rows.jsonl, tags: [O, B-PER, I-PER]}\n", "utf-8")
    with pytest.raises(InputError, match="a number below 3"):
        load(task)


def test_numbers_of_another_order_are_refused_with_what_to_type(tmp_path: Path) -> None:
    """KLUE's: B-DT 0, I-DT 1, ..., O 12."""
    tags = [[10, 11, 12, 12], [6, 7, 12], [12, 12]]
    rows = [row | {"ner_tags": own} for row, own in zip(ROWS, tags, strict=True)]
    with pytest.raises(InputError, match=r"nothing says which tags they are") as caught:
        load(file(tmp_path, rows))
    assert "tags: [O, B-PER, I-PER, ...]" in str(caught.value)


def test_names_in_a_parquet_file_are_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    names = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]
    kinds = {"names": names, "_type": "ClassLabel"}
    for place, feature in enumerate(
        [{"feature": kinds, "length": -1, "_type": "Sequence"}, {"feature": kinds, "_type": "List"}]
    ):
        features = {"info": {"features": {"ner_tags": feature}}}
        table = pyarrow.Table.from_pylist(numbered()).replace_schema_metadata(
            {"huggingface": json.dumps(features)}
        )
        parquet.write_table(table, tmp_path / f"{place}.parquet")
        assert pieces(load(tmp_path / f"{place}.parquet")) == PIECES


def test_signs_as_tokens_keep_the_spaces_that_are_tokens(tmp_path: Path) -> None:
    """KLUE and its like: a syllable a token, the space one too."""
    tokens = [*"김철수가 서울에 왔다"]
    tags = ["B-PS", "I-PS", "I-PS", "O", "O", "B-LC", "I-LC", *["O"] * (len(tokens) - 7)]
    loaded = load(file(tmp_path, [{"tokens": tokens, "ner_tags": tags}]))
    assert pieces(loaded) == [("김철수가 서울에 왔다", [("김철수", "PS"), ("서울", "LC")])]


def test_ideographs_stand_side_by_side_and_korean_words_do_not(tmp_path: Path) -> None:
    rows = [
        {"tokens": [*"我在北京"], "tags": ["O", "O", "B-LOC", "I-LOC"]},
        {"tokens": ["김철수는", "서울에", "산다"], "tags": ["PER_B", "LOC_B", "O"]},
    ]
    assert pieces(load(file(tmp_path, rows))) == [
        ("我在北京", [("北京", "LOC")]),
        ("김철수는 서울에 산다", [("김철수는", "PER"), ("서울에", "LOC")]),
    ]


def test_labels_without_a_mark_go_on_while_they_are_the_same(tmp_path: Path) -> None:
    rows = [{"words": ["New", "York", "Kim", "ran"], "ner": ["LOC", "LOC", "PER", "O"]}]
    assert pieces(load(file(tmp_path, rows))) == [
        ("New York Kim ran", [("New York", "LOC"), ("Kim", "PER")])
    ]


def test_lists_printed_into_a_csv_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows = [f'"{row["tokens"]}","{row["ner_tags"]}"' for row in ROWS]
    path.write_text("\n".join(["tokens,ner_tags", *rows]), "utf-8")
    assert pieces(load(path)) == PIECES


def test_another_label_than_the_tags_is_the_label_of_the_text(tmp_path: Path) -> None:
    rows = [row | {"topic": "ab"[i % 2]} for i, row in enumerate(ROWS * 4)]
    loaded = load(file(tmp_path, rows), label="topic")
    assert loaded.task.kind == "classify"
    assert loaded.train[0].input.fields == (("text", "EU rejects German call"),)


def test_tokens_without_tags_beside_a_text_are_left_alone(tmp_path: Path) -> None:
    labelled = [
        {"text": f"It  rained {i}.", "tokens": ["It", "rained", str(i), "."], "label": "ab"[i % 2]}
        for i in range(4)
    ]
    loaded = load(file(tmp_path, labelled))
    assert [row.input.text for row in loaded.train] == [row["text"] for row in labelled]
    empty = [row | {"tokens": []} for row in labelled]
    assert load(file(tmp_path, empty)).train[0].input.text == "It  rained 0."


def test_a_row_with_a_tag_too_few_is_refused_by_its_line(tmp_path: Path) -> None:
    broken = ROWS[0] | {"ner_tags": NAMED[:3]}
    with pytest.raises(InputError, match="4 tokens and 3 tags") as caught:
        load(file(tmp_path, [*ROWS, *ROWS, *ROWS, *ROWS, broken]))
    assert "line 13" in str(caught.value)


def test_rows_to_answer_may_be_tokens_or_texts(tmp_path: Path) -> None:
    task = load(file(tmp_path, ROWS)).task
    for row in ({"tokens": EU}, {"text": "EU rejects German call"}):
        ((_, asked),) = read_inputs(file(tmp_path, [row], "new.jsonl"), task)
        assert asked.text == "EU rejects German call"


words = st.lists(st.tuples(st.sampled_from(["서울", "Rome", "北", "."]), st.integers(0, 2)))


@settings(deadline=None, max_examples=60)
@given(st.lists(words.filter(bool), min_size=1, max_size=4))
def test_every_span_is_made_of_whole_tokens(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[tuple[str, int]]]
) -> None:
    rows = [
        {"tokens": [w for w, _ in s], "ner_tags": [("O", "B-A", "I-A")[t] for _, t in s]}
        for s in [*sentences, [("Rome", 1), ("!", 0)]]
    ]
    loaded = load(file(tmp_path_factory.mktemp("x"), rows))
    for text, marks in pieces(loaded):
        for piece, _ in marks:
            assert piece in text
            assert piece == piece.strip()
