"""A task file, a data file or a folder becomes a `Task` and its examples.

Every fault of the input goes into one `InputError`; what was guessed or left out becomes a note.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from nshot.core.errors import Fault, InputError, nearest
from nshot.core.label_sets import BETWEEN
from nshot.core.numbers import number, written
from nshot.core.spans import spans_of
from nshot.core.spans import written as written_spans
from nshot.core.types import (
    LABELLED,
    NAMED,
    OF_LABELS,
    Example,
    Image,
    Input,
    Kind,
    Label,
    Scale,
    Task,
    digest,
)
from nshot.data.annotators import fold_annotators, join_annotators
from nshot.data.columns import (
    GENERIC_LABEL_NAMES,
    LABEL_NAMES,
    LABELS_NAMES,
    Columns,
    Given,
    answer_column,
    choose,
    column_named,
    extras,
    fold_flags,
    generate_command,
    missing_column,
    rename,
)
from nshot.data.drawing import too_few
from nshot.data.exports.votes import read_export
from nshot.data.faults import Faults, Place
from nshot.data.files import READ
from nshot.data.folders import (
    IMAGE_COLUMN,
    Parts,
    folders_of,
    parts_of,
    read_classes,
    read_folder,
    within,
)
from nshot.data.formats import COLUMNS, detect, named, read
from nshot.data.formats.format import Format
from nshot.data.hub import hub_file, is_hub_name
from nshot.data.label_sets import read_label_sets
from nshot.data.labels import Labelled, check_labels
from nshot.data.levels import ordered
from nshot.data.mojibake import mend
from nshot.data.nested import flatten, holds_objects, name_objects
from nshot.data.numbers import (
    as_points,
    leave_gaps_out,
    scale_of,
    several_units,
    writing_notes,
)
from nshot.data.part_column import PART, in_parts
from nshot.data.picture_rows import (
    GROUP_COLUMN,
    check_pictures,
    group_by_name,
    group_hint,
    names_pictures,
    open_pictures,
)
from nshot.data.positive import guessed_positive, positive_fault
from nshot.data.spans import read_spans
from nshot.data.table import Row, Table, cell_text
from nshot.data.tables import read_table
from nshot.data.task_file import TASK_FILE, TaskFile, label_key, read_task
from nshot.data.token_tags import read_tokens
from nshot.data.values import read_labels

_METRIC: dict[Kind, str] = {
    "classify": "accuracy",
    "score": "kappa",
    "multilabel": "micro_f1",
    "number": "mae_skill",
    "spans": "span_f1",
    "generate": "token_f1",
    "rank": "pair_accuracy",
}
_NAMELESS = frozenset({"train", "test", "dev", "val", "data", "index"})


_DESCRIPTION = "description"
"""The column of a file of other classes that says what is seen on the pictures of each."""
_UNSAID = (
    "prompts call the answer 'Label': a word that says what it is (task.yaml, prompt: answer: "
    "Sentiment) can be worth many points"
)


@dataclass(frozen=True)
class Loaded:
    """A task with its train rows, its test rows where there is such a file, and what was noted.

    `background` are examples of other classes, with their descriptions where the file has them, and
    of other tasks, which are groups. `format` is how the rows are written: the name of a format, or
    ``columns``. `also` are metrics to show beside the task's.
    """

    task: Task
    train: tuple[Example, ...]
    test: tuple[Example, ...] | None
    notes: tuple[str, ...] = ()
    format: str = COLUMNS
    also: tuple[str, ...] = ()
    background: tuple[Example, ...] = ()


@dataclass
class _Part:
    """The rows of one file: those without fault, with their places, and every label that is one."""

    table: Table
    examples: list[Example]
    places: list[Place]
    labelled: Labelled


def load(
    source: str | Path,
    *,
    test: str | Path | None = None,
    text: Sequence[str] = (),
    label: str | None = None,
    group: str | None = None,
    kind: Kind | None = None,
    format: str | None = None,
    shots: Sequence[int] | Literal["all"] | None = None,
    encoding: str | None = None,
    positive: str | None = None,
    pictures: str | Path | None = None,
    background: bool = True,
) -> Loaded:
    """Read what the user points at: ``task.yaml`` (or its folder), a data file, a class folder.

    `test`, `text`, `label`, `group` and `kind` go before what a task file says; without `text` and
    `label` the format is told from the keys, then columns are guessed, and the guess is a note.
    `format` pins one. `shots` are the numbers per label that will be drawn. `encoding` is that of
    files that are not UTF-8; else it is told from their content. `positive` is the label looked
    for, of two. `pictures` is the folder of the pictures that a column names, where it is not the
    file's own. Without `background` that of a task file is not read. Raises `InputError` with every
    fault of all the files.
    """
    task_file, places = _sources(Path(source), Path(test) if test else None)
    train_path, test_path = places.train, places.test
    keys = task_file.data
    given = Given(
        kind or task_file.kind,
        tuple(text) or keys.text,
        label or keys.label,
        group or keys.group,
        keys.id,
    )
    faults, notes = Faults(), list(places.notes)
    pinned = named(format) if format and format != COLUMNS else None
    tables = [
        _table(path, faults, encoding) for path in (train_path, test_path) if path is not None
    ]
    if tables[0] is None:
        raise faults.error()
    for table in tables:
        if table is not None and (pictures or keys.pictures):
            table.pictures = Path(pictures) if pictures else keys.pictures
    first = tables[0]
    if first.unit != "file" or PART in first.columns:
        used = (*given.text, *(name for name in (given.label, given.group, given.id) if name))
        tables = [*in_parts(first, used, test_path is not None, notes), *tables[1:]]
        first = tables[0] or first
    given = _grouped(tables, given, faults, notes)
    present = [table for table in tables if table]
    given = read_tokens(present, given, keys.tags, faults, notes)
    question = given.label if given.label not in first.columns else None
    if not format and question == given.label and read_export(first, faults, question):
        for table in present[1:]:
            read_export(table, faults, question)
        if len(present) == 1:
            present = [*in_parts(first, (), False, notes)]
            first = present[0]
    if faults and not first.rows:
        raise faults.error()
    form = pinned or (None if format or _columns_given(given) else detect(first))
    if form is None:
        given = _with_labels(present, given, notes)
    if form is not None:
        columns, parts = _formatted(present, form, given, faults, notes, pinned is not None)
    elif chosen := choose(first, given, faults, notes):
        for table in present[1:]:
            _call_alike(table, first, chosen)
        for table in present if chosen.kind in LABELLED else ():
            if chosen.label in table.columns:
                join_annotators(table, chosen.text, chosen.label)
        if chosen.kind in OF_LABELS:
            if test is None and not keys.test:
                present = _without_bare_test(present, chosen.label, task_file.name, notes)
            listed = [label.name for label in task_file.labels]
            read_cells = read_labels if chosen.kind in LABELLED else read_label_sets
            read_cells(present, chosen.label, listed, faults, notes, task_file.name)
        elif chosen.kind == "number":
            for table in present:
                leave_gaps_out(table, chosen.label)
        _open_pictures(present, chosen, faults)
        columns, parts = chosen, [_part(table, chosen, faults) for table in present]
    else:
        raise faults.error()
    notes += [note for part in parts for note in part.table.notes]
    for part in parts:
        check_pictures(part.table, part.examples, part.places, faults)
    _check(task_file, columns, parts, shots, faults)
    if columns.kind == "number":
        notes += _read_numbers(columns.label, parts, faults)
    if columns.kind == "spans" and not faults:
        notes += _check_spans(task_file, parts, faults)
    if faults:
        raise faults.error()
    _give_ids(parts, columns, notes)
    if columns.kind == "multilabel":
        notes += _rarest_first(parts)
    train, *tests = (tuple(part.examples) for part in parts)
    task = _with_positive(_task(task_file, columns, parts), positive or task_file.positive, source)
    unsaid = task.answer_name == "Label" and not task_file.answer_word
    if task.has_strata and unsaid and not task.pictures:
        notes.append(_UNSAID)
    if task.positive and not (positive or task_file.positive):
        notes.append(f"positive label '{task.positive}' (guessed by its name; --positive sets it)")
    if not task_file.labels:
        notes += _order_notes(task, given.kind)
    name = form.name if form else COLUMNS
    beside = tuple(
        example
        for path in (keys.background if background else ())
        for example in _background(path, task, keys.label, encoding)
    )
    return Loaded(
        task, train, tests[0] if tests else None, tuple(notes), name, task_file.also, beside
    )


def _background(
    path: Path, task: Task, label: str | None, encoding: str | None
) -> tuple[Example, ...]:
    """Examples of other classes than the task's; a description is the text beside a picture."""
    if path.suffix in (".yaml", ".yml") or (path / TASK_FILE).is_file():
        return _other_task(path, task, encoding)
    if not task.has_labels:
        problem = "data.background holds other classes, and a generate task has none"
        raise InputError(Fault(problem, do="leave it out", where=str(path)))
    part = _classes(path, task, label if path.is_file() else None, encoding)
    if not task.pictures:
        return tuple(part.examples)
    rows = dict(zip(part.table.places, part.table.rows, strict=True))
    return tuple(
        replace(example, input=_described(example.input, rows[place].get(_DESCRIPTION)))
        for example, place in zip(part.examples, part.places, strict=True)
    )


def _other_task(path: Path, task: Task, encoding: str | None) -> tuple[Example, ...]:
    """The train rows of another task of labels: its group, its fields as its prompt calls them."""
    other = load(path, encoding=encoding, background=False)
    if other.task.pictures != task.pictures or not other.task.has_labels:
        problem = f"a task of kind {other.task.kind} in data.background"
        expected = "tasks of labels, of pictures where this task has pictures"
        raise InputError(Fault(problem, expected, "leave it out", str(path)))
    names = dict(other.task.field_names)
    group = f"task {other.task.name}"
    return tuple(
        replace(
            row,
            id=f"{other.task.name}:{row.id}",
            input=replace(
                row.input,
                fields=tuple((names.get(name, name), text) for name, text in row.input.fields),
            ),
            group=group,
        )
        for row in other.train
    )


def _described(input: Input, cell: Any) -> Input:
    text = (cell_text(cell) or "").strip()
    return replace(input, fields=((_DESCRIPTION, text),)) if text else input


def _grouped(
    tables: Sequence[Table | None], given: Given, faults: Faults, notes: list[str]
) -> Given:
    """Of folders the group is a pattern of files' names: their rows get a column of groups."""
    folders = [table for table in tables if table and table.unit == "file"]
    if not given.group:
        pictures = folders[:1] if folders and IMAGE_COLUMN in folders[0].columns else []
        notes += [hint for table in pictures if (hint := group_hint(table))]
        return given
    for table in folders:
        group_by_name(table, given.group, faults)
    return replace(given, group=GROUP_COLUMN) if folders else given


def _without_bare_test(
    tables: Sequence[Table], label: str, name: str, notes: list[str]
) -> list[Table]:
    """The tables without test rows that nobody asked for and that have no labels."""
    train, *tests = tables
    bare = [test for test in tests if not any(_has_value(row.get(label)) for row in test.rows)]
    for test in bare:
        command = f"nshot predict {quote(str(Path('runs') / name))} {quote(str(test.path))}"
        one_file = test.path == train.path
        notes.append(
            f"the test rows of {test.path.name} have no labels: not used"
            if one_file
            else f"{test.path.name} has no labels: not used; once the run is done, {command} "
            "answers it"
        )
    return [train, *(test for test in tests if test not in bare)]


def _with_labels(tables: Sequence[Table], given: Given, notes: list[str]) -> Given:
    """Put one column of labels for objects, several annotators, or a column a label."""
    used = [*given.text, *(name for name in (given.group, given.id) if name)]
    for table in tables:
        _open_objects(table, given)
        if not given.label:
            fold_annotators(table, used)
    return fold_flags(tables, given, notes)


def _open_objects(table: Table, given: Given) -> None:
    """Take objects in cells apart, where the columns lack a text or a label as they stand."""
    if not any(holds_objects(table, name) for name in table.columns):
        return
    for name in [given.label] if given.label else [*LABEL_NAMES, *LABELS_NAMES]:
        if name in table.columns and holds_objects(table, name):
            name_objects(table, name)
    names = [*given.text, *([given.label] if given.label else [])]
    lacks = any(column_named(table, name) is None for name in names)
    if lacks or (not names and choose(table, given, Faults(), []) is None):
        flatten(table)


def _has_value(cell: Any) -> bool:
    text = cell_text(cell)
    return text is None or bool(text.strip())


def _call_alike(table: Table, train: Table, columns: Columns) -> None:
    """Call the columns of test rows as those of the train rows; without headers by their places."""
    if not table.headed and not train.headed and len(table.columns) == len(train.columns):
        rows = [row.values() for row in table.rows]
        table.columns = train.columns
        table.rows = [dict(zip(train.columns, cells, strict=True)) for cells in rows]
    used = (*columns.text, columns.label, columns.group, columns.id)
    rename(table, [name for name in used if name])


def _open_pictures(tables: Sequence[Table], columns: Columns, faults: Faults) -> None:
    """Where a column names files of pictures, the pictures take its place."""
    named = [name for name in columns.text if names_pictures(tables[0], name)]
    folder = tables[0].unit == "file" and columns.text == (IMAGE_COLUMN,)
    if not named and not folder:
        return
    where = str(tables[0].path)
    if len(columns.text) > 1:
        problem = f"pictures and texts in one row: {', '.join(columns.text)}"
        faults.add(Fault(problem, "one column of pictures", f"--text {named[0]}", where))
    if columns.kind not in LABELLED:
        problem = f"pictures in a task of kind {columns.kind}"
        faults.add(Fault(problem, "one label a picture", where=where))
    for table in tables if len(named) == len(columns.text) else ():
        if named[0] in table.columns:
            open_pictures(table, named[0], faults)
    if faults and not tables[0].rows:
        raise faults.error()


def load_classes(
    source: str | Path, task: Task, label: str | None = None, encoding: str | None = None
) -> list[Example]:
    """Examples of classes that are to be added to a delivered task.

    `source` is a folder of one class, named like its label, a folder of such folders, or a data
    file with the task's columns. Raises `InputError` with every fault.
    """
    return _classes(Path(source), task, label, encoding).examples


def _classes(path: Path, task: Task, label: str | None, encoding: str | None) -> _Part:
    """The rows of labels that the task does not have."""
    faults, notes = Faults(), list[str]()
    if path.is_dir():
        classes = folders_of(path)
        whole = path.resolve()
        table = read_classes(
            path if classes else whole.parent, classes or [whole], faults, encoding
        )
    else:
        table = read_table(path, faults, encoding)
    if table is None:
        raise faults.error()
    if task.pictures:
        table.columns = tuple(name for name in table.columns if name != _DESCRIPTION)
    names = () if table.unit == "file" else tuple(name for name, _ in task.field_names)
    columns = choose(table, Given("classify", names, label), faults, notes)
    if columns is None:
        raise faults.error()
    read_labels([table], columns.label, (), faults, notes)
    _open_pictures([table], columns, faults)
    part = _part(table, columns, faults)
    check_pictures(table, part.examples, part.places, faults)
    if any(bool(example.input.images) != task.pictures for example in part.examples):
        have, need = ("texts", "pictures") if task.pictures else ("pictures", "texts")
        faults.add(Fault(f"these are {have}", f"{need}: the folder answers those", where=str(path)))
    known = {label_key(name): name for name in task.label_names}
    for name in dict.fromkeys(part.labelled.labels):
        if (other := known.get(label_key(name))) is not None:
            part.labelled.note(faults, name, f"the label {other!r} is known already", "new labels")
    if faults:
        raise faults.error()
    _give_ids([part], columns, notes)
    return part


def _columns_given(given: Given) -> bool:
    """Has the user said how the columns are to be read?"""
    return bool(given.text or given.label or given.kind in OF_LABELS)


def _formatted(
    tables: Sequence[Table],
    form: Format,
    given: Given,
    faults: Faults,
    notes: list[str],
    pinned: bool,
) -> tuple[Columns, list[_Part]]:
    """The rows of tables of one format, and the columns that were of use."""
    train = tables[0]
    group, id_ = extras(train, given)
    if given.kind not in (None, form.kind):
        problem = f"rows of format {form.name} are of kind {form.kind}, the task's is {given.kind}"
        faults.add(Fault(problem, do="leave the kind out", where=str(train.path)))
    parts = [_format_part(table, form, group, faults, pinned) for table in tables]
    fields = dict.fromkeys(
        name for part in parts for row in part.examples for name, _ in row.input.fields
    )
    how = "as asked" if pinned else "told from the keys"
    notes.append(f"format {form.name}: {form.keys} ({how})")
    used = {*form.uses, group, id_}
    if unused := [repr(name) for name in train.columns if name not in used]:
        notes.append(f"columns not used: {', '.join(unused)}")
    return Columns(form.kind, tuple(fields), "", group, id_), parts


def _format_part(
    table: Table, form: Format, group: str | None, faults: Faults, pinned: bool
) -> _Part:
    """The rows of a table of a format, in the groups of the column `group` or of the format."""
    part = _Part(table, [], [], Labelled(table.path, table.unit, [], []))
    rows = dict(zip(table.places, table.rows, strict=True))
    for example, place in read(table, form, faults, pinned):
        own = cell_text(rows[place].get(group)) if group else None
        part.examples.append(replace(example, group=own or example.group))
        part.places.append(place)
    return part


def _table(path: Path, faults: Faults, encoding: str | None) -> Table | None:
    """The rows of a file, or of a folder of classes."""
    if not path.is_dir():
        return read_table(path, faults, encoding)
    table = read_folder(path, faults, encoding)
    if table is not None and encoding is None:
        mend(table)
    return table


def files_of(source: str | Path, test: str | Path | None = None) -> tuple[Path, ...]:
    """The files of rows that `load` reads; folders of classes are no files of rows."""
    _, parts = _sources(Path(source), Path(test) if test else None)
    return tuple(path for path in (parts.train, parts.test) if path is not None and path.is_file())


def _sources(source: Path, test: Path | None) -> tuple[TaskFile, Parts]:
    """What is said of the task, where the train rows are, where the test rows are.

    A name of a data set on a hub stands for its file of train rows.
    """
    if test is not None and is_hub_name(str(test), READ):
        test = hub_file(str(test), READ)
    if is_hub_name(str(source), READ):
        name = source.name.partition(":")[0]
        return TaskFile(source, name), Parts(hub_file(str(source), READ), test)
    if (source / TASK_FILE).is_file():
        source = source / TASK_FILE
    if source.suffix.lower() in (".yaml", ".yml"):
        task_file = read_task(source)
        train, test = task_file.data.train or source, test or task_file.data.test
    else:
        whole = source.resolve()
        stem = whole.name if whole.is_dir() else whole.stem
        name = whole.parent.name if stem in _NAMELESS else stem
        task_file, train = TaskFile(source, name), source
    if train.is_dir() and (inner := within(train)) != train:
        looked = f"{inner.relative_to(train)} in {train.name} is read"
        inside = parts_of(inner, test) or Parts(inner, test)
        return task_file, replace(inside, notes=(looked, *inside.notes))
    parts = parts_of(train, test) if train.is_dir() else None
    return task_file, parts or Parts(train, test)


def _part(table: Table, columns: Columns, faults: Faults) -> _Part:
    """The rows of a table as examples without ids; rows at fault are left out."""
    part = _Part(table, [], [], Labelled(table.path, table.unit, [], []))
    answer = answer_column(table, columns)
    if table.broken and not table.rows:
        return part
    if missing := [name for name in (*columns.text, answer) if name not in table.columns]:
        faults.add(*(missing_column(table, name) for name in missing))
        table.broken = True
        return part
    _leave_out_empty(table, columns.text)
    for row, place in zip(table.rows, table.places, strict=True):
        problems: list[tuple[str, str]] = []
        input = read_input(row, columns.text, problems)
        targets = (
            _span_targets(answer, row.get(answer), input, problems)
            if columns.kind == "spans"
            else _targets(answer, row.get(answer), columns.kind, problems)
        )
        for target in targets if columns.kind == "multilabel" else targets[:1]:
            part.labelled.labels.append(target)
            part.labelled.places.append(place)
        for problem, expected in problems:
            faults.at(table.path, table.unit, place, problem, expected)
        if problems:
            continue
        group = cell_text(row.get(columns.group)) if columns.group else None
        part.examples.append(Example("", input, targets, group=group or None))
        part.places.append(place)
    if columns.kind in OF_LABELS:
        table.notes += _gap_notes(table, columns.text, part.examples)
    return part


def _leave_out_empty(table: Table, columns: Sequence[str]) -> None:
    """Take out the rows without a text, counted; not where they are most: the column is another."""
    kept = [
        (row, place)
        for row, place in zip(table.rows, table.places, strict=True)
        if any(_has_value(row.get(name)) for name in columns)
    ]
    empty = len(table.rows) - len(kept)
    if empty and 2 * empty < len(table.rows):
        named = ", ".join(map(repr, columns))
        table.notes.append(f"{table.path.name}: {empty} rows have no text ({named}), left out")
        table.rows, table.places = [row for row, _ in kept], [place for _, place in kept]


def _gap_notes(table: Table, columns: Sequence[str], rows: Sequence[Example]) -> list[str]:
    """Of several text columns, how many rows have nothing in one."""
    if len(columns) < 2:
        return []
    counts = Counter(name for row in rows for name, _ in row.input.fields)
    return [
        f"{table.path.name}: {len(rows) - counts[name]} rows have an empty {name!r}: read without"
        for name in columns
        if counts[name] < len(rows)
    ]


def read_input(row: Row, columns: Sequence[str], problems: list[tuple[str, str]]) -> Input:
    """The input of a row; problems (what was found, what was expected) go into `problems`.

    Some of several columns may be empty: those are left out.
    """
    fields: list[tuple[str, str]] = []
    images: list[Image] = []
    empty: list[str] = []
    for name in columns:
        cell = row.get(name)
        if isinstance(cell, Image):
            images.append(cell)
        elif (text := cell_text(cell)) is None:
            problems.append((f"'{name}' holds a {type(cell).__name__}", "a text"))
        elif not text.strip():
            empty.append(name)
        else:
            fields.append((name, text))
    if empty and len(empty) == len(columns):
        problems += [(f"the text '{name}' is empty", "a text in every row") for name in empty]
    return Input(tuple(fields), images=tuple(images))


def _targets(name: str, cell: Any, kind: Kind, problems: list[tuple[str, str]]) -> tuple[str, ...]:
    """The label, all labels, or all references."""
    if isinstance(cell, list) and kind in LABELLED:
        expected = "one label a row; --kind multilabel reads several"
        problems.append((f"'{name}' is a list of {len(cell)} labels", expected))
        return ()
    if kind == "multilabel" and isinstance(cell, list):
        return tuple(cell)
    texts = [cell_text(one) for one in (cell if isinstance(cell, list) else [cell])]
    if None in texts:
        problems.append((f"'{name}' holds a {type(cell).__name__}", "a text"))
    elif not texts or not all(text and text.strip() for text in texts):
        word = "label" if kind in LABELLED else "text"
        problems.append((f"'{name}' is missing", f"a {word} in every row"))
    return tuple(text for text in texts if text)


def _span_targets(
    name: str, cell: Any, input: Input, problems: list[tuple[str, str]]
) -> tuple[str, ...]:
    """The spans of the row's text, as an answer; () where something is wrong."""
    text = input.fields[0][1] if input.fields else ""
    spans = read_spans(name, cell, text, problems) if text else None
    return () if spans is None else (written_spans(text, spans),)


def _span_labels(part: _Part) -> list[str]:
    """The labels of the spans of a file, in their order."""
    return sorted({span.label for row in part.examples for span in spans_of(row.targets[0])})


def _check_spans(task_file: TaskFile, parts: Sequence[_Part], faults: Faults) -> list[str]:
    """Spans of labels that the task does not list are faults; notes of what the rows hold."""
    train, *tests = parts
    known = [label.name for label in task_file.labels] or _span_labels(train)
    if not _span_labels(train):
        where = str(train.table.path)
        faults.add(Fault("no row has a span", "spans to learn from", where=where))
        return []
    for part in parts if task_file.labels else ():
        for name in _span_labels(part):
            if name not in known:
                problem = f"spans of the label {name!r}, which the task file does not list"
                faults.add(Fault(problem, do=nearest(name, known), where=str(part.table.path)))
    notes = []
    if fresh := sorted({name for part in tests for name in _span_labels(part)} - {*known}):
        notes.append(
            f"labels of test spans that no other row has: {', '.join(fresh)}; each is missed"
        )
    rows = len(train.examples)
    spans = sum(len(spans_of(row.targets[0])) for row in train.examples)
    return [*notes, f"{spans} spans in {rows} rows: {', '.join(known)}"]


def _check(
    task_file: TaskFile,
    columns: Columns,
    parts: Sequence[_Part],
    shots: Sequence[int] | Literal["all"] | None,
    faults: Faults,
) -> None:
    """What can only be judged over all rows, and words for fields that are not there."""
    for name, _ in task_file.field_words:
        if name not in columns.text:
            problem = f"prompt.fields names '{name}', which is no text column"
            faults.add(Fault(problem, do=nearest(name, columns.text), where=str(task_file.path)))
    sizes = () if shots is None or shots == "all" else shots
    if columns.kind == "multilabel" and not parts[0].table.broken:
        _check_sets(task_file, columns, parts, sizes, faults)
    elif columns.kind in LABELLED:
        train, *tests = (part.labelled for part in parts)
        listed = [label.name for label in task_file.labels]
        tables = [part.table for part in parts]
        generate = generate_command(tables[0], columns, tables[1] if tests else None)
        check_labels(train, tests[0] if tests else None, listed, sizes, faults, generate)
        names = sorted(set(train.labels))
        if columns.kind == "score" and not listed and not faults and ordered(names) is None:
            faults.add(_unordered(names, tables[0].path))
    elif not parts[0].table.broken and not faults:
        faults.add(*too_few(Counter({"": len(parts[0].examples)}), max(sizes, default=1), ()))


def _check_sets(
    task_file: TaskFile,
    columns: Columns,
    parts: Sequence[_Part],
    sizes: Sequence[int],
    faults: Faults,
) -> None:
    """The labels of rows that may have several, and enough rows."""
    train, *tests = (part.labelled for part in parts)
    listed, where = [label.name for label in task_file.labels], str(parts[0].table.path)
    tables = [part.table for part in parts]
    generate = generate_command(tables[0], columns, tables[1] if tests else None)
    check_labels(train, tests[0] if tests else None, listed, (), faults, generate, sets=True)
    names = sorted({name for part in parts for name in part.labelled.labels})
    if len(names) == 1 and all(row.targets for row in parts[0].examples):
        problem = f"every row has the one label {names[0]!r}"
        faults.add(Fault(problem, "rows without it too: [] in place of a list", where=where))
    for name in names:
        if BETWEEN in name:
            problem = f"the label {name!r} has a {BETWEEN!r} in it, which stands between labels"
            for part in parts:
                part.labelled.note(faults, name, problem, "labels without it")
    faults.add(*too_few(Counter({"": len(parts[0].examples)}), max(sizes, default=1), ()))


def _rarest_first(parts: Sequence[_Part]) -> list[str]:
    """Order each row's labels by how many train rows have them; labels that no train row has."""
    counts = Counter(label for row in parts[0].examples for label in row.targets)
    for part in parts:
        part.examples = [
            replace(row, targets=tuple(sorted(row.targets, key=lambda name: (counts[name], name))))
            for row in part.examples
        ]
    labels = {label for part in parts for row in part.examples for label in row.targets}
    unseen = sorted(label for label in labels if not counts[label])
    if not unseen:
        return []
    return [
        f"labels that no train row has: {', '.join(map(repr, unseen))}; nothing can answer them, "
        "and rows that have them count as not right"
    ]


def _task(task_file: TaskFile, columns: Columns, parts: Sequence[_Part]) -> Task:
    names = sorted({target for example in parts[0].examples for target in example.targets[:1]})
    if columns.kind == "multilabel":
        names = sorted({target for p in parts for row in p.examples for target in row.targets})
    if columns.kind == "score":
        names = list(ordered(names) or names)
    if columns.kind == "spans":
        names = _span_labels(parts[0])
    labels = task_file.labels or tuple(Label(name) for name in names)
    words = dict(task_file.field_words)
    pictures = any(example.input.images for example in parts[0].examples)
    generic = columns.label.lower() in GENERIC_LABEL_NAMES
    answer = "Label" if generic else _words(columns.label)
    return Task(
        name=task_file.name,
        kind=columns.kind,
        labels=labels if columns.kind in NAMED else (),
        instruction=task_file.instruction,
        metric=task_file.metric or _METRIC[columns.kind],
        system=task_file.system,
        field_names=()
        if pictures
        else tuple((name, words.get(name) or _words(name)) for name in columns.text),
        answer_name=task_file.answer_word or (answer if columns.kind in OF_LABELS else "Answer"),
        answer_format=task_file.answer_format,
        reward=task_file.reward,
        pictures=pictures,
        scale=_scale(parts[0]) if columns.kind == "number" else None,
        parts=task_file.parts,
    )


def _with_positive(task: Task, label: str | None, source: str | Path) -> Task:
    """The task with its positive label: the one that was given, or by the labels' names."""
    if label is None:
        guess = guessed_positive(task.label_names) if task.kind == "classify" else None
        return replace(task, positive=guess)
    if fault := positive_fault(task, label, str(source)):
        raise InputError(fault)
    return replace(task, positive=label)


def _scale(part: _Part) -> Scale:
    return scale_of([float(example.targets[0]) for example in part.examples])


def _read_numbers(label: str, parts: Sequence[_Part], faults: Faults) -> list[str]:
    """Every target as a number in figures; notes of what is assumed. Faults of rows without one."""
    texts = [example.targets[0] for part in parts for example in part.examples]
    plain = iter(as_points(texts))
    for part in parts:
        for i, (example, place) in enumerate(zip(part.examples, part.places, strict=True)):
            value = number(next(plain))
            if value is None:
                problem = f"'{label}' holds {example.targets[0]!r}"
                faults.at(part.table.path, part.table.unit, place, problem, "a number in figures")
            else:
                part.examples[i] = replace(example, targets=(written(value),))
    if fault := several_units(label, texts, str(parts[0].table.path)):
        faults.add(fault)
    if faults:
        return []
    scale = _scale(parts[0])
    if not scale.deviation:
        problem = f"all numbers of '{label}' are {written(scale.median)}"
        faults.add(Fault(problem, "numbers that differ", where=str(parts[0].table.path)))
        return []
    about = (
        f"numbers: median {scale.median:.4g}, on average {scale.deviation:.4g} away from it (that "
        "is the error of always answering the median; mae_skill is the share of it that is saved)"
    )
    return [*writing_notes(texts), about]


def _unordered(names: Sequence[str], path: Path) -> Fault:
    """Levels whose names do not say which is higher."""
    return Fault(
        f"which of these levels is the lowest? {', '.join(names)}",
        expected="numbers, or words like low, medium, high",
        do=f"a {TASK_FILE} with the levels from the lowest to the highest: kind: score, "
        f"data: {{train: {path.name}}}, labels: [{', '.join(names)}]",
        where=str(path),
    )


def _order_notes(task: Task, kind: Kind | None) -> list[str]:
    """The order of levels, and that labels look like levels where they are taken for mere names."""
    names = task.label_names
    if task.kind == "score":
        return [f"levels, the lowest first: {', '.join(names)}"]
    levels = ordered(names) if kind is None and task.has_labels and len(names) > 2 else None
    if levels is None:
        return []
    return [
        f"the labels look like levels in order ({', '.join(levels)}) and are compared as mere"
        " names; with --kind score a near miss is better than a far one"
    ]


def _words(column: str) -> str:
    """``customer_message`` -> ``Customer message``."""
    words = " ".join(column.replace("_", " ").split())
    return words[:1].upper() + words[1:]


def _give_ids(parts: Sequence[_Part], columns: Columns, notes: list[str]) -> None:
    """The file's own ids where they are unique over all rows, else names of the content."""
    own = [] if columns.id is None else [_own_ids(part, columns.id) for part in parts]
    every = [name for names in own for name in names]
    if every and all(every) and len(set(every)) == len(every):
        ids = own
    else:
        if columns.id:
            notes.append(f"the ids of column '{columns.id}' are not unique: not used")
        ids = [content_ids(part.examples) for part in parts]
    for part, names in zip(parts, ids, strict=True):
        part.examples = [
            replace(row, id=name) for row, name in zip(part.examples, names, strict=True)
        ]


def _own_ids(part: _Part, column: str) -> list[str]:
    """Several examples of one row are told apart by a number: ``x``, ``x-2``."""
    rows = dict(zip(part.table.places, part.table.rows, strict=True))
    seen: Counter[Place] = Counter()
    ids = []
    for place in part.places:
        seen[place] += 1
        name = cell_text(rows[place].get(column)) or ""
        ids.append(name if seen[place] == 1 else f"{name}-{seen[place]}")
    return ids


def content_ids(examples: Iterable[Example]) -> list[str]:
    """A name for each row by its content, wherever it stands.

    Copies are counted: ``x``, ``x-2``.
    """
    seen: Counter[str] = Counter()
    ids = []
    for example in examples:
        fields = [part for pair in example.input.fields for part in pair]
        images = [image.sha256 for image in example.input.images]
        turns = [part for turn in example.input.turns for part in (turn.role, turn.text)]
        judged = [*example.input.answers, *map(str, example.grades)]
        rest = ["/", *turns, "/", *judged] if turns or judged else []
        name = digest(*fields, "/", *images, "/", *example.targets, "/", example.group or "", *rest)
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return ids
