"""What a student lost and won: the paired interval, the break-even, the sentences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from nshot.board.lesson import Lesson, Side, difference, lesson, lesson_lines
from nshot.board.schema import Board, Estimate, Points, Row, RowPoints, TaskSummary


def board(points: dict[str, list[float]], **rows: dict[str, float]) -> Board:
    task = TaskSummary(
        name="t", kind="classify", metric="accuracy", train=10, test=200, mode="file",
        shots=("all",), question=1, seeds=1, fewest=None, refit=None,
    )  # fmt: skip
    made = tuple(
        Row(name=name, method=name, rung="trivial", trains="head", settings={}, status="ok",
            score=float(np.mean(values)), **rows.get(name, {}))
        for name, values in points.items()
    )  # fmt: skip
    held = {
        name: RowPoints(points=(tuple(values),), deterministic=False)
        for name, values in points.items()
    }
    return Board(schema=2, fingerprint="f", task=task, rows=made).having(
        Points(rows=held, question=1)
    )


def drawn(seed: int, share: float) -> list[float]:
    return (np.random.default_rng(seed).random(200) < share).astype(float).tolist()


def test_the_interval_is_that_of_the_paired_differences() -> None:
    one, other = drawn(0, 0.8), drawn(1, 0.9)
    e = difference(board({"one": one, "other": other}), "one", "other")
    assert e is not None
    paired = ttest_rel(one, other).confidence_interval(0.95)
    assert e.score == pytest.approx(np.mean(one) - np.mean(other))
    assert e.low == pytest.approx(paired.low, abs=0.01)
    assert e.high == pytest.approx(paired.high, abs=0.01)
    assert e.low <= paired.low, "never narrower"


def test_it_pays_from_the_row_on_at_which_the_saving_has_paid_for_the_teaching() -> None:
    b = board(
        {"big": drawn(0, 0.9), "small": drawn(1, 0.8), "taught": drawn(2, 0.85)},
        big={"build_seconds": 60.0, "use_seconds_per_1000": 40.0},
        taught={"build_seconds": 99.0, "use_seconds_per_1000": 1.0},
        small={"build_seconds": 1.0, "use_seconds_per_1000": 1.0},
    )
    one = lesson(b, "big", "taught", "small")
    assert one.speed == pytest.approx(40)
    assert one.teaching_seconds == pytest.approx(39)
    assert one.breaks_even == 1000, "39 s at 0.039 s a row"
    assert "it pays from 1,000 rows served on" in "\n".join(lesson_lines(one, 0.02))


def side(name: str, score: float | None, speed: float = 10.0) -> Side:
    return Side(row=name, score=score, rows_per_second=speed, build_seconds=1.0)


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (-0.05, "lost against its teacher: 5.0 points (95 % interval -6.0 to -4.0), more than"),
        (-0.01, "lost against its teacher: 1.0 points (95 % interval -2.0 to +0.0)"),
        (0.01, "nothing lost against its teacher: +1.0 points"),
    ],
)
def test_a_loss_is_said_and_beyond_what_may_be_lost_so_is_that(gap: float, words: str) -> None:
    one = Lesson(
        teacher=side("big", 0.9), taught=side("taught", 0.9 + gap), alone=side("small", 0.7),
        against_teacher=Estimate(score=gap, low=gap - 0.01, high=gap + 0.01),
    )  # fmt: skip
    text = "\n".join(lesson_lines(one, 0.02))
    assert words in text
    assert ("--give-up" in text) == (gap < -0.02)


def test_a_teacher_below_the_student_alone_and_a_slow_student_are_told() -> None:
    one = Lesson(
        teacher=side("big", 0.6), taught=side("taught", 0.65), alone=side("small", 0.7), speed=0.5
    )
    text = "\n".join(lesson_lines(one, 0.02))
    assert "big has nothing to teach it" in text
    assert "teaching never pays" in text


def test_what_was_not_measured_says_why() -> None:
    failed = Side(row="taught", reason="no answer of the teacher has the probability 0.99")
    one = Lesson(teacher=side("big", 0.9), taught=failed, alone=side("small", 0.7))
    assert "not measured: no answer of the teacher" in "\n".join(lesson_lines(one, 0.02))
