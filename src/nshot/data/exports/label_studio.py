"""Label Studio: JSON (tasks with their annotations), and JSON-MIN and CSV (a row an annotation)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nshot.data.exports.export import Answer, Export, Marked, one_or_several, rest
from nshot.data.table import Row, Table, cell_text

_OWN = frozenset(
    {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "completed_by",
     "agreement", "file_upload", "inner_id"}
)  # fmt: skip


def _claims_tasks(row: Row) -> bool:
    return isinstance(row.get("data"), dict) and isinstance(_annotations(row), list)


def _annotations(row: Row) -> Any:
    """Under their name, or the one that they had before 2021."""
    return row.get("annotations", row.get("completions"))


def _read_task(row: Row) -> Marked | None:
    given = [one for one in _annotations(row) if isinstance(one, dict)]
    sound = [one for one in given if not one.get("was_cancelled")]
    if given and not sound:
        return Marked(row["data"], left_out="skipped by the annotator")
    results = [_results(one) for one in sound]
    by_question = {
        name: tuple(a for one in results for a in _choices(one, name) or ())
        for name in _questions(results)
    }
    unmarked = sound and all(one.get("result") == [] for one in sound)
    if unmarked or any(map(_marks, results)):
        spans = tuple(tuple(v for r in one if (v := _labelled(r))) for one in results)
        return Marked(row["data"], spans=spans, by_question=by_question)
    answers = [_choices(one) for one in results]
    if None in answers:
        return None
    every = tuple(a for one in answers for a in one or ())
    return Marked(row["data"], every, by_question=by_question)


def _results(annotation: Mapping[str, Any]) -> Sequence[Any]:
    results = annotation.get("result")
    return results if isinstance(results, list) else ()


def _questions(annotations: Sequence[Sequence[Any]]) -> list[str]:
    """The names of the controls that hold choices, stars or numbers."""
    names = [
        str(result["from_name"])
        for results in annotations
        for result in results
        if isinstance(result, Mapping) and "from_name" in result and _cell(result) is not None
    ]
    return list(dict.fromkeys(names))


def _marks(results: Sequence[Any]) -> bool:
    """Does an annotation mark pieces of the text?"""
    return any(map(_labelled, results))


def _labelled(result: Any) -> Mapping[str, Any] | None:
    value = result.get("value") if isinstance(result, Mapping) else None
    return value if isinstance(value, Mapping) and "labels" in value else None


def _cell(result: Mapping[str, Any]) -> Any:
    """What was chosen; None where something else was done."""
    value = result.get("value")
    if not isinstance(value, Mapping):
        return None
    return next((value[key] for key in ("choices", "rating", "number") if key in value), None)


def _choices(results: Sequence[Any], question: str | None = None) -> tuple[Answer, ...] | None:
    """The choices (or stars, or numbers) of one annotation, to one question where that is named;
    None where it marks something else."""
    labels: list[Any] = []
    for result in results:
        if question is not None and result.get("from_name") != question:
            continue
        cell = _cell(result) if isinstance(result, Mapping) else None
        if cell is None:
            return None
        labels += cell if isinstance(cell, list) else [cell]
    return one_or_several(labels)


TASKS = Export(
    "Label Studio", _claims_tasks, _read_task, frozenset({"data", "annotations", "completions"})
)


def _claims_rows(row: Row) -> bool:
    return {"annotation_id", "lead_time"} <= set(row)


def _read_row(row: Row) -> Marked | None:
    """The label is the last column that the tool does not write for itself: its own control."""
    fields = rest(row, _OWN)
    if len(fields) < 2:
        return None
    control = list(fields)[-1]
    answers = _chosen(fields.pop(control))
    if answers is None:
        return None
    return Marked(fields, answers, key=str(row.get("id", "")))


def _chosen(cell: Any) -> tuple[Answer, ...] | None:
    """A choice, or the object of several; None for an object that is none."""
    if isinstance(cell, str) and cell.startswith("{"):
        try:
            cell = json.loads(cell)
        except ValueError:
            return None
    if isinstance(cell, Mapping):
        cell = cell.get("choices")
    return one_or_several(cell if isinstance(cell, list) else [cell]) if cell else ()


ROWS = Export("Label Studio (a row an annotation)", _claims_rows, _read_row, _OWN)


def control_last(table: Table) -> list[str]:
    """Put the column of answers last, where columns stand by the alphabet; the names of all such.

    Answers are few, texts are many. Where that does not tell, the order of columns stands.
    """
    names = [name for name in table.columns if name not in _OWN]
    few = [name for name in names if _is_few(table, name)]
    if few and len(few) < len(names) and names[-1] not in few:
        last = few[-1]
        table.columns = (*(name for name in table.columns if name != last), last)
        table.rows = [{name: row.get(name) for name in table.columns} for row in table.rows]
    return few if len(few) < len(names) else []


def _is_few(table: Table, name: str) -> bool:
    cells = [_as_key(row.get(name)) for row in table.rows]
    filled = [cell for cell in cells if cell]
    return 1 < len({*filled}) <= len(filled) // 2


def _as_key(cell: Any) -> str:
    text = cell_text(cell)
    return json.dumps(cell, default=str) if text is None else text.strip()
