"""A stream is the text of `generate` in pieces, and stops when it is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nshot.core.types import Grammar, ModelRef
from nshot.models import open_models
from nshot.models.base import Decoding, settled

PROMPTS = ["review : very good\nsentiment :", "", "카드 수수료 é", "the quick brown fox"]


@pytest.fixture(scope="module")
def lm(tiny: Callable[[str], Path]) -> Any:
    return open_models().open(ModelRef("hf", str(tiny("llama"))))


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize(
    "how",
    [
        Decoding(24),
        Decoding(40, temperature=1.5, seed=3),
        Decoding(40, temperature=1.5, seed=4, stop=("e", "the dog", "")),
        Decoding(1),
        Decoding(0),
    ],
)
def test_joined_it_is_the_text(lm: Any, prompt: str, how: Decoding) -> None:
    pieces = list(lm.stream(prompt, how))
    assert "".join(pieces) == lm.generate([prompt], how)[0].text
    assert "" not in pieces


def test_under_a_grammar(lm: Any) -> None:
    pytest.importorskip("llguidance")
    how = Decoding(20, grammar=Grammar("regex", "[0-9]{3}-[a-z]+"))
    assert "".join(lm.stream("fox", how)) == lm.generate(["fox"], how)[0].text


def test_closed_early_it_reads_no_more(lm: Any) -> None:
    reads: list[int] = []
    hook = lm._base.module.register_forward_hook(lambda *_: reads.append(1))
    try:
        stream: Iterator[str] = lm.stream(PROMPTS[0], Decoding(40, temperature=1.5, seed=3))
        next(stream)
        read = len(reads)
        stream.close()  # type: ignore[attr-defined]
    finally:
        hook.remove()
    assert len(reads) == read < 10


def test_other_questions_between_two_pieces_change_nothing(lm: Any) -> None:
    how = Decoding(12, temperature=1.5, seed=3)
    pieces = []
    for piece in lm.stream(PROMPTS[3], how):
        lm.logprobs([PROMPTS[0]], [[" good", " bad"]])
        pieces.append(piece)
    assert "".join(pieces) == lm.generate([PROMPTS[3]], how)[0].text


def test_what_is_settled_is_never_taken_back() -> None:
    assert settled("a b", ()) == "a b"
    assert settled("text\n", ("\n\n",)) == "text"
    assert settled("text\n\nmore", ("\n\n",)) == "text"
    assert settled("aab", ("abc", "x")) == "a"
    assert settled("ab", ("b",)) == "a"
