"""CoNLL files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.core.spans import spans_of
from nshot.data.files.conll import is_conll
from nshot.data.loading import Loaded, load

BIO = """-DOCSTART- -X- O O

# sent 1
Kim NNP B-NP B-PER
Lee NNP I-NP I-PER
lives VBZ B-VP O
in IN B-PP O
New NNP B-NP B-LOC
York NNP I-NP I-LOC
. . O O

# O
It PRP B-NP O
"""


def marked(loaded: Loaded) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (text, [(text[s.start : s.end], s.label) for s in spans_of(row.targets[0])])
        for row in loaded.train
        for text in [row.input.text]
    ]


@pytest.mark.parametrize("name", ["a.conll", "a.bio", "a.txt"])
def test_a_sentence_is_a_row_and_its_tags_are_spans(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(BIO, encoding="utf-8")
    loaded = load(path)
    assert loaded.task.kind == "spans"
    first = ("Kim Lee lives in New York .", [("Kim Lee", "PER"), ("New York", "LOC")])
    assert marked(loaded) == [first, ("# It", [])]
    assert any("tokens joined by spaces" in note for note in loaded.notes)


@pytest.mark.parametrize(
    ("tags", "pieces"),
    [
        ("B-A I-A B-A", [("a b", "A"), ("c", "A")]),
        ("I-A I-A I-B", [("a b", "A"), ("c", "B")]),
        ("B-A E-A S-A", [("a b", "A"), ("c", "A")]),
        ("B-A L-A U-B", [("a b", "A"), ("c", "B")]),
        ("B-A I-B O", [("a", "A"), ("b", "B")]),
        ("O I-A O", [("b", "A")]),
        ("S-A I-A O", [("a", "A"), ("b", "A")]),
    ],
)
def test_the_schemes_of_tags(tags: str, pieces: list[tuple[str, str]], tmp_path: Path) -> None:
    lines = [f"{token}\t{tag}" for token, tag in zip("abc", tags.split(), strict=True)]
    (tmp_path / "a.conll").write_text("\n".join(lines), encoding="utf-8")
    assert marked(load(tmp_path / "a.conll")) == [("a b c", pieces)]


def test_a_line_without_a_tag_is_a_fault_of_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("Kim B-PER\nlives\nhere NN\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"'lives' is no token with a tag") as caught:
        load(tmp_path / "a.conll")
    assert "line 2" in str(caught.value)
    assert "'here NN'" in str(caught.value)


@pytest.mark.parametrize(
    "text", ["good\tfine film O\nbad\ta bore\n" * 9, "a O\nb O\n", "B-A\n", ""]
)
def test_lines_of_text_are_no_tokens(text: str) -> None:
    assert not is_conll(text)


tokens = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=6).filter(
    lambda token: not token.startswith("#") and token.isprintable()
)
tags = st.sampled_from(["O", "B-A", "I-A", "B-B", "E-A", "S-B"])


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.lists(st.tuples(tokens, tags), min_size=1, max_size=6), min_size=1))
def test_every_token_with_a_label_is_in_a_span(
    rows: list[list[tuple[str, str]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows.append([("x", "B-A")])
    path = tmp_path_factory.mktemp("c") / "a.conll"
    body = "\n\n".join("\n".join(map("\t".join, row)) for row in rows)
    path.write_text(body, encoding="utf-8")
    loaded = load(path)
    assert [row.input.text for row in loaded.train] == [" ".join(t for t, _ in row) for row in rows]
    for example, row in zip(loaded.train, rows, strict=True):
        spans, at = spans_of(example.targets[0]), 0
        for token, tag in row:
            inside = [s for s in spans if s.start <= at and at + len(token) <= s.end]
            assert [s.label for s in inside] == ([] if tag == "O" else [tag[2:]])
            at += len(token) + 1
