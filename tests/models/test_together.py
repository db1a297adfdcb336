"""What several askers ask of one base is asked at once, and each gets its own answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.core.types import Delta, ModelRef
from nshot.models import open_models
from nshot.models.base import Decoding, LanguageModel, Models
from nshot.models.wrap.around import Around
from nshot.models.wrap.together import Together

FAKE = ModelRef("fake", "scorer")
ANSWERS = ("good", "bad film", "")


def refs(count: int) -> list[ModelRef]:
    """Views of one base, told apart by a delta that the fake model does not look at."""
    return [ModelRef("fake", "scorer", deltas=(Delta("peft", f"/{i}"),)) for i in range(count)]


class Noting(Around):
    """Models that note what was opened for how many prompts."""

    def __init__(self, models: Models) -> None:
        super().__init__(models)
        object.__setattr__(self, "batches", [])

    def open_rows(self, refs: Sequence[ModelRef]) -> LanguageModel:
        self.batches.append(list(refs))  # type: ignore[attr-defined]
        return self.models.open_rows(refs)


def asks(models: Models, ref: ModelRef, questions: int, number: int) -> list[Any]:
    """Some questions of each kind, the next one only after the last was answered."""
    answers: list[Any] = []
    for k in range(questions):
        prompts = [f"text {number} {k} {i}" for i in range(number % 3 + 1)]
        model = models.open(ref)
        match (number + k) % 3:
            case 0:
                scores = model.logprobs(prompts, [ANSWERS] * len(prompts))
                answers += [one.logprobs.tolist() for one in scores]
            case 1:
                answers += [one.text for one in model.generate(prompts, Decoding(3))]
            case _:
                states = model.hidden(prompts, [number % 2 + 1])
                answers += [states.last.tolist(), states.mean.tolist(), states.tokens_in]
    return answers


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=6))
def test_everyone_gets_what_he_would_have_got_alone(counts: list[int]) -> None:
    models = open_models()
    together = Together(models)
    views = refs(max(1, len(counts)))
    works = [partial(asks, together, views[i], n, i) for i, n in enumerate(counts)]
    alone = [asks(models, views[i], n, i) for i, n in enumerate(counts)]
    assert together.all_of(works) == alone


def test_first_questions_are_asked_in_one_call() -> None:
    noting = Noting(open_models())
    together = Together(noting)
    views = refs(4)

    def ask(ref: ModelRef) -> float:
        (one,) = together.open(ref).logprobs(["a film"], [ANSWERS])
        return float(one.logprobs[0])

    together.all_of([partial(ask, ref) for ref in views])
    assert noting.batches == [views]  # type: ignore[attr-defined]
    ask(views[0])
    assert len(noting.batches) == 1, "outside of it a model is asked as it is"  # type: ignore[attr-defined]


def test_bases_and_ways_to_write_are_kept_apart() -> None:
    noting = Noting(open_models())
    together = Together(noting)
    short, long = Decoding(2), Decoding(3)
    other = ModelRef("fake", "slow")
    works: list[Callable[[], Any]] = [
        lambda: together.open(FAKE).generate(["a"], short),
        lambda: together.open(other).generate(["a"], short),
        lambda: together.open(FAKE).generate(["b"], long),
        lambda: together.open(FAKE).generate(["c"], short),
    ]
    texts = together.all_of(works)
    assert len(texts) == 4
    assert noting.batches == [[FAKE, FAKE]]  # type: ignore[attr-defined]


def test_a_whole_model_in_a_bases_place_is_another_base() -> None:
    noting = Noting(open_models())
    together = Together(noting)
    whole = ModelRef("fake", "scorer", deltas=(Delta("model", "/student"), Delta("peft", "/a")))
    works = [
        lambda r=r: together.open(r).logprobs(["a"], [ANSWERS])[0].tokens_in
        for r in (whole, *refs(2))
    ]
    assert len(together.all_of(works)) == 3
    assert noting.batches == [refs(2)]  # type: ignore[attr-defined]


def test_only_one_runs_at_a_time_and_models_are_asked_by_the_caller() -> None:
    here, running, most = threading.get_ident(), 0, 0

    class Watching(Around):
        def open(self, ref: ModelRef) -> LanguageModel:
            return self.models.open(ref)

        def open_rows(self, refs: Sequence[ModelRef]) -> LanguageModel:
            assert threading.get_ident() == here
            return self.models.open_rows(refs)

    together = Together(Watching(open_models()))

    def work(ref: ModelRef) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        running -= 1
        together.open(ref).logprobs(["a"], [ANSWERS])
        assert threading.get_ident() != here
        return 1

    assert together.all_of([partial(work, ref) for ref in refs(5)]) == [1] * 5
    assert most == 1


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_failure_ends_all_and_is_raised(after: int) -> None:
    together = Together(open_models())
    ends: list[int] = []

    def work(number: int, ref: ModelRef) -> None:
        try:
            for k in range(3):
                if number == 1 and k == after:
                    raise InputError("this one cannot")
                together.open(ref).logprobs(["a"], [ANSWERS])
        finally:
            ends.append(number)

    with pytest.raises(InputError, match="this one cannot"):
        together.all_of([partial(work, i, ref) for i, ref in enumerate(refs(3))])
    assert set(ends) == ({0, 1} if after == 0 else {0, 1, 2})
    for thread in [one for one in threading.enumerate() if one.name == "asker"]:
        thread.join(timeout=5)
        assert not thread.is_alive()


def test_what_the_model_raises_reaches_the_caller() -> None:
    class Broken(Around):
        def open_rows(self, refs: Sequence[ModelRef]) -> LanguageModel:
            raise ArithmeticError

    together = Together(Broken(open_models()))

    def work(ref: ModelRef) -> object:
        return together.open(ref).logprobs(["a"], [ANSWERS])

    with pytest.raises(ArithmeticError):
        together.all_of([partial(work, ref) for ref in refs(2)])


def test_layers_of_several_are_read_at_once() -> None:
    models = open_models()
    together = Together(models)
    views = refs(2)
    works = [
        lambda: together.open(views[0]).hidden(["a", "b"], [2]),
        lambda: together.open(views[1]).hidden(["c"], [1, 2]),
    ]
    one, other = together.all_of(works)
    assert one.last.shape[:2] == (2, 1)
    assert other.mean.shape[:2] == (1, 2)
    np.testing.assert_array_equal(one.last, models.open(views[0]).hidden(["a", "b"], [2]).last)
    np.testing.assert_array_equal(other.mean, models.open(views[1]).hidden(["c"], [1, 2]).mean)
