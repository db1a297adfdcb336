"""GGUF files through llama.cpp: what torch answers with the same weights, and what is refused."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nshot.core.errors import CannotAdapt, InputError, ModelNotFound
from nshot.core.types import Delta, Grammar, ModelRef, Turn
from nshot.models import open_models
from nshot.models.base import Decoding, LanguageModel
from nshot.models.catalog import resolve
from nshot.models.llamacpp import llama_api
from nshot.models.llamacpp.gguf_model import GgufModel
from nshot.models.llamacpp.write_gguf import BITS, write_gguf
from nshot.testing import check_engine
from tiny import tiny_llama

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")

PROMPTS = (
    "Review: a warm film\nSentiment:",
    "Review: 지루하다 😀\nSentiment:",
    "Review: " + "it goes on and on and never ends, " * 6 + "\nSentiment:",
    (Turn("system", "Be brief."), Turn("user", "good <|im_end|> or bad?")),
)
ANSWERS = ((" positive", " negative", " very positive", " very dull and negative"),) * 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("tiny") / "llama", width=64, context=512)


def gguf_of(folder: Path, bits: Any, path: Path) -> Path:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    write_gguf(model, AutoTokenizer.from_pretrained(folder), bits, path, "tiny")
    return path


@pytest.fixture(scope="module")
def file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gguf_of(folder, "F16", tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="module")
def lm(file: Path) -> LanguageModel:
    return open_models().open(resolve(str(file), "lm"))


@pytest.fixture(scope="module")
def torch_lm(folder: Path) -> LanguageModel:
    return open_models().open(resolve(str(folder), "lm"))


def test_it_keeps_the_contract_of_an_engine(file: Path) -> None:
    ref = resolve(str(file), "lm")
    assert ref.engine == "llamacpp"
    check_engine(open_models(), ref)


def test_its_facts_are_the_files(lm: LanguageModel, torch_lm: LanguageModel) -> None:
    ours, theirs = lm.facts, torch_lm.facts
    assert (ours.architecture, ours.layers) == ("llama", theirs.layers)
    assert (ours.context, ours.parameters) == (512, theirs.parameters)
    assert {"score", "generate", "logits"} <= ours.can
    assert not ours.can & {"train", "hidden"}


def test_tokens_and_chats_are_those_of_the_model(
    lm: LanguageModel, torch_lm: LanguageModel
) -> None:
    assert lm.count(PROMPTS) == torch_lm.count(PROMPTS)


def test_logits_are_torchs(lm: LanguageModel, torch_lm: LanguageModel) -> None:
    ours, theirs = (model.next_logits(PROMPTS) for model in (lm, torch_lm))
    assert np.abs(ours - theirs).max() < 0.01 * np.abs(theirs).max()
    places = [[0, 3, -1], [-2], [], [5, 5]]
    some, others = (model.next_logits(PROMPTS, places) for model in (lm, torch_lm))
    assert len(some) == 6
    assert np.abs(some - others).max() < 0.01 * np.abs(others).max()


def test_answers_of_several_tokens_are_scored_exactly(
    lm: LanguageModel, torch_lm: LanguageModel
) -> None:
    ours, theirs = (model.logprobs(PROMPTS, ANSWERS) for model in (lm, torch_lm))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.logprobs, other.logprobs, atol=0.05)
        assert one.tokens_in == other.tokens_in
    many = [f" answer {k} of {'x' * (k % 7)}" for k in range(150)]
    (ours_many,), (theirs_many,) = (m.logprobs([PROMPTS[0]], [many]) for m in (lm, torch_lm))
    np.testing.assert_allclose(ours_many.logprobs, theirs_many.logprobs, atol=0.1)


def test_greedy_texts_are_torchs(lm: LanguageModel, torch_lm: LanguageModel) -> None:
    for how in (Decoding(12), Decoding(12, stop=("e",))):
        ours, theirs = (model.generate(PROMPTS, how) for model in (lm, torch_lm))
        assert [one.text for one in ours] == [one.text for one in theirs]
        assert [one.finished for one in ours] == [one.finished for one in theirs]


def test_an_answer_keeps_to_its_grammar(lm: LanguageModel) -> None:
    pytest.importorskip("llguidance")
    for grammar, allowed in (
        (Grammar("choices", '["red", "green"]'), {"red", "green"}),
        (Grammar("choices", '["개", "고양이"]', " "), {" 개", " 고양이"}),
    ):
        for one in lm.generate(PROMPTS, Decoding(24, grammar=grammar)):
            assert one.text in allowed


def test_a_prompt_too_long_loses_its_beginning(lm: LanguageModel) -> None:
    (scores,) = lm.logprobs(["word " * 600 + "Label:"], [(" good", " bad")])
    assert scores.cut
    assert lm.generate(["word " * 600], Decoding(4))[0].tokens_in <= 512
    with pytest.raises(CannotAdapt, match="can be read"):
        lm.next_logits([tuple(range(3, 7)) * 150], [[0]])


def test_a_second_opening_answers_the_same_bytes(file: Path, lm: LanguageModel) -> None:
    again = open_models().open(resolve(str(file), "lm"))
    for one, other in zip(
        lm.logprobs(PROMPTS, ANSWERS), again.logprobs(PROMPTS, ANSWERS), strict=True
    ):
        assert one.logprobs.tobytes() == other.logprobs.tobytes()
    how = Decoding(16, temperature=1.0, seed=4)
    assert lm.generate(PROMPTS, how) == again.generate(PROMPTS, how)


def test_fewer_bits_are_further_from_torch(
    folder: Path, torch_lm: LanguageModel, tmp_path: Path
) -> None:
    theirs = torch_lm.next_logits(PROMPTS)
    off = []
    for bits in BITS:
        path = gguf_of(folder, bits, tmp_path / f"{bits}.gguf")
        ours = open_models().open(resolve(str(path), "lm")).next_logits(PROMPTS)
        off.append(float(np.sqrt(np.mean((ours - theirs) ** 2)) / theirs.std()))
    assert off == sorted(off)
    assert off[0] < 0.005
    assert off[1] < 0.15


def two_hundred_strings() -> list[str]:
    """Code, Korean, emoji, and digits after white space of all kinds."""
    code = Path(__file__).read_text(encoding="utf-8").splitlines()
    korean = re.split(
        "(?<= )", "서울에서 부산까지 기차로 두 시간 반이 걸린다. 표는 미리 사자 ㅋㅋㅋ"
    )
    odd = ["😀👍🏽 ok", "tab\t\t  x", "12,345.67 2024-11-29", "ÀÉÎõü ß", "日本語", "مرحبا",
           "\n\n\n", " a  b ", "don't can't I'LL", "x=[1,22,333]", "1 2  3   4", "\n\n 7\n",
           "  a  12  ", "½ ² 三 Ⅷ ٣٤", "a\t\t1", "서울  12월\n3일"]  # fmt: skip
    texts = [*odd, *korean, *(line for line in code if line.strip())][:200]
    assert len(texts) == 200
    return texts


@pytest.mark.embedded
def test_the_embedded_model_reads_the_tokens_of_its_own_file() -> None:
    from transformers import AutoTokenizer

    from nshot.models.catalog import locate
    from nshot.models.embedded.packages import LM
    from nshot.models.llamacpp.gguf_words import GgufWords

    words = AutoTokenizer.from_pretrained(locate(resolve(None, "lm")))
    file = llama_api.load(LM.require(), weights=False)
    own = GgufWords(file)
    for text in two_hundred_strings():
        assert words(text).input_ids == own(text)["input_ids"], text
    llama_api.library().llama_model_free(file)


@pytest.mark.embedded
def test_two_hundred_strings_are_the_same_tokens(tmp_path: Path) -> None:
    """The embedded model's own tokenizer, on a model that is small enough to be written fast."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from nshot.models.catalog import locate

    words = AutoTokenizer.from_pretrained(locate(resolve(None, "lm")))
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=256,
        tie_word_embeddings=True,
    )  # fmt: skip
    torch.manual_seed(0)
    path = tmp_path / "m.gguf"
    write_gguf(LlamaForCausalLM(config), words, "Q8_0", path, "m")
    lm = open_models().open(resolve(str(path), "lm"))
    assert isinstance(lm, GgufModel)
    for text in two_hundred_strings():
        assert lm.words(text)["input_ids"] == words(text).input_ids, text
        assert lm.words.decode(lm.words(text)["input_ids"], skip_special_tokens=False) == text
    turns = (Turn("user", "안녕 <|im_end|>"), Turn("assistant", "네"), Turn("user", "12?"))
    torch_count = open_models().open(resolve(None, "lm")).count([turns])
    assert lm.count([turns]) == torch_count


@pytest.mark.embedded
def test_the_packaged_file_answers_as_the_model_made_of_it() -> None:
    from nshot.models.embedded.packages import LM

    lm = open_models().open(resolve(str(LM.require()), "lm"))
    torch_lm = open_models().open(resolve(None, "lm"))
    texts = ["The capital of France is", "Review: a dull film\nSentiment:", "서울은 한국의"]
    ours, theirs = (model.next_logits(texts) for model in (lm, torch_lm))
    assert ours.argmax(1).tolist() == theirs.argmax(1).tolist()
    assert np.abs(ours - theirs).max() < 0.05 * np.abs(theirs).max()
    chat = (Turn("user", "Say hello."),)
    assert lm.count([chat]) == torch_lm.count([chat])
    assert lm.generate([chat], Decoding(3))[0].text.startswith("Hello")


# ------------------------------------------------------------------ what is refused


def test_a_file_cut_short_is_told_at_once(file: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(InputError, match=r"incomplete|bounds") as refused:
        resolve(str(cut), "lm")
    assert "copy the file again" in str(refused.value)
    cut.write_bytes(file.read_bytes()[:300])
    with pytest.raises(InputError, match=r"cut\.gguf"):
        resolve(str(cut), "lm")


def test_another_architecture_is_named(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    at = whole.index(b"general.architecture") + len("general.architecture") + 4
    assert struct.unpack("<Q", whole[at : at + 8])[0] == 5
    other = tmp_path / "other.gguf"
    other.write_bytes(whole[: at + 8] + b"lhama" + whole[at + 13 :])
    with pytest.raises(InputError, match="lhama"):
        resolve(str(other), "lm")


def test_what_is_no_gguf_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"PK\x03\x04 a zip")
    with pytest.raises(InputError, match="as no GGUF file does"):
        resolve(str(tmp_path / "m.gguf"), "lm")
    with pytest.raises(InputError, match="no sentence encoder"):
        resolve(str(tmp_path / "m.gguf"), "encoder")


def test_adapters_and_training_are_refused(file: Path, tmp_path: Path) -> None:
    ref = resolve(str(file), "lm")
    adapted = ModelRef(ref.engine, ref.name, deltas=(Delta("peft", str(tmp_path)),))
    with pytest.raises(CannotAdapt, match="merge them first"):
        open_models().open(adapted)
    with pytest.raises(CannotAdapt, match=r"no weights"), open_models().lend(ref):
        pass
    with pytest.raises(ModelNotFound, match="no file"):
        open_models().open(ModelRef("llamacpp", str(tmp_path / "gone.gguf")))


def test_the_missing_package_is_told_with_what_to_type(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama_api.importlib.util, "find_spec", lambda name: None)
    llama_api.library.cache_clear()
    try:
        with pytest.raises(ModelNotFound, match=r"pip install 'nshot\[llamacpp\]'"):
            resolve(str(file), "lm")
    finally:
        llama_api.library.cache_clear()
