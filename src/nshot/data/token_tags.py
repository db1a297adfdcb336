"""Rows of tokens with a tag each, as Hugging Face keeps them: they become texts with spans."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nshot.core.errors import Fault
from nshot.data.columns import Given
from nshot.data.faults import Faults
from nshot.data.files.conll import spans_of_tags
from nshot.data.table import Row, Table
from nshot.data.values import items_of

TEXT, SPANS = "text", "spans"
"""What the columns are called that are made."""
_TOKENS = ("tokens", "words")
_TAGS = ("ner_tags", "ner", "tags", "labels", "label", "bio", "slots", "slot_tags")
"""Names of columns of tags, the likeliest first."""
_OTHERS = re.compile(r"(x|u)?pos|chunk|lemma|head|dep|feat", re.IGNORECASE)
"""Beginnings of the names of what else is said of each token."""
_TAG = re.compile(r"O|[BIESLU]-.+")
_UNDERLINED = re.compile(r"([BIESLU])_(.+)")
_BEHIND = re.compile(r"(.+)[-_]([BIESLU])")
_LOOKED_AT = 200
_MOSTLY = 0.9
_SIGN = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Kana and ideographs, which stand side by side."""
_SIDE_BY_SIDE = re.compile(f"[{_SIGN}]{{2}}")
_NAMES = "data: {train: FILE, tags: [O, B-PER, I-PER, ...]}"


@dataclass(frozen=True)
class _Tagged:
    """The columns of tokens and of their tags."""

    tokens: str
    tags: str


def read_tokens(
    tables: Sequence[Table], given: Given, names: Sequence[str], faults: Faults, notes: list[str]
) -> Given:
    """Put texts and spans for tokens and tags, in tables that have such columns.

    `names` are those of tags that are numbers, from 0. The columns are chosen on the first table;
    what was given of them is given of the new ones. Noted is which, and what was assumed. Raises
    `InputError` where nothing tells what numbers mean.
    """
    tokens = _tokens(tables[0], given) if tables else None
    if tokens is None:
        return given
    tags = None if given.kind not in (None, "spans") else _tags(tables[0], tokens, given.label)
    if tags is None and TEXT in tables[0].columns and tokens not in given.text:
        return given  # the tokens only repeat the text
    named = list(names) or (_by_convention(tables[0], tags, notes, faults) if tags else [])
    for table in tables:
        if tokens in table.columns:
            _join(table, tokens)
            if tags in table.columns:
                _mark(table, _Tagged(tokens, tags), named, faults)
    between = f"'{tokens}' joined to texts"
    notes.append(f"{between}, '{tags}' read as spans" if tags else between)
    text = tuple(TEXT if name == tokens else name for name in given.text)
    return replace(given, text=text, label=SPANS if given.label == tags else given.label)


def join_tokens(table: Table) -> None:
    """Put a text for the tokens of each row, where the table has tokens and no text."""
    tokens = _tokens(table, Given()) if TEXT not in table.columns else None
    if tokens is not None:
        _join(table, tokens)


def _tokens(table: Table, given: Given) -> str | None:
    """The column whose cells are lists of words."""
    names = [name for name in given.text if name in table.columns] or [
        name for name in table.columns if name.casefold() in _TOKENS
    ]
    return next((name for name in names if _are_lists(table, name)), None)


def _are_lists(table: Table, name: str) -> bool:
    cells = [items_of(row.get(name)) for row in table.rows[:_LOOKED_AT]]
    words = [cell for cell in cells if cell is not None and all(isinstance(w, str) for w in cell)]
    return any(words) and len(words) == len(cells)


def _tags(table: Table, tokens: str, given: str | None) -> str | None:
    """The column of tags: the one that is given, or the likeliest of those as long as tokens."""
    if given:
        return given if _are_tags(table, tokens, given) else None
    others = [
        name
        for name in table.columns
        if name != tokens and not _OTHERS.match(name) and _are_tags(table, tokens, name)
    ]
    known = {name: place for place, name in enumerate(_TAGS)}
    return min(others, key=lambda name: known.get(name.casefold(), len(known)), default=None)


def _are_tags(table: Table, tokens: str, name: str) -> bool:
    rows = [(items_of(row.get(tokens)), items_of(row.get(name))) for row in table.rows[:_LOOKED_AT]]
    filled = [(words, tags) for words, tags in rows if words]
    alike = [tags for words, tags in filled if tags is not None and len(tags) == len(words)]
    if not alike or len(alike) < _MOSTLY * len(filled):
        return False
    items = [tag for tags in alike for tag in tags]
    numbers = all(type(tag) is int for tag in items)
    return numbers or ("O" in items and all(isinstance(tag, str) for tag in items))


def _by_convention(table: Table, tags: str, notes: list[str], faults: Faults) -> list[str]:
    """Names of numbers: 0 is outside, 1 and 2 begin and go on with the first label, and so on.

    [] where the tags are no numbers. Numbers do not fit where a 2 follows no 1 or 2.
    """
    rows = [items_of(row.get(tags)) or [] for row in table.rows]
    if not any(type(tag) is int for row in rows for tag in row):
        return []
    top = max((tag for row in rows for tag in row if type(tag) is int), default=0)
    places = [(row[i - 1] if i else 0, tag) for row in rows for i, tag in enumerate(row)]
    goes_on = [(before, tag) for before, tag in places if tag and tag % 2 == 0]
    loose = [tag for before, tag in goes_on if before not in (tag - 1, tag)]
    outside = sum(tag == 0 for _, tag in places)
    if min((tag for _, tag in places), default=0) < 0 or loose or 2 * outside < len(places):
        faults.add(
            Fault(
                f"'{tags}' holds numbers from 0 to {top}, and nothing says which tags they are",
                "tags as text (O, B-PER, I-PER), or their names in task.yaml in the numbers' order",
                _NAMES,
                str(table.path),
            )
        )
        raise faults.error()
    labels = [str(number) for number in range(1, (top + 1) // 2 + 1)]
    notes.append(
        f"the numbers of '{tags}' have no names: 0 read as outside, 1 and 2 as the first and a "
        f"further token of label 1, and so on; {_NAMES} in task.yaml names them"
    )
    return ["O", *(f"{mark}-{label}" for label in labels for mark in "BI")]


def _join(table: Table, tokens: str) -> None:
    for row in table.rows:
        row[TEXT] = _pieces(items_of(row.get(tokens)) or [])[0]
    table.columns = (TEXT, *(name for name in table.columns if name not in (TEXT, tokens)))


def _pieces(tokens: Sequence[str]) -> tuple[str, list[int]]:
    """The text of tokens, and where each begins in it.

    A space between them, but none between kana and ideographs, and none where a token is a space
    itself: then they are all that the text is made of.
    """
    whole = any(token and not token.strip() for token in tokens)
    text, starts = "", list[int]()
    for token in tokens:
        meets = whole or not text or not token or _SIDE_BY_SIDE.fullmatch(text[-1] + token[0])
        text += "" if meets else " "
        starts.append(len(text))
        text += token
    return text, starts


def _mark(table: Table, columns: _Tagged, names: Sequence[str], faults: Faults) -> None:
    """The column of spans; the lists go, for they are read."""
    for row, place in zip(table.rows, table.places, strict=True):
        row[SPANS] = _spans(row, columns, names, table, place, faults)
    lists = [name for name in table.columns if _is_list(table, name)]
    kept = [name for name in table.columns if name not in (*lists, columns.tags, SPANS)]
    table.columns = (*kept, SPANS)


def _is_list(table: Table, name: str) -> bool:
    return any(isinstance(row.get(name), list) for row in table.rows[:_LOOKED_AT])


def _spans(
    row: Row, columns: _Tagged, names: Sequence[str], table: Table, place: Any, faults: Faults
) -> list[list[Any]]:
    tokens, tags = (items_of(row.get(name)) or [] for name in (columns.tokens, columns.tags))
    if len(tokens) != len(tags):
        problem = f"{len(tokens)} tokens and {len(tags)} tags"
        faults.at(table.path, table.unit, place, problem, "a tag for each token")
        return []
    marks = [_tag(tag, names) for tag in tags]
    if None in marks:
        problem = f"'{columns.tags}' holds {tags[marks.index(None)]!r}"
        expected = f"a number below {len(names)}" if names else "O, or B-, I- with a label"
        faults.at(table.path, table.unit, place, problem, expected)
        return []
    starts = _pieces(tokens)[1]
    ends = [start + len(token) for start, token in zip(starts, tokens, strict=True)]
    return spans_of_tags(starts, ends, [mark or "O" for mark in marks])


def _tag(tag: Any, names: Sequence[str]) -> str | None:
    """The tag with its mark before the label; ``PER_B`` too, and a bare label as I-; else None."""
    if type(tag) is int:
        return _tag(names[tag], ()) if 0 <= tag < len(names) else None
    if not isinstance(tag, str) or not tag.strip():
        return None
    if _TAG.fullmatch(tag):
        return tag
    if match := _UNDERLINED.fullmatch(tag):
        return f"{match[1]}-{match[2]}"
    if match := _BEHIND.fullmatch(tag):
        return f"{match[2]}-{match[1]}"
    return f"I-{tag}"
