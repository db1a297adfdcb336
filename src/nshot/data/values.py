"""The cells of a label column become labels: one spelling each, and none where a cell says none."""

from __future__ import annotations

import ast
import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from nshot.core.errors import Fault
from nshot.data.faults import Faults
from nshot.data.header import without_marks
from nshot.data.table import Row, Table, cell_text

_NO_LABEL = frozenset({"", "NaN", "nan", "NAN", "null", "N/A", "n/a", "#N/A", "<NA>", "\\N"})
"""What programs write where there is no value."""
_STYLED: Mapping[str, Callable[[str], bool]] = {
    "None": lambda other: other[:1].isupper(),
    "Null": lambda other: other[:1].isupper(),
    "NA": str.isupper,
    "NULL": str.isupper,
    **dict.fromkeys(("-", "--", "\u2014"), lambda other: not any(map(str.isalnum, other))),
}
"""The same, unless every other label is written like it: None beside Mild and Severe is a label,
- beside +."""
_UNLABELLED = frozenset({"-1", "-1.0"})
"""No label where the others are names."""
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")
_WHOLE = re.compile(r"([-+]?\d+)\.0+")
_TRUTH = frozenset({"true", "false"})
_SHOWN = 6
_BRACKETED = re.compile(r"\[.*\]|\{.*\}|\(.*,.*\)", re.DOTALL)
_HASHTAGS = re.compile(r"#[^\s#]+(\s+#[^\s#]+)+")


def read_labels(
    tables: Sequence[Table],
    column: str,
    listed: Sequence[str],
    faults: Faults,
    notes: list[str],
    name: str = "TASK",
) -> None:
    """Put labels in the place of what stands in `column` of the tables, train rows first.

    A list of one label, also as text (``"['refund']"``), is that label. Spellings that differ in
    Unicode form, width, marks that cannot be seen or outer space are one label, so are ``0`` and
    ``0.0``, ``true`` and ``True``; `listed` are the labels of a task file, which go before others.
    Rows without a label are taken out and counted. Cells that are neither stay as they are. `name`
    is the task's, for the command that answers rows without labels.
    """
    train, *tests = tables
    for test in tests:
        if column not in test.columns:
            faults.add(for_predict(test, f"{test.path.name} has no labels", name))
            test.broken, test.rows, test.places = True, [], []
    for table in tables:
        for row in table.rows:
            row[column] = _one_label(row.get(column))
    counts = Counter(text for table in tables for text in _texts(table.rows, column))
    missing = missing_texts(counts, listed)
    spelling = clean_spellings({t: n for t, n in counts.items() if t not in missing}, listed)
    notes += spelling_note(counts, spelling)
    notes += _style_note(counts, missing)
    for table in tables:
        empty = _take_out(table, column, missing, spelling)
        if empty and not table.rows:
            no_rows_left(table, table is train, name, faults)
        elif empty:
            notes.append(no_label_note(table, empty))


def no_rows_left(table: Table, is_train: bool, name: str, faults: Faults) -> None:
    """The fault of a table of which no row has a label."""
    table.broken = True
    none = f"no row of {table.path.name} has a label"
    fault = Fault(none, "a label in two rows or more", where=str(table.path))
    faults.add(fault if is_train else for_predict(table, none, name))


def for_predict(test: Table, problem: str, name: str) -> Fault:
    """The fault of test rows without labels, and the command that answers them."""
    run = quote(str(Path("runs") / name))
    return Fault(
        problem,
        "test rows whose answers are known",
        f"leave it out of the comparison, and then: nshot predict {run} {quote(str(test.path))}",
        str(test.path),
    )


def _texts(rows: Iterable[Row], column: str) -> list[str]:
    texts = (cell_text(row[column]) for row in rows)
    return [text for text in texts if text is not None]


def _one_label(cell: Any) -> Any:
    """The label of a list of one, "" of an empty list; any other cell as it is, lists as lists."""
    items = items_of(cell)
    if items is None:
        return cell
    return items[0] if len(items) == 1 else items or ""


def items_of(cell: Any) -> list[Any] | None:
    """A cell as a list: it is one, or a text that prints one, as pandas writes it into a CSV.

    A set (``{'a', 'b'}``), a tuple, an array of a database (``{a,b}``), several hashtags: lists.
    """
    if isinstance(cell, str) and cell.lstrip()[:1] not in ("[", "{", "(", "#"):
        return None
    if isinstance(cell, str) and _BRACKETED.fullmatch(cell.strip()):
        text = cell.strip()
        try:
            cell = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            cell = _array(text)
        if isinstance(cell, set | tuple):
            cell = sorted(cell, key=str) if isinstance(cell, set) else list(cell)
    elif isinstance(cell, str) and _HASHTAGS.fullmatch(cell.strip()):
        return cell.split()
    return cell if isinstance(cell, list) else None


def _array(text: str) -> list[str] | None:
    """An array as PostgreSQL writes it: ``{a,"b c"}``."""
    if text[0] != "{" or ":" in text or "=" in text:
        return None
    cells = next(csv.reader([text[1:-1]]), [])
    return [cell.strip() for cell in cells if cell.strip()]


def missing_texts(counts: Mapping[str, int], listed: Sequence[str]) -> set[str]:
    """Of the cells those that say that there is no label."""
    plain = {text: text.strip() for text in counts if text not in listed}
    special = _NO_LABEL | _STYLED.keys() | _UNLABELLED
    names = [word for text in counts if (word := text.strip()) not in special]
    missing = {text for text, word in plain.items() if word in _NO_LABEL}
    for text, word in plain.items():
        alike = _STYLED.get(word)
        if alike and not (names and all(map(alike, names))):
            missing.add(text)
        if word in _UNLABELLED and names and _are_classes(names):
            missing.add(text)
    return missing


def _are_classes(names: Sequence[str]) -> bool:
    """Words, or the numbers 0, 1, 2, ... of classes: beside these -1 says "none" (SNLI's files).

    Beside 0 and 1 alone it may be the third of negative, neutral, positive.
    """
    if not any(map(_NUMBER.fullmatch, names)):
        return True
    whole = {name.removesuffix(".0") for name in names}
    return len(whole) > 2 and whole == {str(number) for number in range(len(whole))}


def _style_note(counts: Mapping[str, int], missing: set[str]) -> list[str]:
    kept = [text for text in counts if text.strip() in _STYLED and text not in missing]
    return [f"{text!r} is read as a label, written like the others" for text in kept]


def _key(text: str) -> str:
    """What the spellings of one label share."""
    wide = "".join(
        unicodedata.normalize("NFKC", char) if unicodedata.east_asian_width(char) in "FH" else char
        for char in text
    )
    plain = without_marks(wide)
    if plain.casefold() in _TRUTH:
        return plain.casefold()
    whole = _WHOLE.fullmatch(plain)
    return whole[1] if whole else plain


def clean_spellings(counts: Mapping[str, int], listed: Sequence[str]) -> dict[str, str]:
    """For each text the label that it is: as it is listed, else the commonest spelling, cleaned."""
    groups: dict[str, list[str]] = {}
    for text in sorted(counts, key=lambda text: (-counts[text], text)):
        groups.setdefault(_key(text), []).append(text)
    known = {_key(name): name for name in listed}
    spelling: dict[str, str] = {}
    for key, texts in groups.items():
        whole = len(texts) > 1 and any(map(_WHOLE.fullmatch, map(without_marks, texts)))
        best = known.get(key) or (key if whole else _cleaned(texts[0]))
        spelling |= dict.fromkeys(texts, best)
    return spelling


def _cleaned(text: str) -> str:
    """Composed, without outer space; without invisible marks, but with what stands between words.

    A text that is nothing but such marks stays.
    """
    composed = unicodedata.normalize("NFC", text).strip()
    plain = without_marks(composed)
    return composed if "".join(plain.split()) == "".join(composed.split()) else plain or text


def spelling_note(counts: Mapping[str, int], spelling: Mapping[str, str]) -> list[str]:
    """Which spellings were read as which label."""
    others: dict[str, list[str]] = {}
    for text, label in spelling.items():
        if text != label:
            rows = f"{counts[text]} row{'s' * (counts[text] != 1)}"
            others.setdefault(label, []).append(f"{_difference(text, label)}: {rows}")
    if not others:
        return []
    shown = [f"{label!r} (also {', '.join(how)})" for label, how in sorted(others.items())]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return [f"labels in several spellings are read as one: {', '.join(shown[:_SHOWN])}{more}"]


def _difference(text: str, label: str) -> str:
    """How a spelling differs from the label, in words where it looks the same."""
    if _NUMBER.fullmatch(text.strip()) and _NUMBER.fullmatch(label):
        return f"the same number as {text!r}"
    composed = unicodedata.normalize("NFC", text)
    if composed == label:
        return "in decomposed Unicode form"
    if composed.strip() == label:
        return "with outer space"
    if without_marks(text) == without_marks(label):
        return "with invisible marks or other space"
    return f"as {text!r}"


def _take_out(
    table: Table, column: str, missing: set[str], spelling: Mapping[str, str]
) -> Counter[str]:
    """Spell the labels, and take out the rows that have none; their cells are counted."""
    empty: Counter[str] = Counter()
    rows, places = [], []
    for row, place in zip(table.rows, table.places, strict=True):
        text = cell_text(row[column])
        if text in missing:
            empty[text.strip()] += 1
            continue
        if text is not None:
            row[column] = spelling[text]
        rows.append(row)
        places.append(place)
    table.rows, table.places = rows, places
    return empty


def no_label_note(table: Table, empty: Counter[str]) -> str:
    """How many rows had no label, and what stood there."""
    words = ", ".join(repr(word) if word else "empty" for word, _ in empty.most_common())
    count = empty.total()
    return (
        f"{table.path.name}: {count} of {count + len(table.rows)} rows have no label ({words}), "
        "left out; a word that is a label is listed in a task.yaml under `labels:`"
    )
