"""Pairs of answers: how far the better one is ahead, and how sure that is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nshot.bench.jobs.align import changed, distinct, student
from nshot.board.alignment import Answer, Bounded, Written
from nshot.core.types import Example, Input, Prediction
from nshot.metrics.preferring import pairs


def row(name: str, grades: tuple[float, ...], group: str | None = None) -> Example:
    answers = tuple(f"a{i}" for i in range(len(grades)))
    return Example(name, Input((("prompt", name),), answers=answers), grades=grades, group=group)


def test_all_pairs_of_different_grades_the_better_one_first() -> None:
    rows = [row("x", (1, 2, 2)), row("y", (1, 0), "x"), row("z", (0, 1), "x")]
    scores = [(0.0, 1.0, -1.0), (3.0, 3.0), (0.0, 2.0)]
    made = pairs(rows, [Prediction("a0", own) for own in scores])
    np.testing.assert_allclose(made.ahead, [1.0, -1.0, 0.0, 2.0])
    np.testing.assert_allclose(made.hits, [1.0, 0.0, 0.5, 1.0])
    assert made.groups.tolist() == [0, 0, 1, 1]
    better = 1 / (1 + math.exp(-1.0))
    np.testing.assert_allclose(made.sureness[:3], [better, better, 0.5])
    np.testing.assert_allclose(made.errors[:3], [(1 - better) ** 2, better**2, 0.25])


def test_a_mean_over_groups_has_the_groups_interval() -> None:
    alone = student([1.0, 3.0, 1.0, 3.0])
    assert alone.value == 2.0
    assert alone.high - alone.value == pytest.approx(3.182446 * (4 / 3 / 4) ** 0.5, rel=1e-5)
    twice = student([1.0, 1.0, 3.0, 3.0], [0, 0, 1, 1])
    assert twice.high - twice.value == pytest.approx(12.7062 * 1.0, rel=1e-4)
    assert student([5.0]) == Bounded(5.0, 5.0, 5.0)


def test_a_change_is_taken_prompt_by_prompt() -> None:
    def written(rewards: list[float]) -> Written:
        answers = tuple(Answer("t", 1, value) for value in rewards)
        return Written(answers, student(rewards), 1.0, 1.0)

    change = changed(written([0.0, 5.0, -5.0, 1.0]), written([1.0, 6.0, -4.0, 1.0]))
    assert change.reward.value == 0.75
    assert change.wins.value == 3.5 / 4
    assert change.second is None
    assert not change.is_hacked


def test_pieces_of_three_words_that_are_different() -> None:
    assert distinct(["a b c d", "a b c"]) == 2 / 3
    assert distinct(["a b", ""]) == 1.0
