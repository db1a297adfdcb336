"""A model around another: what it does not answer itself goes through, whatever is added later."""

from __future__ import annotations

from typing import Any

import pytest

from nshot.models.base import Decoding, LanguageModel
from nshot.models.wrap.around import AroundModel

CALLS: dict[str, tuple[Any, ...]] = {
    "count": (["a"],),
    "logprobs": (["a"], [["b"]], None),
    "next_logits": (["a"], [[-1]]),
    "generate": (["a"], Decoding()),
    "completions": (["a"], Decoding()),
    "stream": ("a", Decoding()),
    "hidden": (["a"], [1]),
    "replies": (["a"], 2),
}
MADE_OF_OTHERS = {"decide"}
"""What the base class answers by asking the model itself."""


class Inside:
    """Says what it was asked, and with what."""

    facts = "facts"

    def __getattr__(self, name: str) -> Any:
        return lambda *given: (name, given)


def test_every_question_of_a_language_model_is_known() -> None:
    public = {name for name in dir(LanguageModel) if not name.startswith("_")}
    assert public - MADE_OF_OTHERS == {*CALLS, "facts"}


@pytest.mark.parametrize("name", CALLS)
def test_a_question_goes_through_with_all_it_was_given(name: str) -> None:
    around = AroundModel(Inside())  # type: ignore[arg-type]
    assert getattr(around, name)(*CALLS[name]) == (name, CALLS[name])


def test_its_facts_are_those_of_the_model() -> None:
    assert AroundModel(Inside()).facts == "facts"  # type: ignore[arg-type]
