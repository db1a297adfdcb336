"""What is drawn: plain values. All scores are fractions, drawn in percent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from nshot.report.charts.draw import Role, line
from nshot.report.charts.scales import Axis, across, axis
from nshot.report.numbers import say


@dataclass(frozen=True)
class Mark:
    """One method in a chart: its score with the interval, and what it costs in seconds."""

    name: str
    role: Role
    score: float
    low: float | None = None
    high: float | None = None
    cost: float | None = None
    seeds: tuple[float, ...] = ()
    partial: bool = False
    """It answered only the first of the test rows."""
    seeds_are: str = "draws"


@dataclass(frozen=True)
class Series:
    """A method's scores over sizes: (shots or "all", score, low, high) in rising order."""

    name: str
    role: Role
    points: tuple[tuple[int | str, float, float | None, float | None], ...]


@dataclass(frozen=True)
class Losses:
    """How a training went: (step, loss in nats) of its batches and of validation rows."""

    name: str
    role: Role
    train: tuple[tuple[int, float], ...]
    validation: tuple[tuple[int, float], ...] = ()


def marks_axis(marks: Sequence[Mark]) -> Axis:
    """The scale that holds the marks' scores, intervals and seeds."""
    values = [
        value
        for mark in marks
        for value in (mark.score, mark.low, mark.high, *mark.seeds)
        if value is not None
    ]
    return axis(values)


def curves_axis(series: Sequence[Series]) -> Axis:
    """One scale for all panels."""
    return axis([v for one in series for point in one.points for v in point[1:] if v is not None])


def in_words(mark: Mark) -> str:
    """The mark for who points at it."""
    words = f"{mark.name}: {say(mark.score, 'score')}"
    if mark.low is not None and mark.high is not None:
        words += f" ({say(mark.low, 'score')} to {say(mark.high, 'score')})"
    if mark.partial:
        words += "; put aside before the last test rows"
    if mark.seeds:
        words += f"; {mark.seeds_are} " + ", ".join(say(seed, "score") for seed in mark.seeds)
    return words


def interval(mark: Mark, scale: Axis, width: float, y: float) -> list[Markup]:
    """Its interval as a bar with caps."""
    if mark.low is None or mark.high is None:
        return []
    ends = across(scale, mark.low, width), across(scale, mark.high, width)
    bar = line(f"c-bar.c-{mark.role}", ends[0], y, ends[1], y)
    caps = [line(f"c-cap.c-{mark.role}", x, y - 4, x, y + 4) for x in ends]
    return [bar, *caps]
