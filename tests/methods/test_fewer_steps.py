"""A training of so many seconds."""

from __future__ import annotations

import pytest

from nshot.core.types import Label, ModelRef, Task
from nshot.methods.contract import Brief, Rates
from nshot.methods.fewer_steps import LEAST
from nshot.methods.peft.ia3 import IA3
from nshot.methods.peft.lora import LoRA

TASK = Task("t", "classify", labels=tuple(map(Label, "abcdefgh")))


def brief(tokens: float, labelled: int = 24) -> Brief:
    return Brief(
        task=TASK, labelled=labelled, unlabelled=0, per_label=3, test=64, tokens=tokens, longest=99,
        base=ModelRef("fake", "lm"), abilities=frozenset({"score", "train"}), context=2048,
        layers=30, encoder=None, rates=Rates(500.0, 500 / 3, 3000.0),
    )  # fmt: skip


@pytest.mark.parametrize("method", [LoRA(), IA3()])
def test_as_many_steps_as_the_seconds_allow(method: LoRA | IA3) -> None:
    short = method.for_short_trial(brief(35), 12.0)
    assert isinstance(short, type(method))
    assert LEAST <= short.max_steps < 24
    assert short.forecast(brief(35)).seconds <= 12.0 < method.forecast(brief(35)).seconds
    more = short.model_copy(update={"max_steps": short.max_steps + 1})
    assert more.forecast(brief(35)).seconds > 12.0


def test_long_texts_still_get_some_steps_and_short_ones_all_of_them() -> None:
    long = LoRA().for_short_trial(brief(2000), 12.0)
    assert isinstance(long, LoRA)
    assert long.max_steps == LEAST
    assert LoRA().for_short_trial(brief(1), 60.0) is None
    assert LoRA(max_steps=6).for_short_trial(brief(35), 12.0) is None
