"""Measurements, decision and advice put together: leaderboard.json and what stands behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nshot.bench.judging import Judged
from nshot.bench.request import FOLDS, SLOW_FOLDS, Prepared, Request
from nshot.board.decide import Column, Decision, decide, estimate, intervals
from nshot.board.reduce import (
    SCHEMA,
    Entry,
    Floats,
    Size,
    confusion,
    further_matrix,
    matrix,
    shown,
    summary,
)
from nshot.board.words import CostView, Wish, advise, cost_of, give_up_of
from nshot.core.types import Example, Measurement, Task
from nshot.methods import TABLE
from nshot.metrics import metric_of


@dataclass(frozen=True)
class Standing:
    """A run as it stands: finished, interrupted or half-way."""

    prepared: Prepared
    entries: Sequence[Entry]
    outside: Sequence[Entry]
    """Rows outside the choice: what was refitted, merged or exported from a row of `entries`."""
    fresh: tuple[str, Floats] | None
    """The pick that was measured on draws it was not chosen on, and its points there."""
    parameters: int = 0
    """How many the language model has; 0 without one."""
    judged: Judged | None = None
    """What the judge said, where one was named."""

    @property
    def request(self) -> Request:
        """What was asked for."""
        return self.prepared.request

    def columns(self, size: Size, wish: Wish) -> list[Column]:
        """What the decision sees of the methods measured at a size."""
        found = []
        for entry in self.entries:
            if entry.measured.get(size):
                row = summary(entry, self.prepared.task, [size], {})
                found.append(
                    Column(
                        entry.name,
                        matrix(entry, size, self.prepared.task),
                        cost_of(view_of(row), wish),
                        deterministic=self._still(entry, size),
                    )
                )
        return found

    def _still(self, entry: Entry, size: Size) -> bool:
        """No shot and no seed moves its answers: by what it is, or as several draws have shown."""
        draws = len(entry.measured[size])
        return not entry.method.learns or (
            draws > 1 and len(matrix(entry, size, self.prepared.task)) == 1
        )

    def board(self) -> dict[str, Any]:
        """leaderboard.json as things stand."""
        prepared, request = self.prepared, self.request
        bounds = {}
        decision: Decision | None = None
        columns: list[Column] = []
        for size in prepared.sizes:
            columns = self.columns(size, request.wish)
            if columns:
                decision = self._decide(columns, size)
                bounds[size] = {
                    c.name: (decision.low[c.name], decision.high[c.name]) for c in columns
                }
        also = self.also()
        rows = [
            summary(
                entry,
                prepared.task,
                prepared.sizes,
                bounds,
                self.parameters,
                also[entry.name],
                self._judge_cell(entry),
            )
            for entry in self.entries
        ]
        for row in rows:
            if row["status"] == "skipped" and row["reason"] is None:
                row["reason"] = "not reached: the run was interrupted"
        advice: dict[str, Any] | None = None
        if decision is not None and columns:
            advice = self._advice(columns, decision, rows)
        rows += [self.outside_row(entry) for entry in self.outside]
        return {
            "schema": SCHEMA,
            "fingerprint": prepared.split.fingerprint,
            "task": self._task_summary(),
            "methods": rows,
            "advice": advice,
        }

    @property
    def known(self) -> dict[str, Example]:
        """What every method answered, by id."""
        rows = self.prepared.split
        return {example.id: example for example in (rows.test or rows.train)}

    def also(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """``{score, low, high}`` of each row by each metric that does not decide."""
        found: dict[str, dict[str, Any]] = {entry.name: {} for entry in self.entries}
        for name in self.prepared.also:
            if columns := self._further(name):
                board = estimate(columns)
                for row, score, (low, high) in zip(
                    board.names, board.p.tolist(), intervals(board).tolist(), strict=True
                ):
                    found[row][name] = {"score": score, "low": low, "high": high}
        return found

    def _judge_cell(self, entry: Entry) -> Mapping[str, Any] | None:
        measured = entry.measured.get(self.prepared.largest)
        return self.judged.cell(entry.name) if self.judged and measured else None

    def _further(self, name: str) -> list[Column]:
        """The methods measured at the largest size, by the metric `name`; costs are not asked."""
        size, task, known = self.prepared.largest, self.prepared.task, self.known
        return [
            Column(
                entry.name,
                further_matrix(entry, size, task, name, known),
                cost=0.0,
                deterministic=self._still(entry, size),
            )
            for entry in self.entries
            if entry.measured.get(size)
        ]

    def _decide(self, columns: Sequence[Column], size: Size) -> Decision:
        request = self.request
        tried = sum(1 for e in self.entries if e.measured.get(size) or e.failed)
        give_up = give_up_of(request.wish) if request.give_up is None else request.give_up
        decision = decide(columns, give_up=give_up, tried=tried)
        if size != self.prepared.largest or self.fresh is None or self.fresh[0] != decision.pick:
            return decision
        return decide(columns, give_up=give_up, tried=tried, fresh=self.fresh[1])

    def _advice(
        self, columns: Sequence[Column], decision: Decision, rows: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        by_name = {row["name"]: row for row in rows}
        measured = [row for row in rows if row["status"] == "ok"]
        return advise(
            columns,
            decision,
            costs={row["name"]: view_of(row) for row in measured},
            wish=self.request.wish,
            skipped={r["name"]: r["reason"] for r in rows if r["status"] != "ok"},
            curve=curve_of(by_name[decision.pick]),
            folds=self.prepared.split.mode == "folds",
            metric=self.prepared.task.metric,
        )

    def _task_summary(self) -> dict[str, Any]:
        prepared = self.prepared
        task, rows, judged = prepared.task, prepared.split, self.judged
        return {
            "name": task.name,
            "kind": task.kind,
            "metric": task.metric,
            "also": list(prepared.also),
            "judge": judged and judged.summary(),
            "labels": [{"name": x.name, "description": x.description} for x in task.labels],
            "train": len(rows.train),
            "test": len(rows.test) or len(rows.train),
            "mode": rows.mode,
            "shots": [shown(size) for size in prepared.sizes],
            "seeds": prepared.request.seeds,
            "notes": [*rows.notes, *([judged.note()] if judged else [])],
        }

    def outside_row(self, entry: Entry) -> dict[str, Any]:
        """The row of something as it was saved, loaded and measured."""
        tested = bool(self.prepared.split.test)
        also = self._also_outside(entry) if tested else {}
        row = summary(entry, self.prepared.task, [None], {}, self.parameters, also)
        if not tested:
            row["score"], row["per_seed"], row["use_seconds_per_1000"] = None, [], None
            row["notes"].append("no test rows were held out: it saw all of them")
        return row

    def _also_outside(self, entry: Entry) -> dict[str, dict[str, float | None]]:
        """Scores by the further metrics, without intervals."""
        task, known = self.prepared.task, self.known
        return {
            name: {
                "score": float(further_matrix(entry, None, task, name, known).mean()),
                "low": None,
                "high": None,
            }
            for name in self.prepared.also
        }

    def points(self) -> dict[str, Any]:
        """What `nshot advise` decides on again."""
        largest = self.prepared.largest
        columns = self.columns(largest, "balanced")
        return {
            "methods": {
                c.name: {"points": c.points.tolist(), "deterministic": c.deterministic}
                for c in columns
            },
            "tried": sum(1 for e in self.entries if e.measured.get(largest) or e.failed),
            "fresh": self.fresh and {"pick": self.fresh[0], "points": self.fresh[1].tolist()},
        }

    def first(self, name: str) -> Measurement:
        """The first draw of a method at the largest size."""
        entry = next(entry for entry in self.entries if entry.name == name)
        return entry.measured[self.prepared.largest][0]

    def details(self, pick: str) -> dict[str, Any]:
        """What the report shows of the pick, and what one needs to doubt the board."""
        prepared, known = self.prepared, self.known
        measurement = self.first(pick)
        body: dict[str, Any] = {
            "models": {
                "language model": prepared.setting.base and prepared.setting.base.name,
                "encoder": prepared.setting.encoder and prepared.setting.encoder.name,
                "judge": prepared.setting.judge and prepared.setting.judge.name,
            },
            "seeds": list(range(prepared.request.seeds)),
            "fold_plan": _fold_plan(prepared),
            "mistakes": _mistakes(measurement, known, prepared.task),
        }
        if prepared.task.kind == "classify":
            labels = {key: example.label for key, example in known.items()}
            body["confusion"] = confusion(prepared.task, measurement, labels)
        return body


def view_of(row: Mapping[str, Any]) -> CostView:
    """The costs of a row of the board, as the decision weighs them."""
    return CostView(
        label=row["name"],
        rung=row["rung"],
        trains=TABLE[row.get("method", row["name"])].trains,
        build_seconds=row["build_seconds"],
        use_seconds_per_1000=row["use_seconds_per_1000"] or 0.0,
        peak_bytes=row["build_peak_bytes"],
        disk_bytes=row["disk_bytes"],
    )


def curve_of(row: Mapping[str, Any]) -> list[tuple[int, float]]:
    """(shots per label, score) where shots are a number."""
    return [(p["shots"], p["score"]) for p in row["curve"] if isinstance(p["shots"], int)]


def _fold_plan(prepared: Prepared) -> str:
    rows = prepared.split
    if rows.mode == "folds":
        return (
            f"no test file and {len(rows.train)} rows: every row is answered by a model that did"
            f" not see it ({FOLDS} folds, {SLOW_FOLDS} for methods of minutes, repeated)"
        )
    return f"{len(rows.train)} rows to draw from, {len(rows.test)} held out for the test"


def _mistakes(
    measurement: Measurement, known: Mapping[str, Any], task: Task
) -> list[dict[str, Any]]:
    """Answers that are not right; of a task of kind generate those short of the full score."""
    metric = metric_of(task)
    written = task.kind == "generate"
    found = []
    rows = zip(measurement.ids, measurement.predictions, measurement.points, strict=True)
    for key, prediction, stats in rows:
        example = known[key]
        point = metric.value(np.asarray(stats), 1) if written else None
        wrong = prediction.answer not in example.targets if point is None else point < 1
        if wrong:
            found.append(
                {
                    "id": key,
                    "text": example.input.text or _named(example),
                    "expected": " / ".join(example.targets),
                    "answer": prediction.answer,
                    "score": max(prediction.scores) if prediction.scores else None,
                    "point": point,
                }
            )
    return found


def _named(example: Example) -> str:
    """A picture by its folder and name."""
    return ", ".join("/".join(Path(image.path).parts[-2:]) for image in example.input.images)


def dump(body: Mapping[str, Any]) -> str:
    """JSON as it is written to disk; raises `ValueError` for a number that is not finite."""
    return json.dumps(body, ensure_ascii=False, indent=1, allow_nan=False)


def redecide(
    board: Mapping[str, Any],
    points: Mapping[str, Any],
    *,
    wish: Wish,
    give_up: float | None,
    training: bool,
    change_base: bool,
) -> dict[str, Any]:
    """The advice of a finished run under another wish: nothing is run again.

    `training` False leaves out what trains anything, `change_base` False what changes the base
    model's own weights; they stay on the board and count in the contest.
    """
    trained = [row for row in board["methods"] if row["form"] == "trained"]
    rows = {row["name"]: row for row in trained if row["name"] in points["methods"]}
    columns = []
    for name, body in points["methods"].items():
        view = view_of(rows[name])
        barred = (not training and view.trains != "nothing") or (
            not change_base and view.trains == "weights"
        )
        columns.append(
            Column(
                name,
                np.array(body["points"], dtype=np.float64),
                cost_of(view, wish),
                deterministic=body["deterministic"],
                allowed=not barred,
            )
        )
    chosen = give_up_of(wish) if give_up is None else give_up
    decision = decide(columns, give_up=chosen, tried=points["tried"])
    fresh = points["fresh"]
    if fresh and fresh["pick"] == decision.pick:
        seen = np.array(fresh["points"], dtype=np.float64)
        decision = decide(columns, give_up=chosen, tried=points["tried"], fresh=seen)
    return advise(
        columns,
        decision,
        costs={name: view_of(row) for name, row in rows.items()},
        wish=wish,
        skipped={r["name"]: r["reason"] for r in trained if r["status"] != "ok"},
        curve=curve_of(rows[decision.pick]),
        folds=board["task"]["mode"] == "folds",
        metric=board["task"]["metric"],
    )
