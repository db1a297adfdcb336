"""Argilla: records with the responses of several annotators, nested or as flat columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nshot.data.exports.export import Answer, Export, Marked, one_or_several
from nshot.data.table import Row

_RESPONSES = ".responses"


def _claims_records(row: Row) -> bool:
    return isinstance(row.get("fields"), dict) and isinstance(row.get("responses"), dict)


def _read_record(row: Row) -> Marked | None:
    """One question a record: with several it is not clear which is the label."""
    topics = {name: given for name, given in row["responses"].items() if given}
    if len(topics) > 1:
        return None
    given = [one for responses in topics.values() for one in responses]
    return _marked(
        row["fields"],
        [(one.get("value"), one.get("status")) for one in given if isinstance(one, Mapping)],
    )


RECORDS = Export("Argilla", _claims_records, _read_record, frozenset({"fields", "responses"}))


def _claims_flat(row: Row) -> bool:
    return any(name.endswith(_RESPONSES) and f"{name}.users" in row for name in row)


def _read_flat(row: Row) -> Marked | None:
    questions = [name for name in row if name.endswith(_RESPONSES) and row[name]]
    names = [name.removesuffix(_RESPONSES) for name in row if name.endswith(_RESPONSES)]
    if len(names) > 1:
        return None
    own = ("id", "status", "_server_id", "inserted_at", "updated_at")
    fields = {
        name: cell
        for name, cell in row.items()
        if name not in own and not any(name == n or name.startswith(f"{n}.") for n in names)
        and not name.startswith(("metadata", "vectors"))
    }  # fmt: skip
    if not questions:
        return Marked(fields)
    values, statuses = row[questions[0]], row.get(f"{questions[0]}.status")
    statuses = statuses if isinstance(statuses, list) else [None] * len(values)
    return _marked(fields, list(zip(values, statuses, strict=False)))


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
