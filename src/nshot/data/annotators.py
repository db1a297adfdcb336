"""Several people who gave a label to one text, in columns or in rows: a vote, with agreement."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from nshot.data.exports.export import Marked
from nshot.data.exports.votes import LABEL, vote_on
from nshot.data.faults import Place
from nshot.data.table import Row, Table, cell_text
from nshot.data.values import missing_texts

_PEOPLE = (
    r"annotators?|annotations?|annot|raters?|ratings?|coders?|judges?|reviewers?|label?lers?|"
    r"workers?|experts?|crowd|votes?|평가자|라벨러|작업자|주석자"
)
_WIDE = re.compile(rf"(?:(?:{_PEOPLE})[ _.-]?(?:labels?[ _.-]?)?)(?:\d+|[a-e])", re.IGNORECASE)
"""``annotator_1``, ``Rater A``, ``평가자2``."""
_LONG = re.compile(rf"(?:{_PEOPLE})(?:[ _.-]?(?:id|no|name|번호))?", re.IGNORECASE)
"""``worker_id``, ``annotator``."""
_SHARED = 0.5
"""Of the values of two annotators, how many both give, at least."""
_FEW = 0.5
"""Different values of an annotator, of the rows, at most."""


def fold_annotators(table: Table, taken: Sequence[str]) -> bool:
    """Where each annotator has a column, put one of labels in their place; False elsewhere."""
    names = [n for n in table.columns if n not in taken and _WIDE.fullmatch(n)]
    if LABEL in table.columns or len(names) < 2 or not _give_the_same(table, names):
        return False
    missing = missing_texts(Counter(t for n in names for t in _texts(table, n)), ())
    kept: list[tuple[Marked, Place]] = []
    for row, place in zip(table.rows, table.places, strict=True):
        texts = [(cell_text(row.get(name)) or "").strip() for name in names]
        fields = {name: cell for name, cell in row.items() if name not in names}
        kept.append((Marked(fields, tuple(t for t in texts if t and t not in missing)), place))
    shown = ", ".join(map(repr, names))
    table.notes.append(f"{table.path.name}: {shown} are the labels of several annotators")
    vote_on(table, kept, LABEL)
    return True


def _texts(table: Table, name: str) -> list[str]:
    return [text for row in table.rows if (text := (cell_text(row.get(name)) or "").strip())]


def _give_the_same(table: Table, names: Sequence[str]) -> bool:
    """Do the columns hold labels, and each two mostly the same ones?"""
    kinds = [set(_texts(table, name)) for name in names]
    few = all(1 <= len(one) <= max(2, _FEW * len(table.rows)) for one in kinds)
    alike = all(len(a & b) >= _SHARED * len(a | b) for a, b in combinations(kinds, 2))
    return few and alike and len(set().union(*kinds)) > 1


def join_annotators(table: Table, text: Sequence[str], label: str) -> None:
    """Where each row is the label of one annotator, put one row for each text, with the vote.

    A column names the annotators, most texts have several, and no annotator has a text twice.
    """
    who = next((name for name in table.columns if _LONG.fullmatch(name)), None)
    if who is None or who in (*text, label):
        return
    groups: dict[tuple[str, ...], list[tuple[Row, Place]]] = {}
    for row, place in zip(table.rows, table.places, strict=True):
        key = tuple(cell_text(row.get(name)) or str(row.get(name)) for name in text)
        groups.setdefault(key, []).append((row, place))
    several = [rows for rows in groups.values() if len(rows) > 1]
    people = [[cell_text(row.get(who)) for row, _ in rows] for rows in several]
    if 2 * len(several) < len(groups) or any(len({*one}) < len(one) for one in people):
        return
    missing = missing_texts(Counter(_texts(table, label)), ())
    kept: list[tuple[Marked, Place]] = []
    for rows in groups.values():
        first, place = rows[0]
        fields = {name: cell for name, cell in first.items() if name not in (label, who)}
        texts = [(cell_text(row.get(label)) or "").strip() for row, _ in rows]
        kept.append((Marked(fields, tuple(t for t in texts if t and t not in missing)), place))
    count = len(table.rows)
    table.notes.append(
        f"{table.path.name}: '{who}' names the annotators of {count} rows: {len(kept)} texts"
    )
    vote_on(table, kept, label)
