"""Methods that mark spans."""

from __future__ import annotations

from pathlib import Path

import pytest
from lent import Lent

from nshot.core.spans import Span, spans_of, written
from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.methods.peft.lora import LoRA
from nshot.methods.trivial.dictionary import Dictionary
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.models.fake.fake_engine import FakeModels
from nshot.predictors import load
from nshot.predictors.base import Predictor
from tiny import tiny_llama
from toys import Bench

TASK = Task("people", "spans", (Label("LOC"), Label("PER")), field_names=(("text", "Text"),))


def row(text: str, **labels: str) -> Example:
    """`labels`: the label of each phrase, which stands in the text once."""
    at = {phrase.replace("_", " "): label for phrase, label in labels.items()}
    spans = [Span(text.index(p), text.index(p) + len(p), label) for p, label in at.items()]
    return Example(text, Input((("text", text),)), (written(text, spans),))


SHOTS = Shots(
    (
        row("Kim lives in New York", Kim="PER", New_York="LOC"),
        row("York is old", York="LOC"),
        row("May met Kim", May="PER", Kim="PER"),
        row("In May it rains"),
        row("By May it was over"),
        row("김민수가 서울에서 왔다", 김민수="PER", 서울="LOC"),
    )
)


def marked(predictor: Predictor, text: str) -> list[tuple[str, str]]:
    (prediction,) = predictor.predict([Input((("text", text),))])
    return [(text[s.start : s.end], s.label) for s in spans_of(prediction.answer)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("New York and York", [("New York", "LOC"), ("York", "LOC")]),
        ("Yorkshire, Kimberley", []),
        ("kim", []),
        ("In May", []),
        ("서울은 김민수의 것", [("서울", "LOC"), ("김민수", "PER")]),
        ("", []),
    ],
)
def test_phrases_are_marked_as_whole_words_the_longest_first(
    text: str, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    predictor = Dictionary().adapt(TASK, SHOTS, Bench(tmp_path))
    assert marked(predictor, text) == expected


def test_a_tuned_model_lists_spans(tmp_path: Path) -> None:
    base = resolve(str(tiny_llama(tmp_path / "llama", context=512)), "lm")
    bench = Lent(open_models(), base, tmp_path)
    predictor = LoRA(learning_rate=5e-3, epochs=2).adapt(TASK, SHOTS, bench)
    inputs = [example.input for example in SHOTS.labelled]
    for one, prediction in zip(inputs, predictor.predict(inputs), strict=True):
        spans = spans_of(prediction.answer)
        assert prediction.answer == written(one.text, spans)
        assert {span.label for span in spans} <= {*TASK.label_names}
    predictor.save(tmp_path / "saved")
    assert load(tmp_path / "saved", open_models()).predict(inputs) == predictor.predict(inputs)


def test_saved_and_loaded_it_marks_the_same(tmp_path: Path) -> None:
    predictor = Dictionary().adapt(TASK, SHOTS, Bench(tmp_path))
    predictor.save(tmp_path / "saved")
    again = load(tmp_path / "saved", FakeModels())
    assert again.task == TASK
    inputs = [example.input for example in SHOTS.labelled]
    assert again.predict(inputs) == predictor.predict(inputs)
