"""Columns of spans: how they are written, and what is wrong with one."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

from nshot.core.spans import Span, crossing, splits_a_character, trimmed
from nshot.data.table import Table, cell_text

SPAN_LISTS = ("entities", "spans")
"""Names of columns of spans, and keys of a mapping that holds the list: spaCy writes
``{"entities": [[0, 5, "PER"]]}``."""
_START = ("start", "start_offset", "begin")
_END = ("end", "end_offset", "stop")
_LABEL = ("label", "labels", "type", "entity", "entity_group", "entity_type", "tag")
EXPECTED = 'a list of spans: [{"start": 0, "end": 5, "label": "PER"}], or [] where there is none'
_LOOKED_AT = 200
"""Rows of a column that tell whether it holds spans."""


def holds_spans(table: Table, column: str) -> bool:
    """Are all lists of the column's first rows spans, and one at least not empty?"""
    cells = [row[column] for row in table.rows[:_LOOKED_AT] if row.get(column) not in (None, "")]
    lists = [_items(cell) for cell in cells]
    filled = [items for items in lists if items]
    return bool(filled) and None not in lists and all(span_of(items[0]) for items in filled)


def read_spans(
    name: str, cell: Any, text: str, problems: list[tuple[str, str]]
) -> tuple[Span, ...] | None:
    """The spans of a cell into `text`, without white space at their ends, in their order.

    None where something is wrong: problems (what was found, what was expected) go into `problems`.
    """
    items = _items(cell)
    if items is None:
        held = "is missing" if cell in (None, "") else f"holds a {type(cell).__name__}"
        problems.append((f"'{name}' {held}", EXPECTED))
        return None
    before = len(problems)
    spans = [span for item in items if (span := _checked(name, item, text, problems))]
    if pair := crossing(list(dict.fromkeys(spans))):
        first, second = (f"{_where(one)} {text[one.start : one.end]!r}" for one in pair)
        problems.append((f"{first} and {second} overlap", "spans that share no character"))
    return None if len(problems) > before else tuple(sorted(set(spans)))


def _checked(name: str, item: Any, text: str, problems: list[tuple[str, str]]) -> Span | None:
    span = span_of(item)
    if span is None:
        problems.append((f"'{name}' holds {item!r}", EXPECTED))
        return None
    piece = text[max(0, span.start) : max(0, span.end)]
    inner = trimmed(text, span)
    if not 0 <= span.start < span.end <= len(text):
        length = f"the text has {len(text)} characters"
        problems.append((f"{_where(span)}: {length}", "0 <= start < end <= that"))
    elif splits_a_character(text, span.start) or splits_a_character(text, span.end):
        expected = "offsets in characters (code points), not within one"
        problems.append((f"{_where(span)} {piece!r} splits a character", expected))
    elif inner.start == inner.end:
        problems.append((f"{_where(span)} holds nothing but space", "a piece of the text"))
    elif (stated := _stated(item)) is not None and stated.strip() != piece.strip():
        expected = "offsets that count characters from 0, the end not included"
        problems.append((f"{_where(span)} is {piece!r}, not {stated!r} as beside it", expected))
    else:
        return inner
    return None


def _where(span: Span) -> str:
    return f"{span.label} {span.start}-{span.end}"


def parsed(text: str) -> Any:
    """The value that a text holds as JSON or as Python prints it; None where it holds none."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text.strip())
        except (ValueError, RecursionError, SyntaxError, MemoryError):
            continue
    return None


def _items(cell: Any) -> list[Any] | None:
    """The list of a cell, also where a text holds it or it stands under a key; else None."""
    if isinstance(cell, str) and cell.strip()[:1] in ("[", "{"):
        cell = parsed(cell)
    if isinstance(cell, Mapping):
        cell = next((cell[key] for key in SPAN_LISTS if key in cell), None)
    return cell if isinstance(cell, list) else None


def span_of(item: Any) -> Span | None:
    """``[start, end, label]``, or a mapping with these under one of their usual keys."""
    parts: Sequence[Any] = ()
    if isinstance(item, Mapping):
        parts = [_first(item, keys) for keys in (_START, _END, _LABEL)]
    elif isinstance(item, Sequence) and not isinstance(item, str) and len(item) == 3:
        parts = item
    if not parts:
        return None
    start, end, label = parts
    name = label[0] if isinstance(label, list) and len(label) == 1 else label
    if type(start) is not int or type(end) is not int or not isinstance(name, str | int):
        return None
    return Span(start, end, words) if (words := str(name).strip()) else None


def _first(item: Mapping[Any, Any], keys: Sequence[str]) -> Any:
    return next((item[key] for key in keys if key in item), None)


def _stated(item: Any) -> str | None:
    """What the span is, where the data say it beside the offsets."""
    return cell_text(item["text"]) if isinstance(item, Mapping) and item.get("text") else None
