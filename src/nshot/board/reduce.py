"""Measurements on the same test examples, side by side, and what was skipped and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Example, Form, Measurement, Task, Trial
from nshot.methods.contract import Method, spec
from nshot.metrics import Metric, metric_of, points, score

SCHEMA = 1
_LOSSES = 60
"""Points of a learning curve, at most: a training has hundreds of steps."""
Floats = NDArray[np.float64]
Size: TypeAlias = int | None
"""Shots per label; None: all rows."""
Status: TypeAlias = Literal["ok", "skipped", "failed"]


@dataclass
class Entry:
    """One method of a run, filled as its jobs end.

    `measured` has the draws' measurements for each size of shots; `searched` the bodies of the
    searches behind them (their seconds are charged once).
    """

    method: Method
    measured: dict[Size, list[Measurement]] = field(default_factory=dict)
    tried: tuple[Trial, ...] = ()
    chosen: Mapping[str, Any] | None = None
    search_seconds: dict[Size, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    reason: str | None = None
    failed: bool = False
    broken: bool = False
    """Failed by raising, as opposed to a finding (did not learn): the run ends with exit code 3."""
    forecast_seconds: float | None = None
    form: Form = "trained"
    parent: str | None = None
    marks: dict[tuple[str, str], Floats] = field(default_factory=dict)
    """Statistics by metrics that do not decide, by job and metric: a board is written often."""

    @property
    def name(self) -> str:
        """The method's name on the board."""
        return self.method.called

    def status(self, size: Size) -> Status:
        """``ok`` with a measurement at `size`."""
        if self.measured.get(size):
            return "ok"
        return "failed" if self.failed else "skipped"


def matrix(entry: Entry, size: Size, task: Task) -> Floats:
    """(draws, examples) points, examples in the order of the ids.

    Draws with the very same points are one draw.
    """
    drawn = [np.array(m.points, dtype=np.float64) for m in entry.measured[size]]
    return _matrix(metric_of(task), entry.measured[size], drawn)


def further_matrix(
    entry: Entry, size: Size, task: Task, name: str, known: Mapping[str, Example]
) -> Floats:
    """What `matrix` is, by the metric `name`; `known` are the test examples by id."""
    metric, drawn = metric_of(task, name), []
    for m in entry.measured[size]:
        if (m.job, name) not in entry.marks:
            said = zip(m.ids, m.predictions, strict=True)
            entry.marks[m.job, name] = np.array([metric.stats(known[i], p) for i, p in said])
        drawn.append(entry.marks[m.job, name])
    return _matrix(metric, entry.measured[size], drawn)


def _matrix(metric: Metric, measured: Sequence[Measurement], drawn: Sequence[Floats]) -> Floats:
    rows = []
    for measurement, stats in zip(measured, drawn, strict=True):
        order = np.argsort(np.array(measurement.ids))
        rows.append(points(metric, stats[order]))
    stacked = np.stack(rows)
    same = (stacked == stacked[0]).all()
    return stacked[:1] if same else stacked


def draw_scores(entry: Entry, size: Size, task: Task) -> list[float]:
    """The score of each draw."""
    metric = metric_of(task)
    return [
        score(metric, np.array(measurement.points, dtype=np.float64))
        for measurement in entry.measured.get(size, [])
    ]


def shown(size: Size) -> int | str:
    """A size as the JSON has it."""
    return "all" if size is None else size


def summary(
    entry: Entry,
    task: Task,
    sizes: Sequence[Size],
    intervals: Mapping[Size, Mapping[str, tuple[float, float]]],
    parameters: int = 0,
    also: Mapping[str, Mapping[str, float | None]] | None = None,
    judge: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The entry as a row of leaderboard.json; it stands at the last of `sizes`.

    `parameters` are those of the language model; 0 where there is none or nobody knows. `also` is
    ``{metric: {score, low, high}}`` of the metrics that do not decide, `judge` what a judge said.
    """
    largest = sizes[-1]
    status = entry.status(largest)
    scores = draw_scores(entry, largest, task)
    low, high = intervals.get(largest, {}).get(entry.name, (None, None))
    return {
        "name": entry.name,
        "method": entry.method.name,
        "rung": entry.method.rung,
        "settings": _settings(entry),
        "status": status,
        "reason": entry.reason,
        "score": float(np.mean(scores)) if scores else None,
        "low": low,
        "high": high,
        "per_seed": scores,
        "also": dict(also or {}),
        "judge": judge and dict(judge),
        "curve": _curve(entry, task, sizes, intervals),
        "learning_curve": _learning_curve(entry, largest),
        "tried": [
            {"settings": dict(t.settings), "score": t.score, "chosen": t.chosen, "note": t.note}
            for t in entry.tried
        ],
        **_costs(entry.measured.get(largest, []), entry.search_seconds.get(largest, 0.0)),
        "trained_share": _share(entry, largest, parameters),
        "forecast_seconds": entry.forecast_seconds,
        "form": entry.form,
        "parent": entry.parent,
        "notes": list(dict.fromkeys([*entry.notes, *_said(entry, largest)])),
        "beside": _beside(entry, largest),
    }


def _settings(entry: Entry) -> dict[str, Any]:
    body = dict(entry.chosen or spec(entry.method))
    body.pop("method", None)
    return body


def _curve(
    entry: Entry,
    task: Task,
    sizes: Sequence[Size],
    intervals: Mapping[Size, Mapping[str, tuple[float, float]]],
) -> list[dict[str, Any]]:
    curve = []
    for size in sizes:
        scores = draw_scores(entry, size, task)
        if scores:
            low, high = intervals.get(size, {}).get(entry.name, (None, None))
            curve.append(
                {"shots": shown(size), "score": float(np.mean(scores)), "low": low, "high": high}
            )
    return curve


def _learning_curve(entry: Entry, size: Size) -> dict[str, Any] | None:
    """How the loss fell in the first draw, or None where nothing was trained by steps.

    The losses of the steps are means over as many steps as leave few points; each stands at the
    last of its steps.
    """
    drawn = [m.extra.get("learning_curve") for m in entry.measured.get(size, [])]
    kept = next((curve for curve in drawn if curve and curve["train"]), None)
    if kept is None:
        return None
    losses = kept["train"]
    width = -(-len(losses) // _LOSSES)
    train = [
        [min(start + width, len(losses)), float(np.mean(losses[start : start + width]))]
        for start in range(0, len(losses), width)
    ]
    return {"train": train, "watched": [[step, loss] for step, loss in kept["watched"]]}


def _costs(measured: Sequence[Measurement], search_seconds: float) -> dict[str, Any]:
    """Medians over the draws; to build is one adaptation and the search before it."""
    if not measured:
        return dict.fromkeys(
            ("train_score", "trained_params", "build_seconds", "spent_seconds", "build_peak_bytes",
             "use_seconds_per_1000", "tokens_per_request", "disk_bytes")
        )  # fmt: skip
    rows = sum(len(m.ids) for m in measured)
    trains = [m.train_score for m in measured if m.train_score is not None]
    return {
        "train_score": float(np.mean(trains)) if trains else None,
        "trained_params": max(m.build.trained_params for m in measured),
        "build_seconds": float(np.median([m.build.seconds for m in measured])) + search_seconds,
        "spent_seconds": sum(m.build.spent_seconds + m.use.seconds for m in measured)
        + search_seconds,
        "build_peak_bytes": max(m.build.peak_bytes for m in measured),
        "use_seconds_per_1000": (
            float(np.median([m.use.seconds / len(m.ids) for m in measured])) * 1000
            if rows
            else None
        ),
        "tokens_per_request": (
            sum(m.use.tokens_in + m.use.tokens_out for m in measured) / rows if rows else None
        ),
        "disk_bytes": max(m.build.disk_bytes for m in measured),
    }


def _share(entry: Entry, size: Size, parameters: int) -> float | None:
    """Trained parameters over those of the language model; None where it is not what is trained."""
    trained = max((m.build.trained_params for m in entry.measured.get(size, [])), default=0)
    if entry.method.trains not in ("adapter", "weights") or not trained or not parameters:
        return None
    return trained / parameters


def _said(entry: Entry, size: Size) -> list[str]:
    return [note for m in entry.measured.get(size, []) for note in m.notes]


def _beside(entry: Entry, size: Size) -> dict[str, float]:
    """Mean over the draws of what stands beside the method."""
    rows = [m.extra.get("beside", {}) for m in entry.measured.get(size, [])]
    return (
        {what: float(np.mean([r[what] for r in rows if what in r])) for what in rows[0]}
        if rows
        else {}
    )


def confusion(task: Task, measurement: Measurement, expected: Mapping[str, str]) -> dict[str, Any]:
    """Counts[i][j]: examples of label i answered j; a last column for answers that are no label."""
    names = list(task.label_names)
    index = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names) + 1), dtype=int)
    for key, prediction in zip(measurement.ids, measurement.predictions, strict=True):
        counts[index[expected[key]], index.get(prediction.answer, len(names))] += 1
    if not counts[:, -1].any():
        counts = counts[:, :-1]
        return {"labels": names, "counts": counts.tolist()}
    return {"labels": names, "answers": [*names, "(no label)"], "counts": counts.tolist()}
