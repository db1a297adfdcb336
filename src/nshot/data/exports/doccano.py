"""doccano: JSONL with the labels of each text in a list."""

from __future__ import annotations

from nshot.data.exports.export import Export, Marked, one_or_several, rest
from nshot.data.table import Row

_OWN = frozenset({"id", "label", "Comments", "comments", "meta"})


def _claims(row: Row) -> bool:
    own = "Comments" in row or "comments" in row
    return isinstance(row.get("text"), str) and isinstance(row.get("label"), list) and own


def _read(row: Row) -> Marked | None:
    if not row["label"] or any(isinstance(label, list) for label in row["label"]):
        return Marked(rest(row, _OWN), spans=(row["label"],))
    if not all(isinstance(label, str) for label in row["label"]):
        return None
    return Marked(rest(row, _OWN), one_or_several(row["label"]))


DOCCANO = Export("doccano", _claims, _read, _OWN)
