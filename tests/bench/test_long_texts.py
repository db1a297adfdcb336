"""Texts longer than a model reads at once are told, with how many and how long."""

from __future__ import annotations

from pathlib import Path

import pytest

from encoders import tiny_encoder
from nshot.bench import long_texts
from nshot.bench.long_texts import long_notes
from nshot.bench.prepare import prepare
from nshot.bench.request import Request
from nshot.cli.main import main
from nshot.core.types import Example, Input, ModelRef, Split
from nshot.models.hf.encoder import SentenceEncoder
from nshot.models.hf.window import window
from spine import jsonl, tickets
from tiny import tiny_llama

LONG = "the card has not arrived and nobody answers " * 30


def split(texts: list[str]) -> Split:
    rows = tuple(Example(str(i), Input((("text", t),)), ("a",)) for i, t in enumerate(texts))
    return Split(rows[:-1], rows[-1:], "file", "f")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    return ModelRef("hf", str(tiny_encoder(tmp_path_factory.mktemp("encoder"))))


def test_a_window_counts_as_the_encoder_does(encoder: ModelRef) -> None:
    model = window(encoder, "encoder")
    assert model is not None
    assert model.limit == 64
    texts = ["short", "", "카드가 아직", "my card"]
    assert model.count(texts) == SentenceEncoder(encoder).count(texts)


def test_the_note_says_how_many_how_long_and_what_becomes_of_them(encoder: ModelRef) -> None:
    model = window(encoder, "encoder")
    assert model is not None
    (note,) = long_notes(split(["short", LONG, LONG * 2]), (encoder,), ())
    assert note.startswith(f"2 of 3 texts are longer than the 64 tokens that {encoder.name} reads")
    assert f"the longest has {model.count([LONG * 2])[0]})" in note
    assert "only their beginning is read" in note
    assert long_notes(split(["short", "texts"]), (encoder,), ()) == ()


def test_a_language_models_context_is_told_too(tmp_path: Path) -> None:
    base = ModelRef("hf", str(tiny_llama(tmp_path / "lm", context=128)))
    (note,) = long_notes(split(["short", LONG]), (), (base,))
    assert note.startswith("1 of 2 texts are longer than the 128 tokens that ")
    assert "loses its beginning" in note


def test_of_many_texts_some_stand_for_all(
    encoder: ModelRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_texts, "MOST", 10)
    (note,) = long_notes(split([f"{LONG} {i}" for i in range(50)]), (encoder,), ())
    assert note.startswith("about 50 of 50 texts")


def test_models_that_show_no_tokenizer_are_passed_over() -> None:
    fakes = ModelRef("fake", "encoder"), ModelRef("fake", "scorer")
    assert long_notes(split([LONG] * 3), fakes[:1], fakes[1:]) == ()


def test_a_comparison_says_it_of_the_models_that_it_takes(
    encoder: ModelRef, tmp_path: Path
) -> None:
    rows = [{**row, "text": f"{LONG} {row['text']}"} for row in tickets(8)]
    task = jsonl(tmp_path / "train.jsonl", rows)
    request = Request(
        task, methods=("majority", "knn"), encoder=(encoder.name,), out=str(tmp_path / "run")
    )
    assert sum("24 of 24 texts are longer" in n for n in prepare(request).split.notes) == 1
    without = Request(task, methods=("majority",), out=str(tmp_path / "run"))
    assert not any("texts are longer" in n for n in prepare(without).split.notes)


@pytest.mark.embedded
def test_check_says_it_of_the_models_that_would_be_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{**row, "text": f"the {LONG} {LONG} {row['text']}"} for row in tickets(8)]
    with pytest.raises(SystemExit, match="0"):
        main(["check", jsonl(tmp_path / "train.jsonl", rows)])
    printed = capsys.readouterr().out
    assert "24 of 24 texts are longer than the " in printed
    assert "reads at once" in printed
