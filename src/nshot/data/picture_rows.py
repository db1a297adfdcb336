"""Rows of pictures: files that a column names, groups that files' names hold, faults of all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nshot.core.errors import Fault, InputError
from nshot.core.types import Example, Image
from nshot.data.faults import Faults, Place
from nshot.data.pictures import FOREIGN, SUFFIXES, as_image, look
from nshot.data.table import Table, cell_text

GROUP_COLUMN = "group"
_GROUP = "{group}"
_NUMBERED = re.compile(r"(.+)_\d+")
_SHOWN = 3
_DECODERS = 4
"""Pictures that are decoded at once: each may take half a gigabyte."""


def names_pictures(table: Table, column: str) -> bool:
    """Is each value of the column the name of a picture's file?"""
    return all(_is_name(row.get(column)) for row in table.rows)


def _is_name(cell: object) -> bool:
    known = SUFFIXES | FOREIGN
    return isinstance(cell, str) and "://" not in cell and Path(cell).suffix.lower() in known


def has_pictures(table: Table, column: str) -> bool:
    """Does the column name pictures' files, and is the first of them there?

    Where a folder of pictures was given, the names are enough: a file that is not there is told.
    """
    if not names_pictures(table, column):
        return False
    return table.pictures is not None or _place(table, table.rows[0][column]).is_file()


def _place(table: Table, name: str) -> Path:
    """A file that a row names, from the folder of the pictures or of the table."""
    return (table.pictures or table.path.parent) / name


def open_pictures(table: Table, column: str, faults: Faults) -> None:
    """Put the picture in the place of its file's name; rows whose file is not there go, told.

    Files that are not there are one fault, with the first of their names.
    """
    rows, places = table.rows, table.places
    table.rows, table.places = [], []
    missing: list[str] = []
    for row, place in zip(rows, places, strict=True):
        name = cell_text(row.get(column)) or ""
        if not _place(table, name).exists():
            missing.append(name)
            continue
        try:
            table.rows.append({**row, column: as_image(_place(table, name))})
            table.places.append(place)
        except InputError as error:
            table.broken = True
            for fault in error.faults:
                faults.at(table.path, table.unit, place, f"{name!r}: {fault.found}", fault.expected)
    if missing:
        table.broken = True
        faults.add(_missing(table, missing, len(rows)))


def _missing(table: Table, names: Sequence[str], rows: int) -> Fault:
    """Pictures that are not where their names say."""
    first = ", ".join(repr(name) for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    folder = table.pictures or table.path.parent
    return Fault(
        f"{len(names)} of {rows} pictures are not there: {first}{more}",
        expected=f"files in {folder}",
        do="--pictures FOLDER, the folder that they are in",
        where=str(table.path),
    )


def check_pictures(
    table: Table, examples: Sequence[Example], places: Sequence[Place], faults: Faults
) -> None:
    """Decode each picture once; what cannot be read is a fault at its row."""
    placed = [(i, place) for e, place in zip(examples, places, strict=True) for i in e.input.images]
    with ThreadPoolExecutor(_DECODERS) as pool:
        wrongs = pool.map(_faults_of, [image for image, _ in placed])
        for (image, place), wrong in zip(placed, wrongs, strict=True):
            named = "" if table.unit == "file" else f"{Path(image.path).name}: "
            for fault in wrong:
                problem = f"{named}{fault.found}"
                faults.at(table.path, table.unit, place, problem, fault.expected, fault.do)


def _faults_of(image: Image) -> Sequence[Fault]:
    try:
        look(image)
    except InputError as error:
        return error.faults
    return ()


def group_by_name(table: Table, pattern: str, faults: Faults) -> None:
    """Give each row of a folder the group that its file's name holds, in `GROUP_COLUMN`.

    `pattern` is matched against the path within the class's folder: a pattern with ``{group}`` and
    the wildcards ``*`` and ``?`` against all of it, a regular expression with one group anywhere.
    """
    table.columns = (*table.columns, GROUP_COLUMN)
    try:
        named = _compiled(pattern)
    except (re.error, ValueError) as error:
        expected = "a pattern such as '{group}_*.jpg', or a regular expression with one group"
        faults.add(Fault(f"--group {pattern!r}: {error}", expected, where=str(table.path)))
        return
    for row, place in zip(table.rows, table.places, strict=True):
        _, _, name = str(place).partition("/")
        if match := named.search(name):
            row[GROUP_COLUMN] = match[1]
        else:
            faults.at(
                table.path, "file", place, f"the name does not match --group {pattern!r}",
                expected="a group in the name of every file",
            )  # fmt: skip


def _compiled(pattern: str) -> re.Pattern[str]:
    """Raises `ValueError` unless the pattern has one group."""
    if _GROUP in pattern:
        parts = pattern.split(_GROUP)
        pattern = rf"(?s:\A{'(.+)'.join(map(_wild, parts))}\Z)"
    compiled = re.compile(pattern)
    if compiled.groups != 1:
        raise ValueError(f"{compiled.groups} groups")
    return compiled


def _wild(text: str) -> str:
    """Text as a regular expression, in which ``*`` stands for any characters and ``?`` for one."""
    return re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")


def group_hint(table: Table) -> str | None:
    """A note where files of a folder are called like parts of one thing: ``IMG_4187_0.jpg``.

    That is: in most classes several files begin alike up to a last ``_`` and number, and there is
    more than one such beginning, so that it is not merely the camera's or the class's name.
    """
    stems: dict[str, list[str]] = {}
    for row, place in zip(table.rows, table.places, strict=True):
        match = _NUMBERED.fullmatch(Path(str(place)).stem)
        stems.setdefault(row["label"], []).append(match[1] if match else "")
    counts = [Counter(stem for stem in each if stem) for each in stems.values()]
    several = [count for count in counts if len(count) > 1 and max(count.values()) > 1]
    if 2 * len(several) <= len(counts):
        return None
    stem = several[0].most_common(1)[0][0]
    return (
        f"files are called alike, such as {stem}_*: if they are parts of one photograph or film, "
        "--group '{group}_*' keeps them on one side"
    )
