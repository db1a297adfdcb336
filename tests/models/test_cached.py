"""What a search asks twice is worked out once, and is the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nshot.core.types import ModelRef, Prompt
from nshot.models.base import AnswerScores, LanguageModel, PrefixState
from nshot.models.fake.fake_engine import FakeLanguageModel, FakeModels
from nshot.models.wrap.cached import CachedModels

REF = ModelRef("fake", "scorer")


class Counting(FakeLanguageModel):
    """A fake that counts the prompts it is asked to score."""

    def __init__(self, ref: ModelRef, asked: list[int]) -> None:
        super().__init__(ref)
        self._asked = asked

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        self._asked.append(len(prompts))
        return super().logprobs(prompts, answers, prefix)


class Counted(FakeModels):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def open(self, ref: ModelRef) -> LanguageModel:
        return Counting(ref, self.asked)


def test_equal_calls_are_worked_out_once_and_answer_the_same() -> None:
    counted = Counted()
    models = CachedModels(counted)
    prompts, answers = ["good", "bad"], [[" a", " b"]] * 2
    first = models.open(REF).logprobs(prompts, answers)
    again = models.open(REF).logprobs(prompts, answers)
    plain = FakeModels().open(REF).logprobs(prompts, answers)
    assert counted.asked == [2]
    for one, two, three in zip(first, again, plain, strict=True):
        assert np.array_equal(one.logprobs, two.logprobs)
        assert np.array_equal(one.logprobs, three.logprobs)


def test_another_model_other_prompts_or_other_answers_are_asked() -> None:
    counted = Counted()
    models = CachedModels(counted)
    models.open(REF).logprobs(["good"], [[" a"]])
    models.open(ModelRef("fake", "slow")).logprobs(["good"], [[" a"]])
    models.open(REF).logprobs(["bad"], [[" a"]])
    models.open(REF).logprobs(["good"], [[" b"]])
    models.open(REF).logprobs(["good", "bad"], [[" a"]] * 2)
    assert counted.asked == [1, 1, 1, 1, 2]
