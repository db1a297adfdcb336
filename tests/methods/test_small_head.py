"""`quantise` of a head: its numbers in 8 bits, the encoder under it as a GGUF file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lent import Lent

from encoders import tiny_encoder
from nshot.bench.jobs.afresh import answer_afresh
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, Label, ModelRef, Prediction, Shots, Task
from nshot.methods import TABLE
from nshot.methods.contract import Brief, Rates
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.models.llamacpp import llama_api
from nshot.predictors.label_head import LabelHead
from nshot.predictors.nearest import Vote

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")

TASK = Task("films", "classify", (Label("good"), Label("bad")))
TEXTS = ["warm and funny", "지루하고 길다 😀", "정말 재미있다", "a waste of 120 minutes"]
ROWS = tuple(
    Example(f"{i}", Input((("text", text),)), (TASK.label_names[i % 2],))
    for i, text in enumerate(TEXTS)
)
SHOTS = Shots(ROWS)
INPUTS = [row.input for row in ROWS]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> ModelRef:
    folder = tiny_encoder(tmp_path_factory.mktemp("tiny") / "encoder", width=64)
    return resolve(str(folder), "encoder")


def bench(encoder: ModelRef, folder: Path) -> Lent:
    return Lent(open_models(), None, folder, encoder=encoder)


def quantise(of: str, bits: str) -> Any:
    return TABLE.build({"method": "quantise", "of": {"method": of}, "bits": bits})


def scores(answers: list[Prediction]) -> Any:
    return np.array([one.scores for one in answers])


def test_an_encoder_in_fewer_bits_answers_afresh_and_near(
    encoder: ModelRef, tmp_path: Path
) -> None:
    known = scores(TABLE.build({"method": "linear_probe"}).adapt(
        TASK, SHOTS, bench(encoder, tmp_path / "w")).predict(INPUTS))  # fmt: skip
    far = []
    for bits in ("F16", "Q8_0", "Q4_0"):
        place = bench(encoder, tmp_path / bits)
        small = quantise("linear_probe", bits).adapt(TASK, SHOTS, place)
        assert isinstance(small, LabelHead)
        assert small.eight_bits is (bits != "F16")
        ours = scores(small.predict(INPUTS))
        far.append(float(np.abs(ours - known).max()))
        assert any(f"MB as {bits}" in note for note in place.notes)
    assert far == sorted(far)
    assert far[0] < 0.01
    small.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "delta-0" / "tokenizer.json").is_file()
    again = answer_afresh(tmp_path / "saved", TASK, ROWS)
    assert scores(list(again.predictions)).tobytes() == ours.tobytes()


@pytest.mark.parametrize("of", ["linear_probe", "knn", "nearest_mean", "tfidf_lr"])
def test_eight_bits_of_a_head_alone(of: str, encoder: ModelRef, tmp_path: Path) -> None:
    whole = TABLE.build({"method": of}).adapt(TASK, SHOTS, bench(encoder, tmp_path / "w"))
    small: Any = quantise(of, "int8").adapt(TASK, SHOTS, bench(encoder, tmp_path / "s"))
    assert small.eight_bits
    if of != "tfidf_lr":
        assert small.source.ref == encoder, "what it reads is as it was"
    before, after = whole.predict(INPUTS), small.predict(INPUTS)
    assert [one.answer for one in before] == [one.answer for one in after]
    limit = 1.5 if isinstance(small, Vote) else 0.05
    assert np.abs(scores(before) - scores(after)).max() < limit


def test_several_labels_a_row(encoder: ModelRef, tmp_path: Path) -> None:
    task = Task("films", "multilabel", (Label("good"), Label("long")))
    rows = [("a", ("good",)), ("b", ("long",)), ("ab", ("good", "long")), ("c", ())]
    shots = Shots(
        tuple(Example(f"{i}", Input((("text", t),)), some) for i, (t, some) in enumerate(rows))
    )
    method = quantise("linear_probe", "int8")
    assert "multilabel" in method.kinds
    small: Any = method.adapt(task, shots, bench(encoder, tmp_path))
    assert small.eight_bits


def test_what_has_no_such_bits_says_so(encoder: ModelRef, tmp_path: Path) -> None:
    for of, bits, words in (
        ("tfidf_lr", "Q8_0", r"reads no sentence encoder.*quantise\.bits=int8"),
        ("majority", "int8", "Constant"),
    ):
        with pytest.raises(CannotAdapt, match=words):
            quantise(of, bits).adapt(TASK, SHOTS, bench(encoder, tmp_path / of))
    mixed = TABLE.build(
        {"method": "quantise", "of": {"method": "knn"}, "bits": "mixed", "megabytes": 9}
    )
    with pytest.raises(CannotAdapt, match="not by asking a model"):
        mixed.adapt(TASK, SHOTS, bench(encoder, tmp_path / "mixed"))


def test_it_needs_what_its_method_needs(encoder: ModelRef, monkeypatch: pytest.MonkeyPatch) -> None:
    brief = Brief(
        TASK, 4, 0, 2, 4, 9.0, 20, None, frozenset(), 256, 2, encoder, Rates(100, 30, 100)
    )
    assert quantise("linear_probe", "Q8_0").needs_encoder
    assert quantise("linear_probe", "Q8_0").why_not(brief) is None
    assert "language model" in str(quantise("zero_shot", "Q8_0").why_not(brief))
    monkeypatch.setattr(llama_api, "_file", lambda: None)
    assert "pip install 'nshot[llamacpp]'" in str(quantise("linear_probe", "Q8_0").why_not(brief))
    assert quantise("linear_probe", "int8").why_not(brief) is None, "numpy alone"
