"""What one must know of answers that are made elsewhere: what moves them, how long they take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nshot.board.schema import Doubt, Latency, Proportion, RelianceCell, Row, TaughtCell
from nshot.core.types import Measurement, Task
from nshot.metrics.binomial import exact_interval

_WORDS = {
    "order": "change when the options come the other way round",
    "wording": "change when the same is said in other words",
    "injection": "obey a text that asks for another label",
    "repeat": "change when the same is asked again",
}


def doubt(moved: int, rows: int) -> Doubt:
    """The share of answers that moved, with the exact binomial interval."""
    low, high = exact_interval(moved, rows)
    return Doubt(value=moved / rows, low=low, high=high, rows=rows)


def reliance_cell(measurement: Measurement) -> RelianceCell | None:
    """Of one measurement; None where nothing was planted."""
    counts = measurement.extra.get("reliance")
    if not counts:
        return None
    return RelianceCell(**{what: doubt(*pair) for what, pair in counts.items()})


def reliance_words(cell: RelianceCell | None) -> list[str]:
    """A sentence for each doubt that was seen."""
    doubts = {what: getattr(cell, what) for what in _WORDS if cell is not None}
    return [
        f"{round(one.value * one.rows)} of {one.rows} answers {_WORDS[what]}"
        f" ({100 * one.low:.0f} to {100 * one.high:.0f} %)"
        for what, one in doubts.items()
        if one is not None and one.value > 0
    ]


def trust_words(row: Row) -> list[str]:
    """What one must know before trusting a model that decides, where there is something."""
    words = reliance_words(row.reliance)
    cell = row.calibration
    if cell is None or cell.bare is None or cell.bare.error is None or cell.error is None:
        return words
    before, after = cell.bare.error, cell.error
    if before.low > after.value:  # the temperature mended more than chance explains
        way = "too sure" if cell.temperature > 1 else "not sure enough"
        words.append(
            f"its probabilities were {way}: off by {_points(before)} points, and by"
            f" {_points(after)} after the temperature {cell.temperature:.2g}"
        )
    return words


def _points(one: Proportion) -> str:
    return f"{100 * one.value:.0f} ({100 * one.low:.0f} to {100 * one.high:.0f})"


def taught_cell(measurement: Measurement) -> TaughtCell | None:
    """Of one measurement; None where no teacher was asked."""
    counts = measurement.extra.get("taught")
    return TaughtCell(**{what: doubt(*pair) for what, pair in counts.items()}) if counts else None


def taught_words(cell: TaughtCell | None) -> list[str]:
    """Agreement with the teacher, and with the labels, are two things."""
    if cell is None:
        return []
    agrees, teacher, own = (
        f"{round(one.value * one.rows)}" for one in (cell.agreement, cell.teacher, cell.student)
    )
    words = (
        f"answers as its teacher does on {agrees} of {cell.agreement.rows} test rows"
        f" ({100 * cell.agreement.low:.0f} to {100 * cell.agreement.high:.0f} %); the teacher is"
        f" right on {teacher} of them, it on {own}"
    )
    if cell.mistakes is None:
        return [words]
    same, all_wrong = round(cell.mistakes.value * cell.mistakes.rows), cell.mistakes.rows
    return [f"{words}, and it makes {same} of the teacher's {all_wrong} mistakes too"]


def latency(measurements: Sequence[Measurement]) -> Latency | None:
    """What an answer of the first draw took elsewhere; None where this machine answers."""
    seconds = [
        one.seconds for m in measurements[:1] for one in m.predictions if one.seconds is not None
    ]
    if not seconds:
        return None
    median, p95 = np.quantile(seconds, (0.5, 0.95)).tolist()
    return Latency(median=median, p95=p95)


def passed_on(measurements: Sequence[Measurement]) -> Proportion | None:
    """The share of rows that a cascade's dear part answered in the first draw, with the exact
    binomial interval."""
    answers = [one for m in measurements[:1] for one in m.predictions]
    if not answers:
        return None
    one = doubt(sum(answer.passed_on for answer in answers), len(answers))
    return Proportion(value=one.value, low=one.low, high=one.high)


def passed_words(share: Proportion | None, to_a_person: bool) -> list[str]:
    """What the dear part of a cascade had to answer; a person's answers nobody knows."""
    if share is None:
        return []
    ends = f"{100 * share.low:.0f} to {100 * share.high:.0f}"
    dear = "a person: here they count as wrong" if to_a_person else "the dear part"
    return [f"{100 * share.value:.0f} % of the rows ({ends}) passed on to {dear}"]


def unanswered(task: Task, measurements: Sequence[Measurement]) -> list[str]:
    """Rows without an answer that is one: refused, or no label."""
    answers = [one for m in measurements for one in m.predictions]
    empty = sum(not one.answer and not one.abstained for one in answers)
    if not task.has_labels or not empty:
        return []
    return [f"{empty} of {len(answers)} rows without an answer count as wrong"]
