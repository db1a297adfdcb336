"""Which column is the text and which the label: as told, or guessed where that is safe."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any

from nshot.core.errors import Fault, nearest
from nshot.core.types import OF_LABELS, Image, Kind
from nshot.data.faults import Faults
from nshot.data.folders import IMAGE_COLUMN
from nshot.data.header import counts_up, without_marks
from nshot.data.label_sets import SOME, tell_several
from nshot.data.numbers import looks_like_numbers
from nshot.data.one_hot import (
    LABEL,
    flag_columns,
    fold_one_hot,
    one_hot_columns,
    one_hot_note,
    several_hot_columns,
    several_hot_note,
    sign_of,
)
from nshot.data.picture_rows import has_pictures
from nshot.data.spans import SPAN_LISTS, holds_spans
from nshot.data.table import Table, cell_text

LABEL_NAMES = (
    "label_text", "label_name", "label", "labels", "intent", "category", "class", "topic",
    "sentiment", "target", "emotion", "tag", "gold_label", "answer",
)  # fmt: skip
LABELS_NAMES = ("tags", "categories", "topics", "emotions", "genres", "intents", "classes")
"""Looked for where there is none of the others."""
GENERIC_LABEL_NAMES = (*LABEL_NAMES[:4], "class", "target", "tag", "gold_label")
"""Names that do not say what the label is about: a prompt says ``Label``."""
TEXT_NAMES = (
    "text", "sentence", "message", "utterance", "review", "comment", "content", "tweet",
    "document", "body", "query", "question", "title", "headline", "description", "input", "prompt",
    "article", "dialogue", "질문", "내용", "문장", "본문",
)  # fmt: skip
TEXT_PAIRS = (
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"),
    ("text1", "text2"), ("text_a", "text_b"), ("question", "sentence"), ("question", "passage"),
    ("question", "context"), ("title", "text"), ("title", "body"), ("title", "content"),
    ("title", "description"), ("subject", "body"), ("subject", "text"),
)  # fmt: skip
ID_NAMES = ("id", "guid", "idx", "index", "uuid", "example_id", "_id", "", "unnamed: 0")
"""The last two are the row number that pandas writes into the first column, and reads back."""
GROUP_NAMES = ("group", "group_id")
REFERENCE_NAMES = ("references", "output")
"""Where generated texts are found, beside a column ``input`` or ``instruction``."""
ANSWER_NAMES = (
    *REFERENCE_NAMES,
    "answer",
    "response",
    "completion",
    "summary",
    "target",
    "solution",
)
"""Where generated texts are looked for when the user says that the kind is generate."""
_ASKED_NAMES = ("instruction", "input")
_PREFERENCE_NAMES = ("chosen", "rejected")
"""Rows with these are pairs of answers: whatever else they have is not what they are for."""

_OWN_NAMES = frozenset({*ANSWER_NAMES, "answers", "highlights", "reply", "답변", "답", "요약"})
"""Names of columns of free answers, where no other column is a label."""
_CLASS_NAMES = frozenset(LABEL_NAMES) - {"answer", "target"}
_OWN, _MANY = 0.9, 10
"""Share of different values from which they are answers, not labels; of so many rows or more."""
_TEXTS = 4
"""Columns of text that are taken together where none is named."""
_FILLED = 0.8
"""Share of the rows that a column of labels has a value in."""
_TIME = re.compile(r"\s*\d{1,4}[-/.]\s?\d{1,2}[-/.]\s?\d{1,4}[\sT]")
"""A date at the beginning, and a time or more behind it."""
_LABEL_WIDTH = 40
"""Characters: a column of longer values, on average, is no label column."""


_EXACT = frozenset({"answer", "answers", "output", "result", "solution", "response"})
"""Names of columns whose numbers answer a question: they are right or wrong, not near."""


@dataclass(frozen=True)
class Given:
    """What the user said of the columns; what is empty or None is guessed."""

    kind: Kind | None = None
    text: tuple[str, ...] = ()
    label: str | None = None
    group: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Columns:
    """The use of each column. `label` holds the label, or the texts of kind generate."""

    kind: Kind
    text: tuple[str, ...]
    label: str
    group: str | None
    id: str | None


def choose(table: Table, given: Given, faults: Faults, notes: list[str]) -> Columns | None:
    """The columns of `table`, guessed where not given; every guess becomes a note.

    None, and a fault, where a given column is missing or a guess is not safe.
    """
    given = _as_columns(table, given)
    given_names = [*given.text, *(name for name in (given.label, given.group, given.id) if name)]
    if missing := [name for name in given_names if name not in table.columns]:
        faults.add(*(missing_column(table, name) for name in missing))
        return None
    if twice := sorted({name for name in given_names if given_names.count(name) > 1}):
        faults.add(
            *(Fault(f"column '{name}' has two uses", where=str(table.path)) for name in twice)
        )
        return None
    group = given.group or _named(table, GROUP_NAMES, given_names)
    id_ = given.id or _named(table, ID_NAMES, given_names)
    taken = [*given_names, *(name for name in (group, id_) if name is not None)]
    kind = given.kind or ("generate" if _generates(table, given, taken) else "classify")
    label = given.label or _label(table, kind, taken)
    spans = _spans(table, given, taken)
    guessed = label and kind == "classify" and not given.kind and not spans
    several = tell_several(table, label) if label and guessed else None
    numeric = label and label.lower() not in _EXACT and looks_like_numbers(_texts(table, label))
    if several:
        kind = "multilabel"
        notes.append(
            f"'{label}' holds {several}: kind multilabel, several labels a row (--kind classify "
            "takes a cell for one label)"
        )
    elif label and numeric and given.kind is None:
        kind = "number"
        notes.append(
            f"'{label}' holds numbers: kind number (--kind classify takes them for labels)"
        )
    if spans and label and not given.label and _are_both(table, spans, label):
        faults.add(_labels_or_spans(table, label, spans))
        return None
    if spans:
        kind, label = "spans", spans
    text = given.text or _text(table, kind, [*taken, *([label] if label else [])])
    if kind == "spans" and len(text) > 1:
        problem = f"spans count the characters of one text, and there are {len(text)} text columns"
        fault = Fault(problem, f"one of: {', '.join(text)}", f"--text {text[0]}", str(table.path))
        faults.add(fault)
        return None
    if not given.kind and kind == "classify" and label and _has_own_answers(table, label):
        kind = "generate"
        notes.append(
            f"nearly every row has a {label!r} of its own: read as free answers (kind generate); "
            "--kind classify takes them for labels"
        )
    if label is None and not given.kind and (answer := _own_answers(table, taken)):
        kind, label = "generate", answer
        text = given.text or _text(table, kind, [*taken, answer])
        notes.append(f"'{answer}' holds answers of their own: read as kind generate")
    if label is None or not text:
        faults.add(_unsafe(table, given, label, text, taken))
        return None
    _tell(table, given, Columns(kind, text, label, group, id_), notes)
    return Columns(kind, text, label, group, id_)


def _spans(table: Table, given: Given, taken: Sequence[str]) -> str | None:
    """The column of spans: the one that is given, or the first that holds them."""
    if given.kind not in (None, "spans"):
        return None
    names = [given.label] if given.label else [name for name in table.columns if name not in taken]
    if holding := next((name for name in names if holds_spans(table, name)), None):
        return holding
    if given.kind is None:
        return None
    return next((name for name in names if name.casefold() in SPAN_LISTS), None)


def _are_both(table: Table, spans: str, label: str) -> bool:
    """Do rows have a label of their own beside their spans: intents beside entities?"""
    known = {*LABEL_NAMES, *LABELS_NAMES}
    return label != spans and label.lower() in known and _looks_like_labels(table, label)


def _labels_or_spans(table: Table, label: str, spans: str) -> Fault:
    file = quote(str(table.path))
    return Fault(
        f"'{label}' holds labels, and '{spans}' pieces of the text: two tasks",
        expected="one of them, as --label",
        do=f"nshot compare {file} --label {quote(label)} , or "
        f"nshot compare {file} --label {quote(spans)}",
        where=str(table.path),
    )


def fold_flags(tables: Sequence[Table], given: Given, notes: list[str]) -> Given:
    """Where there is no label but a column of 0 and 1 for each, make one column of labels.

    Rows with several 1s are of kind multilabel, which is then given, if nothing else may be meant.
    """
    train = tables[0]
    known = {name.lower() for name in train.columns}
    taken = [*given.text, *(n for n in (given.group, given.id) if n)]
    if given.label or known & {*LABEL_NAMES, LABEL}:
        return given
    names = () if given.kind == "multilabel" else one_hot_columns(train, taken)
    several = _several_hot(train, taken, given.kind) if not names else ()
    if not names and not several:
        return given
    sign = sign_of(train, names or several)
    for table in tables:
        fold_one_hot(table, names or several)
    notes.append(one_hot_note(names, sign) if names else several_hot_note(several, sign))
    return replace(given, kind="multilabel") if several else given


def _several_hot(table: Table, taken: Sequence[str], kind: Kind | None) -> tuple[str, ...]:
    """Columns of several labels a row: as asked, or where no other column may be the label."""
    if kind == "multilabel":
        return several_hot_columns(table, taken, 0.0)
    names = several_hot_columns(table, taken, SOME) if kind is None else ()
    texts = {*names, *taken, *(name for name in table.columns if name.lower() in TEXT_NAMES)}
    others = [name for name in table.columns if name not in texts]
    return () if any(_looks_like_labels(table, name) for name in others) else names


def _texts(table: Table, column: str) -> list[str]:
    return [text for row in table.rows if (text := cell_text(row.get(column)) or "").strip()]


def column_named(table: Table, name: str) -> str | None:
    """The column of this name, or the only one that differs from it in form, width or case only."""
    plain = without_marks(name)
    if name in table.columns or plain in table.columns:
        return name if name in table.columns else plain
    alike = [column for column in table.columns if _key(column) == _key(plain)]
    return alike[0] if len(alike) == 1 else None


def rename(table: Table, names: Sequence[str]) -> None:
    """Call columns as the task does where they differ in Unicode form, width or case only."""
    renamed = {column_named(table, name): name for name in names if name not in table.columns}
    if renamed.keys() - {None}:
        table.columns = tuple(renamed.get(name, name) for name in table.columns)
        table.rows = [
            {renamed.get(name, name): cell for name, cell in row.items()} for row in table.rows
        ]


def _key(name: str) -> str:
    return unicodedata.normalize("NFKC", without_marks(name)).casefold()


def _as_columns(table: Table, given: Given) -> Given:
    """The names that the user gave as the table has them; unknown ones as they were given."""
    label, group, id_ = (
        name and (column_named(table, name) or name)
        for name in (given.label, given.group, given.id)
    )
    return Given(given.kind, _uncut(table, given.text), label, group, id_)


def _uncut(table: Table, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that a list typed with commas names: a name may have been cut at its own."""
    pieces = {
        column: tuple(part for one in without_marks(column).split(",") if (part := one.strip()))
        for column in table.columns
    }
    columns, at = [], 0
    while at < len(names):
        rest = [without_marks(name) for name in names[at:]]
        longer = [c for c, parts in pieces.items() if len(parts) > 1]
        whole = [c for c in longer if list(pieces[c]) == rest[: len(pieces[c])]]
        best = max(whole, key=lambda column: len(pieces[column]), default=None)
        columns.append(best or column_named(table, names[at]) or names[at])
        at += len(pieces[best]) if best else 1
    return tuple(columns)


def typed(names: Sequence[str]) -> str:
    """Columns as ``--text`` takes them: a name with a comma stands in quotes."""
    return ",".join(f'"{name}"' if "," in name else name for name in names)


def _own_answers(table: Table, taken: Sequence[str]) -> str | None:
    """A column called like answers, or summaries, with another text in nearly every row."""
    free = [name for name in table.columns if name not in taken]
    named = [name for name in free if name.lower() in _OWN_NAMES]
    return named[0] if len(named) == 1 and _has_own_answers(table, named[0]) else None


def _has_own_answers(table: Table, label: str) -> bool:
    """Is what stands under a name that is not one of labels different in nearly every row?"""
    if label.lower() in _CLASS_NAMES or len(table.rows) < _MANY:
        return False
    texts = [cell_text(value) or "" for value in _values(table, label)]
    numbers = sum(text.strip().lstrip("-").replace(".", "").isdecimal() for text in texts)
    return len(set(texts)) >= _OWN * len(table.rows) and 2 * numbers < len(texts)


def extras(table: Table, given: Given) -> tuple[str | None, str | None]:
    """The group column and the id column, given or guessed."""
    return (
        given.group or _named(table, GROUP_NAMES, ()),
        given.id or _named(table, ID_NAMES, ()),
    )


def generate_command(table: Table, columns: Columns, test: Table | None) -> str:
    """What to type where the labels turn out to be free answers."""
    files = f"{quote(str(table.path))}{f' --test {quote(str(test.path))}' if test else ''}"
    named = f"--text {quote(typed(columns.text))} --label {quote(columns.label)}"
    return f"nshot compare {files} --kind generate {named}"


def missing_column(table: Table, name: str) -> Fault:
    """The fault of a table that lacks a column."""
    return Fault(
        f"no column '{name}'",
        expected=f"a column of this file: {', '.join(table.columns)}",
        do=nearest(name, table.columns),
        where=str(table.path),
    )


def _named(table: Table, names: Sequence[str], taken: Sequence[str]) -> str | None:
    """The first column, in the order of `names`, whose name is one of them whatever its case."""
    known = {column.lower(): column for column in table.columns if column not in taken}
    return next((known[name] for name in names if name in known), None)


def _generates(table: Table, given: Given, taken: Sequence[str]) -> bool:
    if given.label:
        return given.label.lower() in REFERENCE_NAMES
    asks = given.text or _named(table, _ASKED_NAMES, taken)
    return bool(asks and _named(table, REFERENCE_NAMES, taken)) and not _named(
        table, LABEL_NAMES[:4], taken
    )


def answer_column(table: Table, columns: Columns) -> str:
    """The label's column; a file of references goes with one of single outputs."""
    if columns.kind == "generate" and columns.label not in table.columns:
        return _named(table, REFERENCE_NAMES, ()) or columns.label
    return columns.label


def _label(table: Table, kind: Kind, taken: Sequence[str]) -> str | None:
    if kind == "generate":
        return _named(table, ANSWER_NAMES, taken)
    if surely := _named(table, LABEL_NAMES[:4], taken):
        return surely
    if _named(table, _PREFERENCE_NAMES, taken):
        return None
    maybe = [c for c in table.columns if c.lower() in LABEL_NAMES and c not in taken]
    if not maybe and (several := _named(table, LABELS_NAMES, taken)):
        return several
    maybe = maybe or [c for c in table.columns if c not in taken and _looks_like_labels(table, c)]
    maybe = maybe or [c for c in table.columns if c not in taken and _is_measured(table, c)]
    return maybe[0] if len(maybe) == 1 else None


def _text(table: Table, kind: Kind, taken: Sequence[str]) -> tuple[str, ...]:
    free = {c.lower(): c for c in table.columns if c not in taken}
    if pictures := _pictures(table, free):
        return (pictures,)
    if kind == "generate":
        names = tuple(free[name] for name in _ASKED_NAMES if name in free)
        if names:
            return names
    for first, second in TEXT_PAIRS:
        if first in free and second in free:
            return (free[first], free[second])
    named = [free[name] for name in TEXT_NAMES if name in free]
    if len(named) == 1 or (named and named[0].lower() == "text"):
        return (named[0],)
    wordy = tuple(c for c in named or free.values() if _looks_like_text(table, c))
    return wordy if len(wordy) <= _TEXTS else ()


def _pictures(table: Table, free: Mapping[str, str]) -> str | None:
    """The column of a folder's pictures, or the first that names files of pictures."""
    if IMAGE_COLUMN in free and isinstance(table.rows[0].get(free[IMAGE_COLUMN]), Image):
        return free[IMAGE_COLUMN]
    return next((name for name in free.values() if has_pictures(table, name)), None)


def _values(table: Table, column: str) -> list[Any]:
    return [value for row in table.rows if (value := row.get(column)) not in (None, "")]


def _looks_like_labels(table: Table, column: str) -> bool:
    """Short values that repeat: two, or as many as stand on four rows each on average."""
    values = _values(table, column)
    if len(values) < _FILLED * len(table.rows) or any(
        isinstance(v, (list, dict, float)) for v in values
    ):
        return False
    kinds = {str(value) for value in values}
    width = sum(map(len, kinds)) / max(1, len(kinds))
    most = max(2, len(values) // 4)
    return 2 <= len(kinds) <= min(most, len(values) - 1) and width <= _LABEL_WIDTH


def _is_measured(table: Table, column: str) -> bool:
    """Numbers that are no classes and do not count the rows: prices, weights, grades."""
    texts = _texts(table, column)
    return len(texts) >= _FILLED * len(table.rows) and looks_like_numbers(texts) and not (
        counts_up(texts)
    )  # fmt: skip


def _looks_like_text(table: Table, column: str) -> bool:
    """Texts of which most stand once, and which hold words."""
    values = _values(table, column)
    if not values or not all(isinstance(value, str) for value in values):
        return False
    spaced = sum(" " in value.strip() for value in values)
    if 2 * len(values) < len(table.rows) or all(map(_TIME.match, values)):
        return False
    return len(set(values)) > 0.5 * len(values) and spaced > 0.5 * len(values)


def _unsafe(
    table: Table, given: Given, label: str | None, text: Sequence[str], taken: Sequence[str]
) -> Fault:
    """Names the columns and the command to type, with likely columns filled in."""
    free = [c for c in table.columns if c not in taken]
    texts = list(text) or [c for c in free if c != label and _looks_like_text(table, c)]
    labels = [label] if label else [c for c in free if _looks_like_labels(table, c)]
    missing = " and ".join(
        [*(["the text"] if not text else []), *(["the label"] if label is None else [])]
    )
    command = (
        f"nshot compare {quote(str(table.path))} --text {quote(typed(texts) or 'COLUMN')} "
        f"--label {quote(labels[0] if labels else 'COLUMN')}"
    ) + f" --kind {given.kind}" * (given.kind is not None)
    one = f" (one column only: is '{table.columns[0]}' parted by commas?)"
    return Fault(
        f"it is not clear which column holds {missing}" + one * (len(table.columns) == 1),
        expected=f"a choice among the columns: {', '.join(table.columns)}" + _flags(table, label),
        do=command,
        where=str(table.path),
    )


def _flags(table: Table, label: str | None) -> str:
    """What columns of 0 and 1 are, where there is no label."""
    flags = flag_columns(table, ()) if label is None else ()
    several = f" ({', '.join(flags)} hold 0 and 1: --kind multilabel takes them for labels)"
    return several if len(flags) > 1 else ""


def _tell(table: Table, given: Given, columns: Columns, notes: list[str]) -> None:
    """Say what was guessed, and which columns are not used."""
    guessed = []
    folder = table.unit == "file"
    if not given.text and not folder:
        plural = "s" * (len(columns.text) > 1)
        guessed.append(f"text column{plural} {', '.join(map(repr, columns.text))}")
    if not given.label and not folder:
        words: Mapping[Kind, str] = {
            **dict.fromkeys(OF_LABELS, "label"),
            "spans": "span",
        }
        word = words.get(columns.kind, "answer")
        guessed.append(f"{word} column {columns.label!r}")
    if guessed:
        notes.append(f"{', '.join(guessed)} (guessed; --text and --label set them)")
    if columns.group and not given.group:
        notes.append(f"group column {columns.group!r} (guessed): its rows stay on one side")
    used = {*columns.text, columns.label, columns.group, columns.id}
    if unused := [repr(name) for name in table.columns if name not in used]:
        notes.append(f"columns not used: {', '.join(unused)}")
