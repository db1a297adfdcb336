"""Rows of a ``.txt`` file: fastText's lines, tokens with tags, or separated cells."""

from __future__ import annotations

from nshot.core.errors import Fault, InputError
from nshot.data.faults import Faults
from nshot.data.files.conll import is_conll, read_conll
from nshot.data.files.first_words import labelled_lines
from nshot.data.files.marks import plainly, rarely
from nshot.data.files.opened import Opened
from nshot.data.files.separated import read_separated
from nshot.data.files.separator import named_by_excel, tell_separator
from nshot.data.table import Table

_PREFIX = "__label__"
_MOSTLY = 0.5
"""The share of lines that begin with a label in fastText's format; others have none."""


def read_txt(file: Opened, faults: Faults) -> Table | None:
    """``__label__refund the text``, or rows of cells. Raises `InputError` for lines of text."""
    text = file.text()
    if (table := fasttext(file, text)) is not None:
        return table
    if is_conll(text):
        return read_conll(file, faults)
    usual = named_by_excel(text)[0] or tell_separator(text, "\t", file.path)
    marked = usual == "\t" or plainly(text).mark or (usual is None and rarely(text))
    if not marked and (table := labelled_lines(file, text)) is not None:
        return table
    if marked or usual:
        return read_separated(file, text, "\t", faults)
    raise InputError(
        Fault(
            "lines of text without labels",
            expected="label and text parted by a tab or colon, or fastText's __label__refund TEXT",
            do="nshot predict DIR answers a .txt of one input a line",
            where=str(file.path),
        )
    )


def fasttext(file: Opened, text: str) -> Table | None:
    """Columns ``text`` and ``label``, a list where a line has several; None for other lines."""
    lines = [
        (line.strip(), number)
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip()
    ]
    labelled = sum(line.startswith(_PREFIX) for line, _ in lines)
    if not labelled or labelled < _MOSTLY * len(lines):
        return None
    table = Table(file.path, ("text", "label"))
    for line, number in lines:
        words = line.split()
        labels = [word[len(_PREFIX) :] for word in words if word.startswith(_PREFIX)]
        table.rows.append({"text": _without_labels(line), "label": _one(labels)})
        table.places.append(number)
    file.notes.append(f"{file.path.name}: fastText's lines, {_PREFIX}LABEL TEXT")
    return table


def _without_labels(line: str) -> str:
    """The text, as it stands between labels in front and labels at the end."""
    while line.startswith(_PREFIX):
        _, _, line = line.partition(" ") if " " in line else ("", "", "")
        line = line.lstrip()
    while line.rpartition(" ")[2].startswith(_PREFIX):
        line = line.rpartition(" ")[0].rstrip()
    return line


def _one(labels: list[str]) -> str | list[str]:
    return labels[0] if len(labels) == 1 else labels or ""
