"""Inputs without answers, for a predictor that is ready."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from nshot.core.errors import Fault, InputError, nearest
from nshot.core.types import Example, Input, Task
from nshot.data.columns import ID_NAMES, missing_column, rename
from nshot.data.faults import Faults
from nshot.data.files import read_bytes, read_lines
from nshot.data.files.encoding import decoded_alike
from nshot.data.folders import files_of
from nshot.data.formats import detect
from nshot.data.formats.chats import MESSAGES, SHAREGPT, question
from nshot.data.formats.format import Format, Problems
from nshot.data.loading import content_ids, read_input
from nshot.data.mojibake import mend, mending_of
from nshot.data.nested import flatten
from nshot.data.picture_rows import check_pictures, names_pictures, open_pictures
from nshot.data.pictures import FOREIGN, SUFFIXES, as_image, look
from nshot.data.table import Row, Table, cell_text
from nshot.data.tables import read_table
from nshot.data.token_tags import join_tokens

UNDER = "under"
"""The column in which a row of a mixed file names the folder that is to answer it."""


class Inputs(NamedTuple):
    """(id, input) of each row; of a table its cells as they stand, by column; what was assumed."""

    rows: list[tuple[str, Input]]
    cells: Sequence[Mapping[str, str]] = ()
    notes: Sequence[str] = ()


def read_inputs(
    paths: str | Path | Sequence[str | Path], task: Task, encoding: str | None = None
) -> list[tuple[str, Input]]:
    """(id, input) of each row of a file: see `read_table_of_inputs`."""
    return read_table_of_inputs(paths, task, encoding).rows


def read_table_of_inputs(
    paths: str | Path | Sequence[str | Path],
    task: Task,
    encoding: str | None = None,
    pictures: Path | None = None,
) -> Inputs:
    """The inputs in a ``.jsonl``, ``.csv``, ``.tsv``, ``.xlsx``, ``.parquet`` or ``.txt`` file.

    Columns go by the names of the task's fields, others are left alone. A ``.txt`` file has one
    input a line, for tasks of one field, or is a table whose first line names the fields. Ids are
    the file's own where they are unique, else names of the content. Of pictures, of several
    ``.txt`` files and of a folder each file is an input, by its name; a row may also name a
    picture's file, from the folder `pictures` where it is not the file's own. `encoding` is that
    of files that are not UTF-8; else it is told from their content. Raises `InputError` with every
    fault.
    """
    several = [Path(paths)] if isinstance(paths, (str, Path)) else [Path(path) for path in paths]
    faults = Faults()
    path = several[0]
    picture = task.pictures and path.suffix.lower() in SUFFIXES | FOREIGN
    if len(several) > 1 or path.is_dir() or picture:
        return Inputs(_files(several, task, faults, encoding))
    names = columns_of(task)
    if path.suffix.lower() == ".txt" and not task.pictures:
        table = lines_of(path, names, encoding) or read_table(path, faults, encoding)
    else:
        table = read_table(path, faults, encoding)
    if table is None:
        raise faults.error()
    table.pictures = pictures
    cells = [{name: shown(cell) for name, cell in row.items()} for row in table.rows]
    inputs = _of_table(table, task, names, faults)
    ids, notes = _ids(table, inputs)
    return Inputs(list(zip(ids, inputs, strict=True)), cells, (*table.notes, *notes))


def _of_table(table: Table, task: Task, names: list[str], faults: Faults) -> list[Input]:
    """The input of each row of a table."""
    if task.pictures:
        return _named_pictures(table, faults)
    form = form_of(table, task)
    if form is None:
        call_as(table, names)
        if missing := [name for name in names if name not in table.columns]:
            faults.add(*(missing_column(table, name) for name in missing))
            raise faults.error()
    return _inputs(table, [task] * len(table.rows), faults, form)


def form_of(table: Table, task: Task) -> Format | None:
    """The format whose rows a task reads; None for named columns."""
    form = detect(table) if not task.has_labels else None
    if form is not None and (not task.field_names or task.kind == form.kind == "rank"):
        return form
    return None


def call_as(table: Table, names: list[str]) -> None:
    """Call columns as the task does; lists of tokens become its texts, objects are taken apart."""
    rename(table, names)
    join_tokens(table)
    if any(name not in table.columns for name in names):
        flatten(table)
        rename(table, names)


def inputs_of_row(row: Row, task: Task, form: Format | None, problems: Problems) -> list[Input]:
    """What a row asks: its named texts; of a conversation the turns up to the user's last, or the
    answers to judge.
    """
    if form is None:
        return [read_input(row, columns_of(task), problems)]
    if form in (MESSAGES, SHAREGPT):
        inputs = [question(row, problems)]
    else:
        inputs = [example.input for example in form.read(row, problems)]
    if problems.left_out:
        problems.append((f"a row left out: {problems.left_out}", "a question in every row"))
    return inputs


def shown(cell: Any) -> str:
    """A cell as it is written into a table again."""
    text = cell_text(cell)
    return json.dumps(cell, ensure_ascii=False, default=str) if text is None else text


def _files(
    paths: Sequence[Path], task: Task, faults: Faults, encoding: str | None
) -> list[tuple[str, Input]]:
    """One input a file; of folders the files in them that are of the task's kind."""
    ends = SUFFIXES | FOREIGN if task.pictures else {".txt"}
    what = "pictures" if task.pictures else ".txt files"
    files: list[Path] = []
    for path in paths:
        inside = files_of(path) if path.is_dir() else [path]
        fitting = [file for file in inside if file.suffix.lower() in ends]
        if not fitting:
            faults.add(Fault(f"no {what}", f"{what}, or one file of rows alone", where=str(path)))
        files += fitting
    names = columns_of(task)
    if len(names) > 1:
        faults.add(Fault(f"files, and the task has {len(names)} fields", "a .jsonl or .csv file"))
    if not task.pictures:
        return _texts(files, names[0], faults, encoding)
    inputs = []
    for file in files:
        try:
            inputs.append((str(file), _picture(file)))
        except InputError as error:
            faults.add(*error.faults)
    if faults:
        raise faults.error()
    return inputs


def _texts(
    files: Sequence[Path], name: str, faults: Faults, encoding: str | None
) -> list[tuple[str, Input]]:
    """The text of each file, as one input."""
    raws: dict[Path, bytes] = {}
    for file in files:
        try:
            raws[file] = read_bytes(file)
        except InputError as error:
            faults.add(*error.faults)
    if faults:
        raise faults.error()
    texts, _ = decoded_alike(raws, files[0].parent, encoding)
    if encoding is None and (mending := mending_of(texts)):
        texts = [mending.of(text) for text in texts]
    return [(str(file), Input(((name, text),))) for file, text in zip(files, texts, strict=True)]


def _picture(file: Path) -> Input:
    image = as_image(file)
    look(image)
    return Input(images=(image,))


def _named_pictures(table: Table, faults: Faults) -> list[Input]:
    """The pictures that a column of the table names, each of which can be read."""
    column = next((name for name in table.columns if names_pictures(table, name)), None)
    if column is None:
        expected = "in one column the pictures' paths, from this file's folder"
        raise InputError(Fault("no column names pictures", expected, where=str(table.path)))
    open_pictures(table, column, faults)
    inputs = [Input(images=(row[column],)) for row in table.rows]
    check_pictures(table, [Example("", one) for one in inputs], table.places, faults)
    if faults:
        raise faults.error()
    return inputs


def read_mixed(
    path: str | Path, tasks: Mapping[str, Task], encoding: str | None = None
) -> list[tuple[str, str, Input]]:
    """(id, name, input) of each row of a ``.jsonl``, ``.csv``, ``.tsv`` or ``.parquet`` file.

    The column `UNDER` names the row's task, one of `tasks`, and a row needs the columns of its own
    task only. Raises `InputError` with every row that names none or an unknown one.
    """
    faults = Faults()
    table = read_table(Path(path), faults, encoding)
    if table is None:
        raise faults.error()
    if UNDER not in table.columns:
        expected = f"in each row the name of its folder: {', '.join(tasks)}"
        raise InputError(Fault(f"no column '{UNDER}'", expected, where=str(table.path)))
    names = [(cell_text(row.get(UNDER)) or "").strip() for row in table.rows]
    for name, place in zip(names, table.places, strict=True):
        if name not in tasks:
            problem = f"unknown name '{name}' in '{UNDER}'" if name else f"no name in '{UNDER}'"
            do = nearest(name, tasks) if name else ""
            faults.at(table.path, table.unit, place, problem, f"one of: {', '.join(tasks)}", do)
    named = [tasks[name] for name in dict.fromkeys(names) if name in tasks]
    if any(task.pictures for task in named):
        raise InputError(Fault("a folder that answers pictures, in a file of texts", "one folder"))
    needed = dict.fromkeys(column for task in named for column in columns_of(task))
    rename(table, list(needed))
    faults.add(*(missing_column(table, name) for name in needed if name not in table.columns))
    if faults:
        raise faults.error()
    inputs = _inputs(table, [tasks[name] for name in names], faults)
    return list(zip(_ids(table, inputs)[0], names, inputs, strict=True))


def columns_of(task: Task) -> list[str]:
    """The columns that a task reads."""
    return [name for name, _ in task.field_names] or ["text"]


def _inputs(
    table: Table, tasks: Sequence[Task], faults: Faults, form: Format | None = None
) -> list[Input]:
    """The inputs of all rows, each read as its task's; raises what `faults` has gathered."""
    inputs: list[Input] = []
    for row, place, task in zip(table.rows, table.places, tasks, strict=True):
        problems = Problems()
        inputs += inputs_of_row(row, task, form, problems)
        for problem, expected in problems:
            faults.at(table.path, table.unit, place, problem, expected)
    if faults:
        raise faults.error()
    return inputs


def lines_of(path: Path, names: list[str], encoding: str | None) -> Table | None:
    """One text a line; None where the first line names all fields and more: a table."""
    lines = read_lines(path, encoding)
    header = lines[0].split("\t")
    if len(header) > 1 and set(names) <= set(header):
        return None
    if len(names) != 1:
        raise InputError(
            Fault(
                f"a .txt file has one text a line, the task has {len(names)} fields",
                expected=f"a .jsonl or .csv file with: {', '.join(names)}",
                where=str(path),
            )
        )
    rows = [{names[0]: line} for line in lines]
    table = Table(path, (names[0],), rows, list(range(1, len(rows) + 1)))
    if encoding is None:
        mend(table)
    return table


def _ids(table: Table, inputs: list[Input]) -> tuple[list[str], list[str]]:
    """The rows' own ids where they are unique, else names of the content; a note why not."""
    own, notes = own_ids(table)
    return own or content_ids([Example("", one) for one in inputs]), notes


def own_ids(table: Table) -> tuple[list[str], list[str]]:
    """The ids that the table has; [] where a row has none or two have one, and a note of these."""
    column = id_column(table.columns)
    own = [cell_text(row.get(column)) or "" for row in table.rows] if column is not None else []
    if own and all(own) and len(set(own)) == len(own):
        return own, []
    repeat = len(own) - len(set(own))
    note = f"'{column}' repeats {repeat} values: rows are named by their content instead"
    return [], [note] if repeat else []


def id_column(columns: Sequence[str]) -> str | None:
    """The column whose name says that it holds ids."""
    known = {column.lower(): column for column in columns}
    return next((known[name] for name in ID_NAMES if name in known), None)
