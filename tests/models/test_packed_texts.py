"""Texts of all lengths in one pass: each as alone, and as sentence-transformers reads it."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.models.catalog import resolve
from nshot.models.hf import packed
from nshot.models.hf.encoder import SentenceEncoder, prompt_of

pytestmark = pytest.mark.embedded
NAMES = ("all-minilm-l6-v2", "multilingual-e5-small")
WORDS = ("late", "카드가", "안 왔어요", "refund", "1234", "😀", "the", "환불해", "a", "naïve")
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=24).map(" ".join), max_size=12)


@pytest.fixture(scope="module")
def encoders() -> dict[str, SentenceEncoder]:
    return {name: SentenceEncoder(resolve(name, "encoder")) for name in NAMES}


@settings(max_examples=12, deadline=None)
@given(texts=TEXTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_text_has_the_bytes_that_it_has_alone(encoders, name, texts):
    encoder = encoders[name]
    together = encoder.encode(texts)
    assert together.shape == (len(texts), 384)
    for text, vector in zip(texts, together, strict=True):
        assert encoder.encode([text])[0].tobytes() == vector.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_vectors_are_those_of_sentence_transformers(encoders, name):
    encoder = encoders[name]
    texts = [" ".join(WORDS[: 1 + i % 10] * (1 + i % 7)) for i in range(70)] + ["", "x " * 2000]
    padded = encoder._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(encoder.encode(texts), padded, atol=2e-6)


def test_more_tokens_than_are_read_at_once_are_read_in_parts(encoders, monkeypatch):
    encoder = encoders["all-minilm-l6-v2"]
    texts = [" ".join(WORDS[: 1 + i % 10]) for i in range(30)]
    whole = encoder.encode(texts)
    monkeypatch.setattr(packed, "TOKENS", 20)
    monkeypatch.setattr(packed, "CUT", 7)
    np.testing.assert_array_equal(encoder.encode(texts), whole)


def test_attention_is_as_before_when_texts_have_been_read(encoders):
    model = encoders["all-minilm-l6-v2"]._model
    before = model[0].auto_model.config._attn_implementation
    encoders["all-minilm-l6-v2"].encode(["a", "b c"])
    assert model[0].auto_model.config._attn_implementation == before != packed._NAME
    with pytest.raises(ValueError, match="input type"):
        packed.encode(model, [1], "")
    assert model[0].auto_model.config._attn_implementation == before


def test_pooling_that_leaves_the_prompt_out_is_asked_one_length_at_a_time(encoders):
    encoder = copy.copy(encoders["multilingual-e5-small"])
    texts = ["카드가 안 왔어요", "late", "the refund is late"]
    encoder._model = copy.deepcopy(encoder._model)
    assert packed.packs(encoder._model)
    encoder._model[1].include_prompt = False
    assert not packed.packs(encoder._model)
    expected = encoder._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=2e-6)
    assert prompt_of(encoder._model) == "query: "


def test_other_architectures_are_not_packed(encoders):
    model = copy.deepcopy(encoders["all-minilm-l6-v2"]._model)
    model[0].auto_model.config.is_decoder = True
    assert not packed.packs(model)
    model[0].auto_model = model[0].auto_model.encoder
    assert not packed.packs(model)
