"""The questions and paragraphs are well-formed, and a model that changes is seen to change."""

from __future__ import annotations

import math
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest

from nshot.audit.forgetting import General, general, paragraphs, questions
from nshot.core.errors import CannotAdapt
from nshot.core.types import Delta, ModelRef, Prompt
from nshot.models.base import AnswerScores, PrefixState
from nshot.models.fake.fake_engine import FakeLanguageModel
from nshot.models.hf.hf_engine import HFModels
from tiny import tiny_llama

ROOT = Path(__file__).parents[2]


def folded(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def test_a_hundred_different_questions_of_four_different_options() -> None:
    asked = questions()
    assert len({folded(one.question) for one in asked}) == len(asked) == 100
    for one in asked:
        assert len({folded(option) for option in one.options}) == 4, one.question
        assert one.answer in range(4)
        for text in (one.question, *one.options):
            assert text == text.strip()
            assert text


def test_the_right_answers_are_spread_over_the_places() -> None:
    for language, few in (("en", 15), ("ko", 2)):
        places = Counter(one.answer for one in questions() if one.language == language)
        assert set(places) == {0, 1, 2, 3}
        assert min(places.values()) >= few


def test_the_right_answer_is_not_given_away_by_its_length() -> None:
    longest = [
        max(range(4), key=lambda i: len(one.options[i].encode())) == one.answer
        for one in questions()
    ]
    shortest = [
        min(range(4), key=lambda i: len(one.options[i].encode())) == one.answer
        for one in questions()
    ]
    assert sum(longest) <= 40
    assert sum(shortest) <= 40


def test_subjects_and_languages_are_mixed() -> None:
    subjects = Counter(one.subject for one in questions())
    assert set(subjects) == {"science", "geography", "everyday reasoning", "language"}
    assert min(subjects.values()) >= 18
    assert Counter(one.language for one in questions()) == {"en": 85, "ko": 15}
    assert Counter(one.language for one in paragraphs()) == {"en": 17, "ko": 3}
    for one in (*questions(), *paragraphs()):
        text = one.question if hasattr(one, "question") else one.text
        assert (one.language == "ko") == bool(re.search("[가-힣]", text))


def test_twenty_different_paragraphs_of_three_to_five_sentences() -> None:
    texts = [one.text for one in paragraphs()]
    assert len(set(texts)) == len({one.subject for one in paragraphs()}) == len(texts) == 20
    for text in texts:
        sentences = re.split(r"(?<=[.!?])[\"”]? ", text)
        assert 3 <= len(sentences) <= 6, text  # a quotation may end within a sentence


def test_the_wheel_has_them() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    held = tool["setuptools"]["package-data"]["nshot"]
    room = ROOT / "src" / "nshot" / "audit" / "forgetting"
    files = [f"audit/forgetting/{path.name}" for path in room.glob("*.json")]
    assert files == ["audit/forgetting/general.json"]
    assert any(fnmatch(files[0], pattern) for pattern in held)


# ---------------------------------------------------------------- models that are asked


class Likes(FakeLanguageModel):
    """A model whose log-likelihood of an answer is what a function says."""

    def __init__(self, liking: Callable[[str, str], float]) -> None:
        super().__init__(ModelRef("fake", "scorer"))
        self._like = liking

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        return [
            AnswerScores(
                np.array([self._like(str(prompt), one) for one in given]), 1 + len(given[0])
            )
            for prompt, given in zip(prompts, answers, strict=True)
        ]


def test_a_model_that_knows_all_and_one_that_knows_nothing() -> None:
    known = {(f"Question: {one.question}\nAnswer:", f" {one.options[one.answer]}")
             for one in questions()}  # fmt: skip
    all_right = general(
        Likes(lambda prompt, said: -len(said) * (1.0 - 0.5 * ((prompt, said) in known)))
    )
    assert all_right.accuracy == 1.0
    assert all(all_right.right)
    none_right = general(
        Likes(lambda prompt, said: -9.0 * len(said.encode()) * ((prompt, said) in known))
    )
    assert none_right.accuracy == 0.0


def test_a_long_option_is_not_the_worse_for_being_long() -> None:
    """Where each byte costs the same, what is a little cheaper a byte wins, whatever its length."""
    longest = {max(one.options, key=lambda option: len(option.encode())) for one in questions()}

    def cost(prompt: str, said: str) -> float:
        return -len(said[1:].encode()) * (0.9 if said[1:] in longest else 1.0)

    found = general(Likes(cost))
    expected = [
        one.options[one.answer] == max(one.options, key=lambda option: len(option.encode()))
        for one in questions()
    ]
    agree = sum(a == b for a, b in zip(found.right, expected, strict=True))
    assert agree >= 90, "options of equal length, and texts that are the longest elsewhere"


def test_a_remote_model_cannot_be_asked() -> None:
    with pytest.raises(CannotAdapt, match="cannot score"):
        general(FakeLanguageModel(ModelRef("fake", "remote")))


def test_the_fake_gives_numbers() -> None:
    found = general(FakeLanguageModel(ModelRef("fake", "scorer")))
    assert 0 <= found.accuracy <= 1
    assert math.isfinite(found.nats_per_token)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("general") / "tiny", context=2048)


@pytest.fixture(scope="module")
def models() -> HFModels:
    return HFModels()


@pytest.fixture(scope="module")
def before(tiny: Path, models: HFModels) -> General:
    return general(models.open(ModelRef("hf", str(tiny))))


def test_nats_per_token_are_the_cross_entropy_of_plain_transformers(
    tiny: Path, before: General
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    module = AutoModelForCausalLM.from_pretrained(tiny).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    nats, tokens = 0.0, 0
    for one in paragraphs():
        ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer(one.text)["input_ids"]]])
        with torch.no_grad():
            nats += module(ids, labels=ids).loss.item() * (ids.shape[1] - 1)
        tokens += ids.shape[1] - 1
    assert before.nats_per_token == pytest.approx(nats / tokens, rel=1e-4)


def test_a_model_that_was_changed_scores_otherwise_and_the_base_as_before(
    tiny: Path, models: HFModels, before: General, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import save_file

    ref = ModelRef("hf", str(tiny))
    with models.lend(ref, free=["model.layers.*.mlp.*"]) as lent:
        noise = torch.Generator().manual_seed(0)
        changed = {
            name: parameter + 0.3 * torch.randn(parameter.shape, generator=noise)
            for name, parameter in lent.module.named_parameters()
            if name in lent.trained
        }
        save_file({n: p.detach().contiguous() for n, p in changed.items()},
                  tmp_path / "weights.safetensors")  # fmt: skip
    spoiled = ModelRef("hf", str(tiny), deltas=(Delta("weights", str(tmp_path)),))
    after = general(models.open(spoiled))
    assert after.right != before.right
    assert abs(after.nats_per_token - before.nats_per_token) > 0.01
    assert general(models.open(ref)) == before


@pytest.mark.full
@pytest.mark.embedded
def test_the_embedded_model_knows_much_of_it_and_not_all() -> None:
    """Where a model knows nothing it can forget nothing, and where all is easy little is seen."""
    from nshot.models import open_models
    from nshot.models.catalog import resolve

    found = general(open_models().open(resolve(None, "lm")))
    assert 0.5 < found.accuracy < 0.8
    assert 2.5 < found.nats_per_token < 3.5
