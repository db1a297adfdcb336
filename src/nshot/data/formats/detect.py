"""Which format a table is of, its rows as examples, and every row that does not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from nshot.core.errors import Fault, InputError, nearest
from nshot.core.types import Example
from nshot.data.faults import Faults, Place
from nshot.data.formats.chats import MESSAGES, SHAREGPT
from nshot.data.formats.format import Format, Problems
from nshot.data.formats.instructions import ALPACA, PAIR, SEEDS
from nshot.data.formats.preferences import KTO, PREFERENCE, RANKING
from nshot.data.formats.reading import SQUAD
from nshot.data.table import Row, Table

FORMATS: Mapping[str, Format] = {
    format.name: format
    for format in (PREFERENCE, RANKING, KTO, MESSAGES, SHAREGPT, SEEDS, PAIR, ALPACA, SQUAD)
}
"""In the order in which they claim a row: what says more goes first."""
COLUMNS = "columns"
"""What a file is read as that is of none of them: named columns."""
_UNKNOWN = "of no known format"
_EQUAL = "their answers are equal, or judged equal"
_LISTED = 40
"""Lines at fault that still fit into a command."""


def claimed(row: Row) -> Format | None:
    """The format whose keys the row has."""
    return next((format for format in FORMATS.values() if format.claims(row)), None)


def detect(table: Table) -> Format | None:
    """The format of most rows that have one; None where no row has one: named columns."""
    counts = Counter(format.name for row in table.rows if (format := claimed(row)))
    return FORMATS[counts.most_common(1)[0][0]] if counts else None


def named(name: str) -> Format:
    """The format of this name. Raises `InputError` for an unknown one."""
    if name not in FORMATS:
        raise InputError(Fault(f"no format '{name}'", do=nearest(name, [*FORMATS, COLUMNS])))
    return FORMATS[name]


def read(
    table: Table, format: Format, faults: Faults, pinned: bool = False
) -> list[tuple[Example, Place]]:
    """The examples of a table without ids, each with its place.

    What is `pinned` reads every row, also those whose keys say that they are of another format.

    A row of another format, or with anything wrong, is a fault; one more says how many rows there
    are of each format and how many cannot be used, and what to type.
    """
    examples: list[tuple[Example, Place]] = []
    counts: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    bad: list[Place] = []
    for row, place in zip(table.rows, table.places, strict=True):
        own = None if pinned else claimed(row)
        problems = Problems()
        if own in (None, format):
            made = format.read(row, problems)
            own = format if made or problems.left_out else own
        else:
            problems.append((f"a row of format {own.name}", f"{format.name}: {format.keys}"))
        counts[own.name if own else _UNKNOWN] += 1
        for problem, expected in problems:
            faults.at(table.path, table.unit, place, problem, expected)
        if problems:
            bad.append(place)
            continue
        if not all(map(_tells, made)):
            problems.leave_out(_EQUAL)
        notes.update(problems.notes)
        left_out.update(filter(None, [problems.left_out]))
        examples += [(example, place) for example in made if _tells(example)]
    table.notes += [f"{count} rows: {note}" for note, count in notes.items()]
    table.notes += [f"{count} rows left out: {reason}" for reason, count in left_out.items()]
    if bad:
        faults.add(_summary(table, format, counts, bad))
    elif not examples and left_out:
        faults.add(_nothing_left(table, left_out))
    return examples


def _tells(example: Example) -> bool:
    """Is one answer better than another, where there are several?"""
    several = len(example.grades) > 1
    return not several or min(len(set(example.grades)), len(set(example.input.answers))) > 1


def _nothing_left(table: Table, left_out: Counter[str]) -> Fault:
    reasons = "; ".join(f"{count} rows left out: {reason}" for reason, count in left_out.items())
    return Fault(
        f"no row is left: {reasons}",
        expected="rows with something to learn from",
        do="mend these rows, or take another file",
        where=str(table.path),
    )


def _summary(table: Table, form: Format, counts: Counter[str], bad: list[Place]) -> Fault:
    """How many rows there are of each format, and what to type."""
    parts = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    return Fault(
        f"{len(table.rows)} rows, by format: {parts}; {len(bad)} cannot be used",
        expected=f"rows of one format: {form.name} ({form.keys})",
        do=_cure(table, form, counts, bad),
        where=str(table.path),
    )


def _cure(table: Table, form: Format, counts: Counter[str], bad: list[Place]) -> str:
    """The command that rewrites the file, or leaves rows out where one line is one row."""
    file = quote(str(table.path))
    others = [FORMATS[name] for name in counts if name in FORMATS and name != form.name]
    if len(counts) == len(others) == 1 and others[0].kind == form.kind:
        return f"nshot data show {file} --as {form.name} -o {quote(str(_beside(table.path)))}"
    if table.path.suffix.lower() != ".jsonl" or len(bad) > _LISTED or len(bad) == len(table.rows):
        return "mend those rows, leave them out, or put each format into a file of its own"
    lines = ";".join(f"{place}d" for place in bad)
    return f"sed '{lines}' {file} > {quote(str(_beside(table.path)))}   # without those rows"


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}.sound.jsonl")
