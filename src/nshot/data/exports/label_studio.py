"""Label Studio: JSON (tasks with their annotations), and JSON-MIN and CSV (a row an annotation)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nshot.data.exports.export import Answer, Export, Marked, one_or_several, rest
from nshot.data.table import Row

_OWN = frozenset(
    {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "completed_by",
     "agreement", "file_upload", "inner_id"}
)  # fmt: skip


def _claims_tasks(row: Row) -> bool:
    return isinstance(row.get("data"), dict) and isinstance(row.get("annotations"), list)


def _read_task(row: Row) -> Marked | None:
    given = [one for one in row["annotations"] if isinstance(one, dict)]
    sound = [one for one in given if not one.get("was_cancelled")]
    if given and not sound:
        return Marked(row["data"], left_out="skipped by the annotator")
    unmarked = sound and all(one.get("result") == [] for one in sound)
    if unmarked or any(_marks(one.get("result")) for one in sound):
        return Marked(row["data"], spans=tuple(_spans(one.get("result")) for one in sound))
    answers = [_choices(one.get("result")) for one in sound]
    if None in answers:
        return None
    return Marked(row["data"], tuple(a for one in answers for a in one or ()))


def _marks(results: Any) -> bool:
    """Does an annotation mark pieces of the text?"""
    return any(_labelled(result) for result in (results if isinstance(results, list) else ()))


def _labelled(result: Any) -> Mapping[str, Any] | None:
    value = result.get("value") if isinstance(result, Mapping) else None
    return value if isinstance(value, Mapping) and "labels" in value else None


def _spans(results: Any) -> tuple[Any, ...]:
    """The pieces that one annotation marks, each with its labels; what else it has is left out."""
    values = [_labelled(result) for result in (results if isinstance(results, list) else ())]
    return tuple(value for value in values if value)


def _choices(results: Any) -> tuple[Answer, ...] | None:
    """The choices (or stars, or numbers) of one annotation; None where it marks something else."""
    labels: list[Any] = []
    for result in results if isinstance(results, list) else []:
        value = result.get("value") if isinstance(result, dict) else None
        if not isinstance(value, Mapping):
            return None
        cell = next((value[key] for key in ("choices", "rating", "number") if key in value), None)
        if cell is None:
            return None
        labels += cell if isinstance(cell, list) else [cell]
    return one_or_several(labels)


TASKS = Export("Label Studio", _claims_tasks, _read_task, frozenset({"data", "annotations"}))


def _claims_rows(row: Row) -> bool:
    return {"annotation_id", "lead_time"} <= set(row)


def _read_row(row: Row) -> Marked | None:
    """The label is the last column that the tool does not write for itself: its own control."""
    fields = rest(row, _OWN)
    if len(fields) < 2:
        return None
    control = list(fields)[-1]
    cell = fields.pop(control)
    if isinstance(cell, str) and cell.startswith("{"):
        try:
            cell = json.loads(cell)
        except ValueError:
            return None
    if isinstance(cell, Mapping):
        cell = cell.get("choices")
    answers = one_or_several(cell if isinstance(cell, list) else [cell]) if cell else ()
    return Marked(fields, answers, key=str(row.get("id", "")))


ROWS = Export("Label Studio (a row an annotation)", _claims_rows, _read_row, _OWN)
