"""Measurements on the same test examples, side by side, and what was skipped and why: the board."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nshot.board.calibration import calibration_cell
from nshot.board.decide import Column, Floats, Question, estimate, intervals
from nshot.board.judge import Verdicts
from nshot.board.positive import positive_cell
from nshot.board.reliance import (
    latency,
    passed_on,
    passed_words,
    reliance_cell,
    reliance_words,
    taught_cell,
    taught_words,
    unanswered,
)
from nshot.board.schema import (
    Board,
    CalibrationCell,
    CurvePoint,
    Estimate,
    FreshPoints,
    JudgeCell,
    LabelNote,
    LearningCurve,
    Points,
    Row,
    RowPoints,
    Shots,
    Status,
    TaskSummary,
    Trial,
    TrialScore,
    Wish,
)
from nshot.board.writing import writing_cell, writing_words
from nshot.core.types import Example, Form, Measurement, Split, Task, digest, group_numbers
from nshot.methods.contract import Method
from nshot.methods.spec import spec
from nshot.metrics import Metric, metric_of, points, score

_LOSSES = 60
"""Points of a learning curve, at most: a training has hundreds of steps."""
Size: TypeAlias = int | None
"""Shots per label; None: all rows."""
Estimates: TypeAlias = Mapping[str, Estimate]
"""Of each row."""


class Searching(NamedTuple):
    """What a search took, in seconds and in money for answers."""

    seconds: float = 0.0
    money: float = 0.0

    def plus(self, other: Searching) -> Searching:
        """Both."""
        return Searching(self.seconds + other.seconds, self.money + other.money)


@dataclass
class Entry:
    """One contender of a run, filled as its jobs end.

    `base` and `encoder` are named where several take part, `parameters` are those of its language
    model (0 without one). `measurements` has the draws for each size of shots, `spec` the settings
    that the search chose, `searching` what each size's search took (charged once).
    `statistics` keeps those of metrics that do not decide, by job and metric, and `calibrations`
    how far probabilities came true, by job and rows: a board is written often. `failed` by raising
    (`broken`) is a fault of the run, a finding (did not learn) is none.
    `parts` are measurements on so many of the labelled rows. `aside` says why a race put it aside.
    `chance` is that of being the pick and `left_seconds` the forecast of what was left to do, where
    it was put aside or not reached, or the minutes ended before it was through (`stopped`); `trial`
    is how it did before any test row.
    `saved` is the folder that answered, in that of the run, where it is kept.
    `searched` is False where its settings are open and were not searched. `folds` are those of its
    points.
    """

    method: Method
    name: str = ""
    base: str | None = None
    encoder: str | None = None
    parameters: int = 0
    measurements: dict[Size, list[Measurement]] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    spec: Mapping[str, Any] | None = None
    searching: dict[Size, Searching] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    reason: str | None = None
    failed: bool = False
    broken: bool = False
    parts: dict[int, list[Measurement]] = field(default_factory=dict)
    aside: str = ""
    chance: float | None = None
    left_seconds: float | None = None
    stopped: bool = False
    trial: TrialScore | None = None
    saved: str | None = None
    searched: bool = True
    folds: int = 0
    forecast_seconds: float | None = None
    form: Form = "trained"
    parent: str | None = None
    statistics: dict[tuple[str, str], Floats] = field(default_factory=dict)
    calibrations: dict[str, CalibrationCell | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = self.name or self.method.called

    def status(self, size: Size) -> Status:
        """``ok`` with a measurement at `size`."""
        if self.failed:
            return "failed"
        if self.aside:
            return "aside"
        if self.measurements.get(size):
            return "ok"
        return "skipped"


@dataclass(frozen=True)
class Facts:
    """What a board must know of its run besides the measurements.

    `sizes` rise, the board stands at the last. `test` are the rows that are answered, in that
    order (by default that of the split), `look` is the how-manyth at them. `models` are names by
    what they are for, `also` the metrics that do not decide, `fold_plan` says how rows were held
    out. `refit`: rows that the pick is fitted on anew (`--refit-on-all`).
    """

    task: Task
    split: Split
    sizes: Sequence[Size]
    seeds: int
    test: Sequence[Example] = ()
    question: Question = 2
    refit: int | None = None
    look: int = 1
    models: Mapping[str, str | None] = field(default_factory=dict)
    also: Sequence[str] = ()
    fold_plan: str = ""
    wish: Wish = field(default_factory=Wish)

    @property
    def largest(self) -> Size:
        """Where the board stands."""
        return self.sizes[-1]

    @property
    def fingerprint(self) -> str:
        """Of all rows, the test rows that came later too."""
        before = self.split.fingerprint
        return before if self.look == 1 else digest(before, *self.examples)

    @cached_property
    def examples(self) -> dict[str, Example]:
        """What every method answers, by id, in the order of answering."""
        rows = self.test or self.split.test or self.split.train
        return {example.id: example for example in rows}

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each test row in that order."""
        return {name: place for place, name in enumerate(self.examples)}

    @cached_property
    def groups(self) -> list[int] | None:
        """The number of each test row's group."""
        return group_numbers(tuple(self.examples.values()))


def reduce(
    facts: Facts,
    entries: Sequence[Entry],
    outside: Sequence[Entry] = (),
    fresh: tuple[str, Floats] | None = None,
    verdicts: Verdicts | None = None,
) -> Board:
    """The board of a run as it stands, finished or half-way, with the advice under its wish.

    `outside` are rows outside the choice: refitted, merged or exported from a row of `entries`.
    `fresh` is the pick that was measured on draws it was not chosen on, and its (draws, test
    examples) points there.
    """
    task, also = facts.task, _also(facts, entries)
    scores = {size: _estimates(_columns(entries, size, facts), facts) for size in facts.sizes}
    rows = []
    for entry in entries:
        measured = verdicts and entry.measurements.get(facts.largest)
        judge = verdicts.cell(entry.name) if verdicts and measured else None
        row = row_of(entry, task, facts.sizes, scores, also[entry.name], judge)
        rows.append(_with_calibration(facts, entry, facts.largest, row))
    columns = _columns(entries, facts.largest, facts)
    board = Board(
        fingerprint=facts.fingerprint,
        task=_task_summary(facts, verdicts),
        rows=(*map(_reached, rows), *(row_outside(facts, entry) for entry in outside)),
    ).having(
        Points(
            rows={
                c.name: RowPoints(
                    points=c.points.tolist(),
                    deterministic=c.deterministic,
                    fast=c.fast,
                    searched=c.searched,
                    folds=c.folds,
                    without=None if c.without is None else c.without.tolist(),
                )
                for c in columns
            },
            question=facts.question,
            ids=tuple(facts.examples),
            groups=facts.groups,
            contenders=sum(
                bool(e.measurements.get(facts.largest)) or e.failed or bool(e.aside)
                for e in entries
            ),
            look=facts.look,
            fresh=fresh and FreshPoints(pick=fresh[0], points=fresh[1].tolist()),
        )
    )
    if not columns:
        return board
    return board.model_copy(update={"advice": board.decide(facts.wish)})


def _reached(row: Row) -> Row:
    if row.status != "skipped" or row.reason is not None:
        return row
    return row.model_copy(update={"reason": "not reached: the run was interrupted"})


# ---------------------------------------------------------------------------------------- points


def matrix(entry: Entry, size: Size, facts: Facts) -> Floats:
    """(draws, rows) points, in the order of answering.

    Draws with the very same points are one draw.
    """
    measurements = entry.measurements[size]
    drawn = [np.array(m.statistics, dtype=np.float64) for m in measurements]
    return _matrix(metric_of(facts.task), measurements, drawn, facts.places)


def further_matrix(entry: Entry, size: Size, facts: Facts, name: str) -> Floats:
    """What `matrix` is, by the metric `name`."""
    metric, drawn, examples = metric_of(facts.task, name), [], facts.examples
    for m in entry.measurements[size]:
        if len(entry.statistics.get((m.job, name), ())) != len(m.ids):  # a race goes on
            answers = zip(m.ids, m.predictions, strict=True)
            rows = [metric.statistics(examples[key], answer) for key, answer in answers]
            entry.statistics[m.job, name] = np.array(rows)
        drawn.append(entry.statistics[m.job, name])
    return _matrix(metric, entry.measurements[size], drawn, facts.places)


def _matrix(
    metric: Metric,
    measurements: Sequence[Measurement],
    drawn: Sequence[Floats],
    places: Mapping[str, int],
) -> Floats:
    rows = []
    for measurement, statistics in zip(measurements, drawn, strict=True):
        order = np.argsort([places[name] for name in measurement.ids])
        rows.append(points(metric, statistics[order]))
    stacked = np.stack(rows)
    same = (stacked == stacked[0]).all()
    return stacked[:1] if same else stacked


def draw_scores(entry: Entry, size: Size, task: Task) -> list[float]:
    """The score of each draw."""
    metric = metric_of(task)
    return [
        score(metric, np.array(measurement.statistics, dtype=np.float64))
        for measurement in entry.measurements.get(size, [])
    ]


def _columns(entries: Sequence[Entry], size: Size, facts: Facts, metric: str = "") -> list[Column]:
    """The rows measured at a size, by the task's metric or another; their costs left out."""
    columns = []
    for e in entries:
        if not e.measurements.get(size):
            continue
        values = further_matrix(e, size, facts, metric) if metric else matrix(e, size, facts)
        columns.append(
            Column(
                e.name,
                values,
                0.0,
                deterministic=_still(e, size, facts),
                fast=e.method.fast,
                searched=e.searched,
                folds=e.folds,
                without=None if metric else _without_groups(e, size, facts),
            )
        )
    return columns


def _without_groups(entry: Entry, size: Size, facts: Facts) -> Floats | None:
    """(groups,) score without each group, of a metric that is no mean; None where none is needed.

    Means over the draws.
    """
    metric = metric_of(facts.task)
    if facts.groups is None or metric.mean:
        return None
    scores = []
    for m in entry.measurements[size]:
        statistics = np.array(m.statistics, dtype=np.float64)
        numbers = np.array([facts.groups[facts.places[name]] for name in m.ids])
        scores.append([score(metric, statistics[numbers != g]) for g in np.unique(numbers)])
    return np.asarray(np.mean(scores, axis=0), dtype=np.float64)


def _still(entry: Entry, size: Size, facts: Facts) -> bool:
    """No shot and no seed moves its answers: by what it is, or as several draws have shown."""
    draws = 1 if entry.folds else len(entry.measurements[size])
    return not entry.method.learns or (draws > 1 and len(matrix(entry, size, facts)) == 1)


def _estimates(columns: Sequence[Column], facts: Facts) -> Estimates:
    """Scores on all test rows, carried there for a row that answered the first of them."""
    if not columns:
        return {}
    contest = estimate(columns, question=facts.question, groups=facts.groups)
    means, ends = np.clip(contest.p, 0, 1).tolist(), intervals(contest).tolist()
    return {
        name: Estimate(score=mean, low=low, high=high)
        for name, mean, (low, high) in zip(contest.names, means, ends, strict=True)
    }


def _also(facts: Facts, entries: Sequence[Entry]) -> dict[str, dict[str, Estimate]]:
    """The estimate of each row by each metric that does not decide."""
    size = facts.largest
    cells: dict[str, dict[str, Estimate]] = {entry.name: {} for entry in entries}
    present = [entry for entry in entries if entry.measurements.get(size)]
    for metric in facts.also if present else ():
        of_metric = _estimates(_columns(present, size, facts, metric), facts)
        for name, cell in of_metric.items():
            cells[name][metric] = cell
    return cells


# ------------------------------------------------------------------------------------------ rows


def shown(size: Size) -> Shots:
    """A size as the JSON has it."""
    return "all" if size is None else size


def row_of(
    entry: Entry,
    task: Task,
    sizes: Sequence[Size],
    estimates: Mapping[Size, Estimates] | None = None,
    also: Mapping[str, Estimate] | None = None,
    judge: JudgeCell | None = None,
) -> Row:
    """The entry as a row of the board; it stands at the last of `sizes`.

    `estimates` are those by size, `also` those by metrics that do not decide, `judge` is what a
    judge says of it.
    """
    largest, estimates = sizes[-1], estimates or {}
    scores = draw_scores(entry, largest, task)
    own = estimates.get(largest, {}).get(entry.name, Estimate())
    measurements = entry.measurements.get(largest, [])
    chosen, status = entry.spec or spec(entry.method), entry.status(largest)
    notes = [*entry.notes, *(note for m in measurements for note in m.notes)]
    reliance = reliance_cell(measurements[0]) if measurements else None
    passed = passed_on(measurements) if entry.method.name == "cascade" else None
    notes += [*passed_words(passed, _to_a_person(measurements)), *reliance_words(reliance)]
    taught = taught_cell(measurements[0]) if measurements else None
    notes += taught_words(taught)
    notes += unanswered(task, measurements[:1])
    written = writing_cell(measurements)
    notes += writing_words(written)
    return Row(
        name=entry.name,
        method=entry.method.name,
        base=entry.base,
        encoder=entry.encoder,
        rung=entry.method.rung,
        trains=entry.method.trains,
        settings={k: v for k, v in chosen.items() if k != "method"},
        status=status,
        reason=entry.aside or entry.reason,
        test_rows=len(measurements[0].ids) if measurements else None,
        searched=entry.searched,
        chance=entry.chance if status in ("aside", "skipped") else None,
        saved=entry.saved,
        left_seconds=entry.left_seconds if status in ("aside", "skipped") else None,
        stopped=entry.stopped,
        trial=entry.trial,
        score=own.score if entry.aside else float(np.mean(scores)) if scores else None,
        low=own.low,
        high=own.high,
        per_seed=tuple(scores),
        also=also or {},
        judge=judge,
        curve=(*_curve_of_parts(entry, task), *_curve(entry, task, sizes, estimates)),
        gain=_gain(entry, task),
        learning_curve=_learning_curve(measurements),
        trials=entry.trials or _attempts(measurements),
        **_costs(entry, measurements, entry.searching.get(largest, Searching())),
        trained_share=_share(entry, measurements),
        forecast_seconds=entry.forecast_seconds,
        form=entry.form,
        parent=entry.parent,
        notes=tuple(dict.fromkeys(notes)),
        reliance=reliance,
        passed_on=passed,
        taught=taught,
        writing=written,
        latency=latency(measurements) if entry.method.has_seconds else None,
        beside=_beside(measurements),
    )


def _to_a_person(measurements: Sequence[Measurement]) -> bool:
    return any(one.abstained for m in measurements[:1] for one in m.predictions)


def row_outside(facts: Facts, entry: Entry) -> Row:
    """The row of something as it was saved, loaded and measured; no intervals."""
    task = facts.task
    if not facts.split.test or not entry.measurements[None][0].ids:
        row = row_of(entry, task, [None])
        note = "it learned from all rows, so none is left to measure it on"
        return row.model_copy(
            update={
                "score": None,
                "per_seed": (),
                "use_seconds_per_1000": None,
                "notes": (*row.notes, note),
            }
        )
    also = {}
    for name in facts.also:
        mean = further_matrix(entry, None, facts, name).mean()
        also[name] = Estimate(score=float(mean))
    return _with_calibration(facts, entry, None, row_of(entry, task, [None], also=also))


def _with_calibration(facts: Facts, entry: Entry, size: Size, row: Row) -> Row:
    """The row with how far the probabilities of its first draw came true, and part yes from no."""
    measurements = entry.measurements.get(size)
    if not measurements:
        return row
    first = measurements[0]
    key = f"{first.job}:{len(first.ids)}"  # a race goes on
    if key not in entry.calibrations:
        entry.calibrations[key] = calibration_cell(facts.task, first, facts.examples)
    positive = positive_cell(facts.task, first, facts.examples)
    return row.model_copy(update={"calibration": entry.calibrations[key], "positive": positive})


def _curve(
    entry: Entry, task: Task, sizes: Sequence[Size], estimates: Mapping[Size, Estimates]
) -> tuple[CurvePoint, ...]:
    curve = []
    for size in sizes:
        if scores := draw_scores(entry, size, task):
            own, mean = estimates.get(size, {}).get(entry.name, Estimate()), float(np.mean(scores))
            if entry.aside and own.score is not None:  # carried from its rows to all
                mean = own.score
            curve.append(CurvePoint(shots=shown(size), score=mean, low=own.low, high=own.high))
    return tuple(curve)


def _curve_of_parts(entry: Entry, task: Task) -> tuple[CurvePoint, ...]:
    """The mean score on each part of the labelled rows."""
    metric = metric_of(task)
    return tuple(
        CurvePoint(
            shots="all",
            rows=rows,
            score=float(np.mean([score(metric, np.array(m.statistics)) for m in drawn])),
        )
        for rows, drawn in sorted(entry.parts.items())
    )


def _gain(entry: Entry, task: Task) -> Estimate | None:
    """The score on all labelled rows minus that on the largest part, with its 95 % interval.

    Luck is in the test rows (in pairs) and in which rows the part has: the variance of the mean of
    the differences, and that of the draws over their number.
    """
    if not entry.parts or not entry.measurements.get(None):
        return None
    whole, drawn = entry.measurements[None][0], entry.parts[max(entry.parts)]
    metric = metric_of(task)
    places = {name: place for place, name in enumerate(whole.ids)}
    table = np.array(
        [
            points(metric, np.array(m.statistics, dtype=np.float64))[
                np.argsort([places[name] for name in m.ids])
            ]
            for m in drawn
        ]
    )
    count = table.shape[1]  # rows that came later were answered by the whole alone
    own = points(metric, np.array(whole.statistics[:count], dtype=np.float64))
    difference = own - table.mean(axis=0)
    variance = difference.var(ddof=1) / count + table.mean(axis=1).var(ddof=1) / len(table)
    mean, reach = float(difference.mean()), 1.96 * float(variance) ** 0.5
    return Estimate(score=mean, low=mean - reach, high=mean + reach)


def _attempts(measurements: Sequence[Measurement]) -> tuple[Trial, ...]:
    """What the first draw tried inside, of a method that searches while it adapts."""
    return tuple(Trial(**one) for m in measurements[:1] for one in m.extra.get("attempts", ()))


def _learning_curve(measurements: Sequence[Measurement]) -> LearningCurve | None:
    """How the loss fell in the first draw, or None where nothing was trained by steps.

    The losses of the steps are means over as many steps as leave few points; each stands at the
    last of its steps.
    """
    drawn = (m.extra.get("learning_curve") for m in measurements)
    first = next((c for c in drawn if c and (c["train"] or c.get("rounds"))), None)
    if first is None:
        return None
    losses = first["train"]
    width = max(1, -(-len(losses) // _LOSSES))
    train = [
        (min(start + width, len(losses)), float(np.mean(losses[start : start + width])))
        for start in range(0, len(losses), width)
    ]
    rounds = first.get("rounds", {})
    return LearningCurve(train=train, validation=first["validation"], rounds=rounds)


def _costs(entry: Entry, measurements: Sequence[Measurement], search: Searching) -> dict[str, Any]:
    """Medians over the draws; to build is one adaptation and the search before it."""
    if not measurements:
        return {}
    rows = sum(len(m.ids) for m in measurements)
    trains = [m.train_score for m in measurements if m.train_score is not None]
    builds = [m.build for m in measurements]
    spent = sum(m.build.spent_seconds + m.use.seconds for m in measurements)
    tokens = sum(m.use.tokens_in + m.use.tokens_out for m in measurements)
    known = [m for m in measurements if m.ids and entry.method.has_seconds]
    uses = [m.use.seconds / len(m.ids) for m in known]
    money = sum(m.use.money for m in measurements)
    return {
        "train_score": float(np.mean(trains)) if trains else None,
        "trained_params": max(build.trained_params for build in builds),
        "build_seconds": float(np.median([build.seconds for build in builds])) + search.seconds,
        "spent_seconds": spent + search.seconds,
        "build_money": float(np.median([build.money for build in builds])) + search.money or None,
        "build_peak_bytes": max(build.peak_bytes for build in builds),
        "use_seconds_per_1000": float(np.median(uses)) * 1000 if uses else None,
        "tokens_per_request": tokens / rows if rows else None,
        "money_per_1000": 1000 * money / rows if rows and money else None,
        "disk_bytes": max(build.disk_bytes for build in builds),
    }


def _share(entry: Entry, measurements: Sequence[Measurement]) -> float | None:
    """Trained parameters over those of the language model; None where it is not what is trained."""
    trained = max((m.build.trained_params for m in measurements), default=0)
    if entry.method.trains not in ("adapter", "weights") or not trained or not entry.parameters:
        return None
    return trained / entry.parameters


def _beside(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Mean over the draws of what stands beside the method."""
    rows: list[Mapping[str, float]] = [m.extra.get("beside", {}) for m in measurements]
    names = rows[0] if rows else ()
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}


def _fewest(facts: Facts) -> int | None:
    """Labelled rows of the rarest label."""
    if not facts.task.has_labels or not facts.split.train:
        return None
    return min(Counter(example.label for example in facts.split.train).values())


def _task_summary(facts: Facts, verdicts: Verdicts | None) -> TaskSummary:
    task, rows = facts.task, facts.split
    return TaskSummary(
        name=task.name,
        kind=task.kind,
        metric=task.metric,
        question=facts.question,
        refit=facts.refit,
        also=tuple(facts.also),
        judge=verdicts and verdicts.summary(),
        labels=tuple(LabelNote(name=x.name, description=x.description) for x in task.labels),
        train=len(rows.train),
        test=len(facts.examples),
        mode=rows.mode,
        shots=tuple(map(shown, facts.sizes)),
        fewest=_fewest(facts),
        seeds=facts.seeds,
        notes=(*rows.notes, *((verdicts.note(),) if verdicts else ())),
    )
