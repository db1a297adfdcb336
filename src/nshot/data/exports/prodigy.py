"""Prodigy: JSONL with what the annotator said of a label, or chose among options."""

from __future__ import annotations

from nshot.data.exports.export import Export, Marked, one_or_several
from nshot.data.table import Row, Table

_ANSWERS = frozenset({"accept", "reject", "ignore"})
_OWN = frozenset(
    {"answer", "label", "options", "accept", "config", "meta", "tokens", "spans", "html", "image",
     "_input_hash", "_task_hash", "_session_id", "_view_id", "_annotator_id", "_timestamp",
     "_is_binary"}
)  # fmt: skip


CONTRARY = "_contrary"
"""Where the name stands of what a text is that does not have a file's only label."""


def name_contrary(table: Table) -> None:
    """Where all rows ask for one label, and some reject it, give what is rejected a name."""
    names = {row.get("label") for row in table.rows}
    kinds = {row.get("answer") for row in table.rows}
    others = any("options" in row or "accept" in row or "spans" in row for row in table.rows)
    if len(names) != 1 or others or not {"accept", "reject"} <= kinds:
        return
    contrary = f"not {names.pop()}"
    table.notes.append(f"one label only: rows that were rejected have the label {contrary!r}")
    for row in table.rows:
        row[CONTRARY] = contrary


def _claims(row: Row) -> bool:
    marked = "label" in row or "options" in row or "accept" in row or "_task_hash" in row
    return row.get("answer") in _ANSWERS and isinstance(row.get("text"), str) and marked


def _read(row: Row) -> Marked | None:
    """One that was rejected says what a text is not: nothing to learn from, unless the file has
    one label only, whose contrary is then named."""
    fields = {"text": row["text"]}
    key = str(row.get("_input_hash", "")) if row.get("_session_id") else ""
    if row["answer"] == "reject" and row.get(CONTRARY):
        return Marked(fields, (row[CONTRARY],), key)
    if row["answer"] != "accept":
        return Marked(fields, left_out=f"answer: {row['answer']}")
    if {"spans", "tokens"} & set(row) and not {"label", "options", "accept"} & set(row):
        return Marked(fields, key=key, spans=(row.get("spans") or [],))
    if "options" in row or "accept" in row:
        chosen = row.get("accept")
        return Marked(fields, one_or_several(chosen), key) if isinstance(chosen, list) else None
    label = row.get("label")
    return Marked(fields, (label,), key) if isinstance(label, str) else None


PRODIGY = Export("Prodigy", _claims, _read, _OWN)
