"""A run's winner in another form, answering the test rows: a row of the board outside the choice.

What was measured is kept in the run's store, so that the row is there again when the run goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.bench.jobs.deliver import WINNER, delivered
from nshot.bench.setting import Setting
from nshot.bench.store import Store, locked
from nshot.board.reduce import Entry, Facts, row_outside
from nshot.board.schema import Board, Row
from nshot.core.errors import Fault, InputError
from nshot.core.files import RECORD, folder_bytes
from nshot.core.serial import to_data
from nshot.core.types import Cost, Measurement, digest
from nshot.metrics import metric_of
from nshot.models.base import Models
from nshot.report import write as write_report
from nshot.use.exporting import Exported, export

KIND = "export"
"""Of such a result in a run's store."""
_LOADING = "its seconds have the loading of the form's runtime in them"


@dataclass(frozen=True)
class OnBoard:
    """A form of a run's winner: how its answers compare, and its row beside the row it is of."""

    exported: Exported
    row: Row
    parent: Row


def can_measure(root: Path) -> bool:
    """Whether `root` is a run with a winner and test rows that it did not learn from."""
    if not all((root / name).is_file() for name in ("leaderboard.json", "data/setting.json")):
        return False
    board = Board.read(root)
    learned_from_all = board.task.refit is not None and board.task.mode == "holdout"
    has_rows = board.task.mode != "folds" and not learned_from_all
    return has_rows and board.advice is not None and (root / WINNER / RECORD).is_file()


def export_run(root: Path, form: str, into: Path, models: Models) -> OnBoard:
    """Write the winner of the run `root` as `form`, let it answer the test rows, add its row.

    The answers are the form's own runtime's, in a new process; they are compared with those of
    ``winner/`` to the same rows. Raises `InputError` where the form cannot hold the winner, or the
    run has changed since, and `Locked` where the run is going on.
    """
    board, setting = Board.read(root), Setting.read(root)
    pick = board.advice.pick if board.advice else ""
    job, begun = delivered(root), time.monotonic()
    rows = setting.test
    exported = export(root / WINNER, form, into, models, [row.input for row in rows])
    writing = max(0.0, time.monotonic() - begun - exported.seconds)
    metric = metric_of(setting.task)
    origin = json.loads((root / WINNER / "method.json").read_text(encoding="utf-8"))
    method = setting.table.build(origin["spec"])
    notes = [_LOADING]
    if exported.differences:
        notes.append(f"{len(exported.differences)} of {len(rows)} answers are not the winner's")
    measurement = Measurement(
        job=digest(KIND, form, str(job), setting.split.fingerprint),
        method=method.name,
        spec=origin["spec"],
        rung=method.rung,
        form=form,
        parent=pick,
        fingerprint=setting.split.fingerprint,
        shots=None,
        draw=0,
        ids=tuple(row.id for row in rows),
        predictions=tuple(exported.answers),
        statistics=tuple(
            metric.statistics(row, one) for row, one in zip(rows, exported.answers, strict=True)
        ),
        build=Cost(seconds=writing, spent_seconds=writing, disk_bytes=folder_bytes(into)),
        use=Cost(seconds=exported.seconds, spent_seconds=exported.seconds),
        notes=tuple(notes),
        extra={"winner": job},
    )
    with locked(root):
        if delivered(root) != job:
            problem, do = "the run has another winner by now", f"nshot export {root} --to {form}"
            raise InputError(Fault(problem, "it as it was", do, str(root)))
        body: dict[str, Any] = to_data(measurement)
        Store(root).put(measurement.job, KIND, "ok", body)
        row = _add(root, setting, _entry(measurement, setting, board.row(pick)))
    return OnBoard(exported, row, board.row(pick))


def _entry(measurement: Measurement, setting: Setting, parent: Row) -> Entry:
    entry = exported_entry(measurement, setting)
    entry.name, entry.base, entry.encoder = parent.name, parent.base, parent.encoder
    return entry


def exported_entry(measurement: Measurement, setting: Setting) -> Entry:
    """What the board makes a row of."""
    method = setting.table.build(measurement.spec)
    entry = Entry(method, form=measurement.form, parent=measurement.parent)
    entry.name = measurement.parent or entry.name
    entry.measurements[None] = [measurement]
    return entry


def exports_of(store: Store) -> Iterator[Measurement]:
    """All that were measured in a run."""
    for job, kind, state in store.jobs():
        if kind == KIND and state == "ok":
            yield store.measurement(job)


def _add(root: Path, setting: Setting, entry: Entry) -> Row:
    """The board anew, with this row in the place of an earlier one of its form."""
    board = Board.read(root)
    facts = Facts(
        setting.task, setting.split, [None], 1, test=setting.test, also=tuple(board.task.also)
    )
    row = row_outside(facts, entry)
    others = [one for one in board.rows if (one.name, one.form) != (row.name, row.form)]
    board.model_copy(update={"rows": (*others, row)}).having(board.points).write(root)
    write_report(root)
    return row
