"""Every engine keeps the contract, and so does the one that the page shows."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from endpoint import serving
from nshot.core.types import ModelRef
from nshot.models import open_models
from nshot.models.base import AnswerScores, LanguageModel
from nshot.models.fake.fake_engine import FakeLanguageModel, FakeModels
from nshot.testing import ContractBroken, check_engine
from tiny import tiny_llama

PAGE = Path(__file__).parents[2] / "docs" / "extend" / "engine.md"


def test_transformers(tmp_path: Path) -> None:
    folder = tiny_llama(tmp_path, context=512)
    check_engine(open_models(), ModelRef("hf", str(folder)))


@pytest.mark.parametrize("name", ["scorer", "remote"])
def test_the_fake(name: str) -> None:
    check_engine(open_models(), ModelRef("fake", name))


def test_an_endpoint_that_is_scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("NSHOT_API_KEY", raising=False)
    with serving(lambda messages: messages[-1]["content"][::-1] or "nothing") as endpoint:
        check_engine(open_models(), ModelRef("openai", endpoint.name.removeprefix("openai:")))


def test_the_page_s_engine_in_sixty_lines(tmp_path: Path) -> None:
    engine, check = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(engine.splitlines()) <= 60
    (tmp_path / "letters_engine.py").write_text(engine, encoding="utf-8")
    subprocess.run([sys.executable, "-c", check], cwd=tmp_path, check=True)


class Wrong(FakeModels):
    """The fake, but for one method."""

    def __init__(self, name: str, instead: Any) -> None:
        self._model = type("WrongModel", (FakeLanguageModel,), {name: instead})

    def open(self, ref: ModelRef) -> LanguageModel:
        opened: LanguageModel = self._model(ref)
        return opened


def _by_rank(self: Any, prompts: Any, answers: Any, prefix: Any = None) -> Any:
    whole = FakeLanguageModel.logprobs(self, prompts, answers)
    return [AnswerScores(one.logprobs - i, one.tokens_in) for i, one in enumerate(whole)]


def _forgetful(self: Any, prompts: Any, how: Any) -> Any:
    self.asked = getattr(self, "asked", 0) + 1
    return [
        replace(one, text=f"{one.text} {self.asked}")
        for one in FakeLanguageModel.generate(self, prompts, how)
    ]


@pytest.mark.parametrize(
    ("name", "instead", "sentence"),
    [
        ("logprobs", _by_rank, "do not depend on what else is asked"),
        ("generate", _forgetful, "equal requests, equal texts"),
        ("stream", lambda self, prompt, how: iter("xyz"), "pieces are the text"),
        ("next_logits", lambda self, prompts, positions=None: np.zeros((1, 3)), "float32"),
        ("count", lambda self, prompts: [1], "counts tokens of each"),
    ],
)
def test_a_broken_promise_is_named(name: str, instead: Any, sentence: str) -> None:
    with pytest.raises(ContractBroken, match=sentence):
        check_engine(Wrong(name, instead), ModelRef("fake", "scorer"))
