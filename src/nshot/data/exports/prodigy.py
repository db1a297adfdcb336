"""Prodigy: JSONL with what the annotator said of a label, or chose among options."""

from __future__ import annotations

from nshot.data.exports.export import Export, Marked, one_or_several
from nshot.data.table import Row

_ANSWERS = frozenset({"accept", "reject", "ignore"})
_OWN = frozenset(
    {"answer", "label", "options", "accept", "config", "meta", "tokens", "spans", "html", "image",
     "_input_hash", "_task_hash", "_session_id", "_view_id", "_annotator_id", "_timestamp",
     "_is_binary"}
)  # fmt: skip


def _claims(row: Row) -> bool:
    marked = "label" in row or "options" in row or "accept" in row or "_task_hash" in row
    return row.get("answer") in _ANSWERS and isinstance(row.get("text"), str) and marked


def _read(row: Row) -> Marked | None:
    """One that was rejected says what a text is not: nothing to learn from."""
    fields = {"text": row["text"]}
    if row["answer"] != "accept":
        return Marked(fields, left_out=f"answer: {row['answer']}")
    key = str(row.get("_input_hash", "")) if row.get("_session_id") else ""
    if {"spans", "tokens"} & set(row) and not {"label", "options", "accept"} & set(row):
        return Marked(fields, key=key, spans=(row.get("spans") or [],))
    if "options" in row or "accept" in row:
        chosen = row.get("accept")
        return Marked(fields, one_or_several(chosen), key) if isinstance(chosen, list) else None
    label = row.get("label")
    return Marked(fields, (label,), key) if isinstance(label, str) else None


PRODIGY = Export("Prodigy", _claims, _read, _OWN)
