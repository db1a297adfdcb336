"""Which rows are served worse than the rest, by more than luck.

Each slice is compared with all other rows. A slice is cut without a look at its answers (by length,
script, group, time, further columns, clusters of the features), so that the test of each is valid;
Holm's procedure holds the error for all of them together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nshot.audit.contract import AuditResult, Finding, Need, Sheet, Subject
from nshot.audit.data.personal import beginning
from nshot.audit.estimates import held
from nshot.audit.luck import (
    ALPHA,
    Bools,
    Difference,
    Floats,
    of_groups,
    of_means,
    of_pairs,
    of_shares,
)
from nshot.audit.slices.cutting import (
    FEWEST,
    MOST_VALUES,
    Slice,
    by_cluster,
    by_column,
    by_length,
    by_script,
    by_source,
)
from nshot.core.errors import NshotError
from nshot.core.types import Example, Prediction, Task, group_numbers
from nshot.metrics import metric_of, points
from nshot.predictors.calibrated import bare
from nshot.predictors.features import TfIdf

_WORST = 5
_SHOWN = 80
_MOSTLY, _EXCESS = 0.6, 0.3
"""A slice falls on one answer that this share of its rows gets, and so many more than should."""


@dataclass(frozen=True)
class Cut:
    """A slice with how it stands against the rest; `p` is that of its gap, held for all slices."""

    slice: Slice
    score: float
    rest: float
    gap: Difference
    p: float = 1.0

    @property
    def is_worse(self) -> bool:
        """By more than luck."""
        return self.p < ALPHA and self.gap.value < 0


class Slices:
    """The score of every slice against the rest."""

    name = "slices"
    about = "which rows are served worse: by length, script, group, time, column, cluster"
    needs: frozenset[Need] = frozenset({"rows", "answers"})

    def why_not(self, subject: Subject) -> str | None:
        """It takes two slices of the fewest rows."""
        rows = len(subject.labelled)
        if rows < 2 * FEWEST:
            return f"{rows} labelled rows: a slice and the rest have {FEWEST} each"
        return None

    def run(self, subject: Subject) -> AuditResult:
        """The slices that are worse, those that fall on one answer, and a table of all."""
        rows, task = subject.labelled, _task(subject)
        answers = subject.answers(rows)
        scores = row_points(task, rows, answers)
        slices, notes = cut_rows(subject, rows)
        cuts = compared(slices, scores, group_numbers(rows))
        collapsed = list(_collapsed(task, rows, answers, slices))
        worse = [_finding(cut, task, rows, answers, scores) for cut in cuts if cut.is_worse]
        others = [_finding(cut, task, rows, answers, scores) for cut in cuts if not cut.is_worse]
        sheets = [_table(cuts, task)]
        sheets += [_worst(cut, task, rows, answers, scores) for cut in cuts if cut.is_worse]
        return AuditResult(
            self.name,
            summary=_summary(cuts, collapsed, len(rows)),
            conclude=_CONCLUDE,
            findings=(*collapsed, *worse, *others),
            sheets=tuple(sheets),
            notes=(*notes, *_reach(cuts, scores)),
        )


_CONCLUDE = (
    "A slice that is worse says where to look and where labels are worth most; it does not say why."
    " Slices overlap: a cluster may be the Korean rows once more. One without an alarm is not shown"
    " to be served as well as the rest."
)


def _task(subject: Subject) -> Task:
    if subject.task is None:  # rows without a task cannot be labelled
        raise ValueError("labelled rows without a task")
    return subject.task


def row_points(task: Task, rows: Sequence[Example], answers: Sequence[Prediction]) -> Floats:
    """(rows,) 1 where the label is right, else 0; of other kinds the points of the metric."""
    if task.has_labels:
        return np.array(
            [one.answer in row.targets for row, one in zip(rows, answers, strict=True)],
            dtype=np.float64,
        )
    metric = metric_of(task)
    statistics = [metric.statistics(row, one) for row, one in zip(rows, answers, strict=True)]
    return points(metric, np.array(statistics, dtype=np.float64))


def cut_rows(subject: Subject, rows: Sequence[Example]) -> tuple[list[Slice], list[str]]:
    """Every slice that is large enough, each set of rows once, and notes on what is not cut."""
    notes, made = list[str](), list[Slice]()
    if any(row.input.text for row in rows):
        made += [*by_length(rows), *by_script(rows)]
    made += by_source(rows)
    for name in subject.slices:
        if name not in subject.columns:
            there_are = ", ".join(subject.columns) or "none beside the task's own"
            notes.append(f"no column '{name}' in the rows' file: there are {there_are}")
    for name, cells in subject.columns.items():
        values = [cells.get(row.id, "") for row in rows]
        if name.lower() == "id" or _is_answer(rows, values):
            continue
        is_named = name in subject.slices
        made += by_column(name, values, is_named)
        if is_named and len(set(values)) > MOST_VALUES:
            notes.append(f"column '{name}': {len(set(values))} values, at most the"
                         f" {MOST_VALUES} commonest, or quarters of numbers and times, are looked"
                         " at")  # fmt: skip
    made += _clusters(subject, rows, notes)
    return _large(made, len(rows), subject.slices, notes), notes


def _is_answer(rows: Sequence[Example], values: Sequence[str]) -> bool:
    """Is this the column of the answers?"""
    return all(value in row.targets for row, value in zip(rows, values, strict=True) if value)


def _clusters(subject: Subject, rows: Sequence[Example], notes: list[str]) -> Iterator[Slice]:
    """Clusters in the predictor's own features; where it has none in those of counted terms."""
    inputs = [row.input for row in rows]
    source: Any = getattr(bare(subject.predictor), "source", None) if subject.predictor else None
    try:
        if source is not None:
            matrix = source.read(inputs).matrix
        elif any(one.text for one in inputs):
            matrix = TfIdf.fit_and_read([one.text for one in inputs])[1]
        else:
            return
    except NshotError as error:
        notes.append(f"no clusters: {' '.join(str(error).split())}")
        return
    yield from by_cluster(rows, matrix)


def _large(
    slices: Sequence[Slice], rows: int, columns: Sequence[str], notes: list[str]
) -> list[Slice]:
    """The slices that can be compared; of equal ones the first."""
    kept: dict[bytes, Slice] = {}
    small = []
    for one in slices:
        if min(one.rows, rows - one.rows) >= FEWEST:
            kept.setdefault(one.inside.tobytes(), one)
        elif one.rows < FEWEST:
            small.append(one)
    for one in small:
        if one.family in columns:
            many = f"{one.rows} row" + "s" * (one.rows != 1)
            notes.append(f"{one.words} has {many}: too few to say anything of it")
    others = sum(one.family not in columns for one in small)
    if others:
        notes.append(f"{others} slices of fewer than {FEWEST} rows are not looked at")
    return list(kept.values())


def compared(slices: Sequence[Slice], scores: Floats, groups: Sequence[int] | None) -> list[Cut]:
    """Each slice against all other rows, the worst first.

    Right or wrong is tested exactly; other points by permutation; where rows are of groups, and
    the slice is not one of them, by groups.
    """
    numbers = None if groups is None else np.array(groups)
    gaps = [_gap(one, scores, numbers) for one in slices]
    ps = held([gap.p for gap in gaps])
    cuts = [
        Cut(one, float(scores[one.inside].mean()), float(scores[~one.inside].mean()), gap, p)
        for one, gap, p in zip(slices, gaps, ps, strict=True)
    ]
    return sorted(cuts, key=lambda cut: (cut.p, cut.gap.p, cut.gap.value, cut.slice.words))


def _gap(one: Slice, scores: Floats, groups: Any) -> Difference:
    if groups is not None and one.family != "group":
        return of_groups(scores, one.inside, groups)
    if set(np.unique(scores)) <= {0.0, 1.0}:
        hits, others = int(scores[one.inside].sum()), int(scores[~one.inside].sum())
        return of_shares(hits, one.rows, others, len(scores) - one.rows)
    return of_means(scores, one.inside)


def _finding(
    cut: Cut, task: Task, rows: Sequence[Example], answers: Sequence[Prediction], scores: Floats
) -> Finding:
    how = "worse than the rest" if cut.is_worse else "against the rest"
    sentence = (
        f"{cut.slice.words} ({cut.slice.rows} rows) scores {100 * cut.score:.1f},"
        f" the rest {100 * cut.rest:.1f}: {how}"
    )
    worst = _worst_rows(cut, task, rows, answers, scores) if cut.is_worse else []
    return Finding(
        sentence, cut.gap.value, cut.gap.low, cut.gap.high, "points", cut.is_worse, cut.p,
        tuple(rows[i].id for i in worst), cut.slice.words,
    )  # fmt: skip


def _worst_rows(
    cut: Cut, task: Task, rows: Sequence[Example], answers: Sequence[Prediction], scores: Floats
) -> list[int]:
    """Of a slice the rows with the fewest points, those that were answered surest first."""
    sure = [max(one.scores) if one.scores and task.has_labels else 0.0 for one in answers]
    inside = [int(i) for i in np.flatnonzero(cut.slice.inside)]
    worst = sorted(inside, key=lambda i: (scores[i], -sure[i], rows[i].id))
    return [i for i in worst[:_WORST] if scores[i] < 1]


def _worst(
    cut: Cut, task: Task, rows: Sequence[Example], answers: Sequence[Prediction], scores: Floats
) -> Sheet:
    lines = [
        (
            rows[i].id,
            beginning(rows[i].input.text, _SHOWN),
            beginning(" / ".join(rows[i].targets), _SHOWN),
            beginning(answers[i].answer, _SHOWN),
        )
        for i in _worst_rows(cut, task, rows, answers, scores)
    ]
    return Sheet(f"Worst rows of {cut.slice.words}", ("row", "text", "expected", "answer"),
                 tuple(lines))  # fmt: skip


def _table(cuts: Sequence[Cut], task: Task) -> Sheet:
    measure = "right" if task.has_labels else task.metric
    heads = ("slice", "rows", f"{measure} %", "rest %", "difference %", "from %", "to %",
             "p, held for all")  # fmt: skip
    lines = [
        (cut.slice.words, cut.slice.rows, cut.score, cut.rest, cut.gap.value, cut.gap.low,
         cut.gap.high, cut.p)
        for cut in cuts
    ]  # fmt: skip
    return Sheet("Every slice against the rest", heads, tuple(lines))


def _collapsed(
    task: Task, rows: Sequence[Example], answers: Sequence[Prediction], slices: Sequence[Slice]
) -> Iterator[Finding]:
    """Slices that fall on one answer where they should not; one for all rows, if all do."""
    if not task.has_labels:
        return
    given = np.array([one.answer for one in answers], dtype=object)
    right = np.array([row.label for row in rows], dtype=object)
    everything = Slice("rows", "all", np.ones(len(rows), dtype=bool))
    falls = [fall for one in (everything, *slices) if (fall := _fall(one, given, right))]
    if falls and falls[0].slice is everything:
        falls = falls[:1]
    falls.sort(key=lambda fall: (fall.gap.p, -fall.gap.value))
    ps = held([min(1.0, fall.gap.p * len(task.labels)) for fall in falls])
    for fall, p in zip(falls, ps, strict=True):
        yield Finding(
            fall.sentence, fall.gap.value, fall.gap.low, fall.gap.high, "points", p < ALPHA, p,
            about=f"one answer, {fall.slice.words}",
        )  # fmt: skip


@dataclass(frozen=True)
class Fall:
    """A slice of which most rows are answered alike, and how many more than is right."""

    slice: Slice
    sentence: str
    gap: Difference


def _fall(one: Slice, given: Any, right: Any) -> Fall | None:
    """None where no answer is given that often, or where it is about as often right."""
    answer, many = Counter(given[one.inside]).most_common(1)[0]
    true = float((right[one.inside] == answer).mean())
    if many < _MOSTLY * one.rows or many / one.rows - true < _EXCESS:
        return None
    every = "every row" if many == one.rows else f"{many} of {one.rows} rows"
    sentence = f"{one.words}: {every} answered '{answer}', which is right for {100 * true:.0f} %"
    if one.rows < len(given):
        sentence += f" (of the rest {100 * float((given[~one.inside] == answer).mean()):.0f} %"
        sentence += " are answered so)"
    sentence += ": these rows are hardly told apart; answered so too often"
    return Fall(one, sentence, of_pairs(_is(given, answer, one.inside),
                                        _is(right, answer, one.inside)))  # fmt: skip


def _is(values: Any, answer: str, inside: Bools) -> Bools:
    return np.asarray(values[inside] == answer, dtype=bool)


def _summary(cuts: Sequence[Cut], collapsed: Sequence[Finding], rows: int) -> str:
    worse = [cut for cut in cuts if cut.is_worse]
    begin = f"{len(worse)} of {len(cuts)} slices of {rows} rows are worse than the rest"
    if not worse:
        begin = (
            f"none of {len(cuts)} slices of {rows} rows is worse than the rest by more than luck"
        )
    one_answer = [one for one in collapsed if one.alarm]
    if one_answer:
        begin += f"; {len(one_answer)} fall{'s' * (len(one_answer) == 1)} on one answer"
    return begin


def _reach(cuts: Sequence[Cut], scores: Floats) -> list[str]:
    """How large a difference could be seen, of a slice of middle size."""
    from scipy.stats import norm

    if not cuts:
        return []
    count = sorted(cut.slice.rows for cut in cuts)[len(cuts) // 2]
    rest = len(scores) - count
    error = float(scores.std()) * (1 / count + 1 / rest) ** 0.5
    least = (float(norm.ppf(1 - ALPHA / len(cuts))) + 0.84) * error
    return [f"of a slice of {count} rows a difference of about {100 * least:.0f} points is seen 4"
            " times in 5; smaller ones are likely missed"]  # fmt: skip
