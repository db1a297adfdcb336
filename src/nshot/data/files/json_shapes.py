"""Shapes of a JSON document that hold rows.

An array of objects is one. Others are columns (``{"text": [...], "label": [...]}``, or with row
numbers as pandas writes them), rows by their number, a header and arrays, one list of rows beside
other keys, and texts by label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from nshot.core.errors import Fault, InputError
from nshot.data.header import names_by_content, why_data
from nshot.data.part_column import PART
from nshot.data.roles import are_parts, role_of
from nshot.data.table import cell_text

_CALLED = ("tag", "intent", "name", "label", "category", "topic", "class")
_SAMPLES = (
    "patterns", "utterances", "examples", "texts", "phrases", "questions", "samples", "sentences",
    "queries", "inputs", "trainingPhrases", "training_phrases", "documents",
)  # fmt: skip
"""Keys of a label, and of the list of its texts."""
_LEAST = 4
"""Texts with labels that make a document a map of them."""
_SHORT = 40
"""Characters up to which, on average, the values of a column may be labels."""


class Shape(NamedTuple):
    """Rows, each an object where all is well, and what was assumed of the shape ("": nothing)."""

    rows: list[Any]
    note: str = ""


def rows_in(whole: Any, path: Path) -> Shape:
    """The rows of a document. Raises `InputError` where it holds none, or more than one list."""
    if isinstance(whole, list):
        return _array(whole)
    if isinstance(whole, dict) and whole:
        values = list(whole.values())
        if _is_split(whole):
            return _named(
                whole["columns"], whole["data"], "columns and data, as pandas writes them"
            )
        if (parts := _parts(whole)) is not None:
            return parts
        if _are_rows(whole.get("data")) and (shape := _of_paragraphs(whole["data"])):
            return shape
        if _is_page(whole):
            return _page(whole)
        if _is_map(whole):
            rows = [{"text": text, "label": label} for text, label in whole.items()]
            return Shape(rows, "each key is a text, its value the label")
        if all(isinstance(value, list) for value in values) and not _is_row(whole):
            return _lists(whole, path)
        if len(values) > 1 and all(isinstance(value, dict) for value in values):
            return _mappings(whole, path)
        inner = _lists_of_rows(whole)
        if len(inner) == 1:
            return _inner(*inner[0])
        if len(inner) > 1:
            raise InputError(_several(path, inner))
        if _is_row(whole):
            return Shape([whole])
    raise InputError(
        Fault(
            f"a JSON {'object' if isinstance(whole, dict) else 'value'} without rows",
            "an array of objects, one object a line, or columns",
            'such as [{"text": "...", "label": "..."}]',
            str(path),
        )
    )


def _array(items: list[Any]) -> Shape:
    """Objects; or arrays of one length, the first with the names unless it looks like data."""
    if (texts := _texts_by_name(items)) is not None:
        return texts
    if not _are_arrays(items):
        return Shape(items)
    cells = [[cell_text(cell) or "" for cell in item] for item in items]
    names = cells[0]
    if reason := why_data(names, cells[1:]):
        own = names_by_content(cells, len(names))
        called = f"no names, for {reason}; the columns are called {', '.join(own)}"
        return _named(own, items, f"arrays: {called}")
    if all(isinstance(name, str) for name in items[0]) and len({*names}) == len(names):
        return _named(names, items[1:], "arrays, the first of which has the names")
    return Shape(items)


def _texts_by_name(items: Sequence[Any]) -> Shape | None:
    """A row for each text of ``{"tag": ..., "patterns": [...]}`` and its like; else None."""
    if not items or not all(isinstance(item, dict) for item in items):
        return None
    name = next((one for one in _CALLED if all(isinstance(i.get(one), str) for i in items)), None)
    texts = next((one for one in _SAMPLES if all(_are_texts(i.get(one)) for i in items)), None)
    if name is None or texts is None or len({item[name] for item in items}) < len(items):
        return None
    rest = dict.fromkeys(key for item in items for key in item if key not in (name, texts))
    unused = f"; not used: {', '.join(rest)}" if rest else ""
    rows = [{"text": text, "label": item[name]} for item in items for text in item[texts]]
    return Shape(rows, f"each '{name}' is a label, its '{texts}' the texts{unused}")


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _of_paragraphs(documents: Sequence[Any]) -> Shape | None:
    """A row for each question of SQuAD's documents, paragraphs and questions; else None."""
    if not all(isinstance(one, dict) and _are_rows(one.get("paragraphs")) for one in documents):
        return None
    paragraphs = [one for document in documents for one in document["paragraphs"]]
    if not all(isinstance(one.get("qas"), list) for one in paragraphs):
        return None
    rows = [
        {"context": one.get("context"), "answers": [], **question}
        for one in paragraphs
        for question in one["qas"]
        if isinstance(question, dict)
    ]
    return Shape(rows, "questions about paragraphs, as SQuAD has them") if rows else None


def _are_arrays(items: Sequence[Any]) -> bool:
    """Two lists or more, of one length, that hold no lists or objects themselves."""
    return (
        len(items) > 1
        and all(isinstance(item, list) for item in items)
        and len({len(item) for item in items}) == 1 < len(items[0])
        and not any(isinstance(cell, list | dict) for item in items for cell in item)
    )


def _parts(whole: Mapping[str, Any]) -> Shape | None:
    """The rows of each part under the part's name; None for a document that has no such parts."""
    roles = {key: value for key, value in whole.items() if role_of(key)}
    if not are_parts(roles) or not all(isinstance(value, list) for value in roles.values()):
        return None
    every = [item for value in roles.values() for item in value]
    read = _array(every)
    if len(read.rows) != len(every) or not all(isinstance(row, dict) for row in read.rows):
        return None
    names = [key for key, value in roles.items() for _ in value]
    rows = [{**row, PART: name} for row, name in zip(read.rows, names, strict=True)]
    rest = [key for key in whole if key not in roles]
    unused = f"; not used: {', '.join(rest)}" if rest else ""
    return Shape(
        rows, f"parts {', '.join(roles)}{unused}" + (f"; {read.note}" if read.note else "")
    )


def _inner(keys: Sequence[str], rows: list[Any]) -> Shape:
    """The rows of a list under keys."""
    shape = _texts_by_name(rows) or Shape(rows)
    more = f"; {shape.note}" if shape.note else ""
    return Shape(shape.rows, f"the rows are the list {_dotted(keys)}{more}")


def _is_page(whole: Mapping[str, Any]) -> bool:
    """``features`` and ``rows``, as the data set viewer of Hugging Face sends them?"""
    rows = whole.get("rows")
    return "features" in whole and _are_rows(rows) and all(
        isinstance(one.get("row"), dict) for one in rows or ()
    )  # fmt: skip


def _page(whole: Mapping[str, Any]) -> Shape:
    """The rows of a page; numbers of classes become the names that its features have."""
    names: dict[str, list[str]] = {}
    for feature in whole["features"]:
        kind = feature.get("type") if isinstance(feature, dict) else None
        if isinstance(kind, dict) and _are_texts(kind.get("names")):
            names[feature["name"]] = kind["names"]
    rows = [dict(one["row"]) for one in whole["rows"]]
    for row in rows:
        for name, called in names.items():
            at = row.get(name)
            if type(at) is int and 0 <= at < len(called):
                row[name] = called[at]
    return Shape(rows, "a page of a data set's rows")


def _is_map(whole: Mapping[str, Any]) -> bool:
    """Texts as keys, labels that recur as values?"""
    return (
        len(whole) >= _LEAST
        and all(isinstance(value, str) for value in whole.values())
        and _repeat([*whole.values()])
        and 2 * sum(" " in key.strip() for key in whole) > len(whole)
    )


def _is_row(whole: Mapping[str, Any]) -> bool:
    """Is this one row, whose list is a conversation or the like, rather than a file of them?"""
    return any(isinstance(value, str) for value in whole.values()) and not _lists_of_rows(whole)


def _is_split(whole: Mapping[str, Any]) -> bool:
    names, data = whole.get("columns"), whole.get("data")
    return (
        isinstance(names, list)
        and isinstance(data, list)
        and len({*map(str, names)}) == len(names) > 0
        and all(isinstance(row, list) and len(row) == len(names) for row in data)
    )


def _named(names: Sequence[Any], rows: Sequence[Sequence[Any]], note: str) -> Shape:
    keys = [str(name) for name in names]
    return Shape([dict(zip(keys, row, strict=True)) for row in rows], note)


def _lists(whole: Mapping[str, list[Any]], path: Path) -> Shape:
    """Columns of one length, or the texts of each label."""
    if len(whole) == 1:
        ((name, values),) = whole.items()
        if any(isinstance(value, dict) for value in values):
            return _inner((name,), values)
        return Shape([{name: value} for value in values], f"one column, {name!r}")
    rows = [(key, value) for key, value in whole.items() if _are_rows(value)]
    if len(rows) == len(whole):
        raise InputError(_several(path, [((key,), value) for key, value in rows]))
    if len(rows) == 1:
        return _inner((rows[0][0],), rows[0][1])
    one_length = len({len(values) for values in whole.values()}) == 1
    texts = all(isinstance(value, str) for values in whole.values() for value in values)
    like_labels = [name for name, values in whole.items() if _repeat(values)]
    if one_length and not (texts and not like_labels and len(whole) > 1 and _all_long(whole)):
        return Shape(
            [dict(zip(whole, cells, strict=True)) for cells in zip(*whole.values(), strict=True)],
            f"columns: {', '.join(whole)}",
        )
    if texts and not one_length:
        return Shape(
            [{"text": text, "label": key} for key, values in whole.items() for text in values],
            f"each key is a label ({', '.join(list(whole)[:8])}), its list the texts",
        )
    raise InputError(_columns_or_labels(path, whole, one_length))


def _all_long(whole: Mapping[str, list[Any]]) -> bool:
    """Do all columns hold texts that stand once? Then the keys may be labels as well."""
    return all(len({*values}) == len(values) > 0 for values in whole.values())


def _repeat(values: Sequence[Any]) -> bool:
    """Few short values that come again: a column of labels."""
    kinds = {str(value) for value in values}
    width = sum(map(len, kinds)) / max(1, len(kinds))
    return 2 * len(kinds) <= len(values) and width <= _SHORT


def _mappings(whole: Mapping[str, Mapping[str, Any]], path: Path) -> Shape:
    """Columns by row number, as pandas writes them, or rows by number or name."""
    inner = [*dict.fromkeys(key for value in whole.values() for key in value)]
    if inner and all(key.isdecimal() for key in inner):
        rows = [
            {name: column[key] for name, column in whole.items() if key in column} for key in inner
        ]
        return Shape(rows, f"columns by row number: {', '.join(whole)}")
    nested = _lists_of_rows(whole)
    if len(nested) > 1:
        raise InputError(_several(path, nested))
    if len(nested) == 1:
        return _inner(*nested[0])
    if all(key.isdecimal() for key in whole) or "id" in inner:
        return Shape([dict(row) for row in whole.values()], "rows by their number")
    return Shape([{"id": key, **row} for key, row in whole.items()], "rows by their name, the 'id'")


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _lists_of_rows(whole: Mapping[str, Any]) -> list[tuple[tuple[str, ...], list[Any]]]:
    """The lists of objects under the keys of a document, or under keys of these."""
    first: list[tuple[tuple[str, ...], list[Any]]] = [
        ((key,), value) for key, value in whole.items() if _are_rows(value)
    ]
    if first:
        return first
    return [
        ((key, name), value)
        for key, inner in whole.items()
        if isinstance(inner, dict)
        for name, value in inner.items()
        if _are_rows(value)
    ]


def _dotted(keys: Sequence[str]) -> str:
    return "'" + ".".join(keys) + "'"


def _several(path: Path, lists: Sequence[tuple[tuple[str, ...], list[Any]]]) -> Fault:
    """A command for each list: all of them are files of rows of their own."""
    shown = lists[:3]
    ways = [
        f"jq {quote('.' + ''.join(f'[{_json_text(key)}]' for key in keys))} {quote(str(path))} > "
        f"{quote(str(path.with_name(f'{path.stem}.{keys[-1]}.json')))}"
        for keys, _ in shown
    ]
    names = ", ".join(_dotted(keys) for keys, _ in lists)
    return Fault(f"{len(lists)} lists of rows: {names}", "one", " ; ".join(ways), str(path))


def _json_text(key: str) -> str:
    import json

    return json.dumps(key, ensure_ascii=False)


def _columns_or_labels(path: Path, whole: Mapping[str, Any], one_length: bool) -> Fault:
    """Both readings, and the command that makes rows of each."""
    file = quote(str(path))
    rows = quote(str(path.with_name(f"{path.stem}.rows.json")))
    by_label = (
        f'jq \'[to_entries[] | .key as $name | .value[] | {{"text": ., "label": $name}}]\' '
        f"{file} > {rows}"
    )
    by_column = f"jq '[keys_unsorted] + ([.[]] | transpose)' {file} > {rows}"
    if not one_length:
        sizes = ", ".join(f"{key} {len(values)}" for key, values in list(whole.items())[:8])
        problem = f"lists of different lengths: {sizes}"
        return Fault(problem, "columns of one length, or texts by label", by_label, str(path))
    return Fault(
        f"the keys may be columns or labels: {', '.join(list(whole)[:8])}",
        "rows with a text and a label",
        f"{by_label}   where they are labels; {by_column}   where they are columns",
        str(path),
    )
