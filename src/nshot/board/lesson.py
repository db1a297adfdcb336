"""What a student lost against its teacher and won by it, in numbers and in words."""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field, FiniteFloat

from nshot.board.column import Column
from nshot.board.contest import estimate
from nshot.board.schema import Board, Estimate, Part, Row
from nshot.core.durations import duration


class Side(Part):
    """One of a few rows that are compared: a teacher, a student, a model before and after."""

    row: str = Field(description="its row on the board")
    score: FiniteFloat | None = Field(None, description="on the test rows")
    rows_per_second: FiniteFloat | None = Field(None, description="answered, on this machine")
    build_seconds: FiniteFloat | None = Field(
        None, description="to build; of the taught student the teacher's seconds are in it"
    )
    reason: str | None = Field(None, description="why it has no score, where it has none")


class Lesson(Part):
    """`distilled.json`: how a distillation came out."""

    teacher: Side
    taught: Side
    alone: Side
    against_teacher: Estimate | None = Field(
        None, description="taught student less its teacher, on the same rows; 95 % interval"
    )
    against_alone: Estimate | None = Field(
        None, description="taught student less the same student without a teacher"
    )
    speed: FiniteFloat | None = Field(
        None, description="how many times as fast the student answers as its teacher"
    )
    teaching_seconds: FiniteFloat | None = Field(
        None, description="what it took beside the teacher's own building: its answers, the fit"
    )
    breaks_even: int | None = Field(
        None, description="rows served from which on teaching has cost less than it saves"
    )
    notes: tuple[str, ...] = Field((), description="what the teaching has to say")


def lesson(board: Board, teacher: str, taught: str, alone: str) -> Lesson:
    """The three rows of a board put side by side."""
    rows = {name: board.row(name) for name in (teacher, taught, alone)}
    sides = {name: side_of(row) for name, row in rows.items()}
    speeds = [sides[name].rows_per_second for name in (taught, teacher)]
    speed = speeds[0] / speeds[1] if speeds[0] and speeds[1] else None
    builds = [sides[name].build_seconds for name in (taught, teacher)]
    teaching = None
    if builds[0] is not None and builds[1] is not None:
        teaching = max(builds[0] - builds[1], 0.0)
    return Lesson(
        teacher=sides[teacher],
        taught=sides[taught],
        alone=sides[alone],
        against_teacher=difference(board, taught, teacher),
        against_alone=difference(board, taught, alone),
        speed=speed,
        teaching_seconds=teaching,
        breaks_even=_breaks_even(teaching, speeds[1], speeds[0]),
        notes=rows[taught].notes,
    )


def difference(board: Board, one: str, other: str) -> Estimate | None:
    """The score of `one` less that of `other` on the same rows, with its 95 % interval.

    The standard error is the decision's (docs/decision.md): rows in groups share their luck, folds
    their training rows. None where one of the two was not measured.
    """
    points = board.points
    if one not in points.rows or other not in points.rows:
        return None
    from scipy.special import stdtrit

    columns = [
        Column(
            name,
            row.array,
            0.0,
            deterministic=row.deterministic,
            fast=row.fast,
            folds=row.folds,
            without=None if row.without is None else np.array(row.without),
        )
        for name, row in points.rows.items()
        if name in (one, other)
    ]
    contest = estimate(columns, question=points.question, groups=points.groups)
    i, j = contest.names.index(one), contest.names.index(other)
    gap = float(contest.p[i] - contest.p[j])
    width = float(stdtrit(max(contest.freedom, 1.0), 0.975) * contest.se[i, j])
    return Estimate(score=gap, low=gap - width, high=gap + width)


def side_of(row: Row) -> Side:
    """A row as one side of a comparison of a few."""
    use = row.use_seconds_per_1000
    return Side(
        row=row.name,
        score=row.score,
        rows_per_second=1000 / use if use else None,
        build_seconds=row.build_seconds,
        reason=row.reason,
    )


def _breaks_even(seconds: float | None, teacher: float | None, student: float | None) -> int | None:
    """Rows after which `seconds` of teaching are won back; None where the student is no faster."""
    if seconds is None or not teacher or not student or student <= teacher:
        return None
    return math.ceil(seconds / (1 / teacher - 1 / student))


def lesson_lines(one: Lesson, give_up: float) -> list[str]:
    """What came out, a sentence a line; `give_up` is the loss that is accepted."""
    lines = [
        f"{role:<8} {side.row:<34} {_score(side)}"
        for role, side in (("teacher", one.teacher), ("taught", one.taught), ("alone", one.alone))
    ]
    if one.against_teacher:
        lines.append(_against_teacher(one.against_teacher, give_up))
    if one.against_alone:
        lines.append(_against_alone(one.against_alone))
    if one.teacher.score is not None and (one.alone.score or 0.0) > one.teacher.score:
        lines.append(
            f"its teacher measured lower than the student without it: {one.teacher.row} has nothing"
            " to teach it; take another with --teacher ROW"
        )
    lines += _speed(one)
    return lines


def _score(side: Side) -> str:
    if side.score is None:
        return f"not measured: {side.reason or 'not reached'}"
    speed = f"{_rounded(side.rows_per_second)} rows a second" if side.rows_per_second else ""
    return f"{100 * side.score:5.1f} %  {speed}".rstrip()


def _rounded(number: float) -> str:
    """``24``, ``3,400``: two digits that count."""
    if number < 10:
        return f"{number:.1f}"
    step = 10 ** max(int(math.log10(number)) - 1, 0)
    return f"{round(number / step) * step:,}"


def interval(e: Estimate) -> str:
    """``95 % interval -3.1 to +0.4``, in points."""
    return f"95 % interval {100 * (e.low or 0):+.1f} to {100 * (e.high or 0):+.1f}"


def _against_teacher(e: Estimate, give_up: float) -> str:
    points = 100 * (e.score or 0.0)
    if points >= 0:
        return f"nothing lost against its teacher: {points:+.1f} points ({interval(e)})"
    most = f"more than the {100 * give_up:g} that may be given up"
    beyond = f", {most}: --give-up says how many may" if -points > 100 * give_up + 1e-6 else ""
    return f"lost against its teacher: {-points:.1f} points ({interval(e)}){beyond}"


def _against_alone(e: Estimate) -> str:
    points = 100 * (e.score or 0.0)
    word = "won" if points >= 0 else "lost"
    doubt = "; these rows do not tell whether the teacher helps" * (
        (e.low or 0.0) <= 0 <= (e.high or 0.0)
    )
    return f"{word} by the teacher: {abs(points):.1f} points ({interval(e)}){doubt}"


def _speed(one: Lesson) -> list[str]:
    if one.speed is None:
        return []
    if one.speed <= 1:
        return ["the student answers no faster than its teacher: teaching never pays"]
    lines = [f"{_rounded(one.speed)}x as fast as its teacher"]
    if one.breaks_even is not None and one.teaching_seconds is not None:
        lines.append(
            f"teaching took {duration(one.teaching_seconds)} beside the teacher's own building: it"
            f" pays from {one.breaks_even:,} rows served on"
        )
    return lines
