"""Argilla: records with the responses of several annotators, nested or as flat columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nshot.data.exports.export import Answer, Export, Marked, one_or_several
from nshot.data.table import Row

_RESPONSES = ".responses"


def _claims_records(row: Row) -> bool:
    return isinstance(row.get("fields"), dict) and isinstance(row.get("responses"), dict)


def _read_record(row: Row) -> Marked | None:
    """The answers to each question, and to the first where nobody names one."""
    marked = {
        name: _marked(
            row["fields"],
            [(one.get("value"), one.get("status")) for one in given if isinstance(one, Mapping)],
        )
        for name, given in row["responses"].items()
        if given
    }
    return _with_questions(marked, row["fields"])


def _with_questions(marked: Mapping[str, Marked], fields: Mapping[str, Any]) -> Marked:
    if not marked:
        return Marked(fields)
    first = next(iter(marked.values()))
    return replace(first, by_question={name: one.answers for name, one in marked.items()})


RECORDS = Export("Argilla", _claims_records, _read_record, frozenset({"fields", "responses"}))


def _claims_flat(row: Row) -> bool:
    return any(name.endswith(_RESPONSES) and f"{name}.users" in row for name in row)


def _read_flat(row: Row) -> Marked | None:
    names = [name.removesuffix(_RESPONSES) for name in row if name.endswith(_RESPONSES)]
    own = ("id", "status", "_server_id", "inserted_at", "updated_at")
    fields = {
        name: cell
        for name, cell in row.items()
        if name not in own and not any(name == n or name.startswith(f"{n}.") for n in names)
        and not name.startswith(("metadata", "vectors"))
    }  # fmt: skip
    marked = {}
    for name in names:
        values, statuses = row[f"{name}{_RESPONSES}"], row.get(f"{name}{_RESPONSES}.status")
        if values:
            statuses = statuses if isinstance(statuses, list) else [None] * len(values)
            marked[name] = _marked(fields, list(zip(values, statuses, strict=False)))
    return _with_questions(marked, fields)


FLAT = Export("Argilla (flat)", _claims_flat, _read_flat, frozenset())


def _marked(fields: Mapping[str, Any], given: list[tuple[Any, Any]]) -> Marked:
    """Drafts do not count; a record that everybody discarded is left out."""
    if given and all(status == "discarded" for _, status in given):
        return Marked(fields, left_out="discarded")
    answers: list[Answer] = []
    for value, status in given:
        if status in (None, "submitted") and value is not None:
            answers += one_or_several(value if isinstance(value, list) else [value])
    return Marked(fields, tuple(answers))
