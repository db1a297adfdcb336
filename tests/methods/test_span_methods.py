"""Methods that mark spans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lent import Lent

from encoders import tiny_encoder
from nshot.core.errors import CannotAdapt
from nshot.core.spans import Span, spans_of, written
from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.methods.fewshot.token_head import TokenHead
from nshot.methods.peft.lora import LoRA
from nshot.methods.trivial.dictionary import Dictionary
from nshot.models import open_models
from nshot.models.base import Layer, token_reader
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


@pytest.mark.parametrize("layer", ["middle", "last"])
def test_a_token_head_learns_its_shots_and_answers_row_by_row(layer: Layer, tmp_path: Path) -> None:
    base = resolve(str(tiny_encoder(tmp_path / "tiny")), "encoder")
    bench = Bench(tmp_path, models=open_models(), encoder=base)
    predictor = TokenHead(C=1e5, layer=layer).adapt(TASK, SHOTS, bench)
    inputs = [example.input for example in SHOTS.labelled]
    answers = predictor.predict(inputs)
    expected = [spans_of(example.targets[0]) for example in SHOTS.labelled]
    assert [spans_of(one.answer) for one in answers[:2]] == expected[:2]
    assert predictor.predict(inputs[::-1]) == answers[::-1]
    assert bench.parameters == 5 * (32 + 1)
    predictor.save(tmp_path / "saved")
    assert load(tmp_path / "saved", open_models()).predict(inputs) == answers


@pytest.mark.parametrize("layer", ["middle", "last"])
def test_what_was_labelled_is_marked_in_new_texts(layer: Layer, tmp_path: Path) -> None:
    shots = Shots(SHOTS.labelled[:2])
    predictor = TokenHead(C=100.0, layer=layer).adapt(TASK, shots, Bench(tmp_path))
    assert marked(predictor, "old Kim") == [("Kim", "PER")]
    assert marked(predictor, "...") == []


def test_a_text_longer_than_the_encoder_is_read_in_parts(tmp_path: Path) -> None:
    base = resolve(str(tiny_encoder(tmp_path / "tiny", context=16)), "encoder")
    encoder = token_reader(open_models().encoder(base))
    text = "Kim lives in New York and May in old York, " * 5
    (tokens,) = encoder.tokens([text], "last")
    pieces = [text[a:b] for a, b in zip(tokens.starts, tokens.ends, strict=True)]
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert len(tokens.vectors) > 16
    (alone,) = encoder.tokens(["Kim"], "last")
    np.testing.assert_array_equal(encoder.tokens([text, "Kim"], "last")[1].vectors, alone.vectors)


def test_an_encoder_without_tokens_says_so(tmp_path: Path) -> None:
    class Bare:
        ref = resolve("fake:encoder", "encoder")

    with pytest.raises(CannotAdapt, match="shows no vectors of tokens"):
        token_reader(Bare())  # type: ignore[arg-type]


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


def test_a_token_head_needs_a_row(tmp_path: Path) -> None:
    with pytest.raises(CannotAdapt, match="no row to learn from"):
        TokenHead().adapt(TASK, Shots(), Bench(tmp_path))
