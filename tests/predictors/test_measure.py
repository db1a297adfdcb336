"""Asking a predictor and marking its answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from nshot.core.errors import RunFailed
from nshot.core.types import Example, Input, Label, Prediction, Task
from nshot.predictors.measure import TRAIN_SAMPLE, answer, joined, train_score, value

TASK = Task("t", "classify", (Label("a"), Label("b")))


class Echo:
    """Answers with the text; keeps what it was asked."""

    task = TASK

    def __init__(self, spoil: Prediction | None = None, lose: int = 0) -> None:
        self.asked: list[Input] = []
        self._spoil, self._lose = spoil, lose

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        self.asked += inputs
        told = [Prediction(i.text, (0.0, -1.0), tokens_in=3, tokens_out=2) for i in inputs]
        return ([self._spoil] * bool(self._spoil) + told)[: len(told) - self._lose]

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def rows(*pairs: str) -> tuple[Example, ...]:
    return tuple(
        Example(f"r{i}", Input(fields=(("text", pair[0]),)), (pair[1],))
        for i, pair in enumerate(pairs)
    )


def test_answers_are_marked_in_order_and_counted() -> None:
    found = answer(Echo(), TASK, rows("aa", "ab", "bb"))
    assert found.ids == ("r0", "r1", "r2")
    assert found.statistics == ((1.0,), (0.0,), (1.0,))
    assert (found.use.tokens_in, found.use.tokens_out) == (9, 6)
    assert found.use.seconds > 0
    assert value(TASK, found.statistics) == pytest.approx(2 / 3)


def test_the_predictor_sees_inputs_only() -> None:
    echo = Echo()
    answer(echo, TASK, rows("aa", "ab"))
    assert all(type(asked) is Input for asked in echo.asked)


def test_another_number_of_answers_is_a_failure() -> None:
    with pytest.raises(RunFailed, match="1 answers to 2 inputs"):
        answer(Echo(lose=1), TASK, rows("aa", "ab"))


def test_a_score_that_is_no_number_is_a_failure() -> None:
    with pytest.raises(RunFailed, match="not a number"):
        answer(Echo(spoil=Prediction("a", (float("nan"), 0.0))), TASK, rows("aa", "ab"))


def test_certainty_is_a_score() -> None:
    found = answer(Echo(spoil=Prediction("a", (0.0, -np.inf))), TASK, rows("aa", "ab"))
    assert found.predictions[0].scores == (0.0, -np.inf)


def test_the_train_score_asks_a_fixed_part() -> None:
    echo = Echo()
    many = rows(*["aa", "ab"] * TRAIN_SAMPLE)
    assert train_score(echo, TASK, many) in (0.5, 1.0)
    assert 0 < len(echo.asked) <= TRAIN_SAMPLE
    assert train_score(Echo(), TASK, ()) is None
    assert train_score(Echo(), TASK, rows("aa", "ab")) == 0.5


def test_folds_are_joined_in_order_and_added_up() -> None:
    parts = [answer(Echo(), TASK, rows("aa")), answer(Echo(), TASK, rows("ab", "bb"))]
    whole = joined(parts)
    assert whole.ids == ("r0", "r0", "r1")
    assert whole.statistics == ((1.0,), (0.0,), (1.0,))
    assert whole.use.tokens_in == 9
    assert whole.use.seconds == pytest.approx(sum(p.use.seconds for p in parts))
