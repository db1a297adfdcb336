"""doccano: JSONL with the labels of each text in a list."""

from __future__ import annotations

from typing import Any

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


def _claims_old(row: Row) -> bool:
    given = row.get("annotations")
    if not isinstance(row.get("text"), str) or not isinstance(given, list):
        return False
    if not given:
        return "meta" in row or "annotation_approver" in row
    return all(isinstance(one, dict) and {"label", "user"} <= one.keys() for one in given)


def _read_old(row: Row) -> Marked | None:
    """What each user gave: labels of the text, or of pieces of it.

    doccano 1 writes the numbers of labels; their names are in a file of its own.
    """
    users: dict[str, list[dict[str, Any]]] = {}
    for one in row["annotations"]:
        users.setdefault(str(one["user"]), []).append(one)
    fields = rest(row, frozenset({*_OWN, "annotations"}))
    if any("start_offset" in one for one in row["annotations"]):
        return Marked(fields, spans=tuple(users.values()))
    given = [one_or_several([one["label"] for one in marks]) for marks in users.values()]
    return Marked(fields, tuple(answer for answers in given for answer in answers))


DOCCANO_1 = Export("doccano 1 (labels by their numbers)", _claims_old, _read_old, _OWN)
