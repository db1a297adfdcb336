"""spaCy's text categories: ``{"text": ..., "cats": {"POS": 1.0, "NEG": 0.0}}``."""

from __future__ import annotations

from nshot.data.exports.export import Export, Marked, one_or_several
from nshot.data.table import Row

_SURE = 0.5


def _claims(row: Row) -> bool:
    return isinstance(row.get("text"), str) and isinstance(row.get("cats"), dict)


def _read(row: Row) -> Marked | None:
    """A category holds where its number is above a half."""
    cats = row["cats"]
    if not all(isinstance(value, int | float) for value in cats.values()):
        return None
    return Marked({"text": row["text"]}, one_or_several([c for c in cats if cats[c] > _SURE]))


SPACY = Export("spaCy cats", _claims, _read, frozenset({"text", "cats"}))
