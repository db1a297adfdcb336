"""The rows of a request: read, split, and checked for what no comparison can be made of.

`check`, `compare` and its dry run read them here, so that what one refuses the others refuse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from nshot.bench.jobs.job import Cut
from nshot.bench.request import Request
from nshot.bench.setting import Setting, cut_rows
from nshot.core.errors import Fault, InputError
from nshot.core.types import Example, Split, Task
from nshot.data import Loaded, load, read_inputs, split, with_background, with_unlabelled
from nshot.data.drawing import rare_labels
from nshot.metrics import misfits

DRAWS = 3
"""Draws of the shots, or repeats of the folds, where the user names no number."""
FOLDS, SLOW_FOLDS, SLOW_REPEATS = 5, 3, 2
"""Without test rows: folds for every method, and folds and repeats for methods of minutes."""


def checked_rows(request: Request) -> tuple[Task, Split]:
    """The task and its rows. Raises `InputError` where a comparison of them would be refused."""
    task, also, rows = read_rows(request)
    if faults := row_faults(request, task, also, rows):
        raise InputError(faults)
    return task, rows


def load_files(request: Request, test: str | None, shots: Sequence[int] | None = None) -> Loaded:
    """The files of a request, `test` as its test file."""
    return load(
        request.task,
        test=test,
        text=request.text,
        label=request.label,
        group=request.group,
        kind=request.kind,
        positive=request.positive,
        pictures=request.pictures,
        encoding=request.encoding,
        shots=shots,
    )


def read_rows(request: Request, hold_out: bool = True) -> tuple[Task, tuple[str, ...], Split]:
    """The task, the metrics to show beside its own, and its rows as they will be used."""
    sizes = None if request.shots is None else [n for n in request.shots if n is not None]
    loaded = load_files(request, request.test, sizes)
    test = loaded.test if hold_out or loaded.test is not None else ()
    task = replace(loaded.task, metric=request.metric or loaded.task.metric)
    stated = {"keeps_format": task.answer_format, "reward": task.rules}
    kept = [name for name, what in stated.items() if what and task.kind == "generate"]
    names = dict.fromkeys((*(request.also or loaded.also), *kept))
    also = tuple(name for name in names if name != task.metric)
    rows = split(task, loaded.train, test, test_limit=request.test_limit)
    rows = with_background(rows, loaded.background)
    rows = with_unlabelled(rows, _unlabelled(request, task))
    notes = (*loaded.notes, *rows.notes, *_uneven(task, rows))
    notes += (*_rare(request, task, rows), *_unused(request, rows))
    return task, also, replace(rows, notes=notes)


def _unlabelled(request: Request, task: Task) -> list[Example]:
    """The inputs without labels that the request names."""
    if request.unlabelled is None:
        return []
    rows = read_inputs(request.unlabelled, task, request.encoding)
    return [Example(f"unlabelled:{name}", one) for name, one in rows]


_UNEVEN = 0.8
"""Share of the rows from which one label makes accuracy say little of the others."""


def _uneven(task: Task, rows: Split) -> list[str]:
    """A note where one label has most of the rows and the metric is the share of right answers."""
    counts = (
        Counter(row.label for row in (*rows.train, *rows.test)) if task.has_labels else Counter()
    )
    if task.metric != "accuracy" or not counts:
        return []
    name, count = counts.most_common(1)[0]
    if count <= _UNEVEN * counts.total():
        return []
    return [
        f"{count} of {counts.total()} rows have the label {name!r}: always answering it is right "
        "that often, and accuracy hides how the others do; --metric macro_f1 counts every label "
        "alike" + ", --metric f1 is of the positive one" * (task.positive is not None)
    ]


def _rare(request: Request, task: Task, rows: Split) -> list[str]:
    """A note on each label that has fewer rows than are drawn of the others."""
    largest = max((n for n in request.shots or () if n is not None), default=0)
    counts = Counter(row.label for row in rows.train) if task.has_labels else Counter()
    return [
        f"label '{name}' has {counts[name]} row{'s' * (counts[name] > 1)} to learn from: a draw of "
        f"--shots {largest} takes all of them, and {largest} of the other labels"
        for name in rare_labels(counts, largest, task.drawn_labels)
    ]


def _unused(request: Request, rows: Split) -> list[str]:
    """Notes on flags that say nothing to the question that is asked."""
    notes = []
    if request.seeds is not None and request.shots is None and rows.mode != "folds":
        notes.append(
            "--seeds has no effect: each method is fitted once, on all rows (--shots draws)"
        )
    if request.refit_on_all and (request.shots is not None or rows.mode == "folds"):
        notes.append("--refit-on-all has no effect: what is delivered learns from all rows anyway")
    return notes


def row_faults(request: Request, task: Task, also: Sequence[str], rows: Split) -> list[Fault]:
    """Metrics that do not fit; labels with too few rows for the shots asked for, or for folds."""
    every = rows.mode == "folds" or task.kind != "rank"  # else answers without another can teach
    wrong = misfits(task, also, (*(rows.train if every else ()), *rows.test))
    if task.has_labels and rows.mode == "folds" and (faults := _lonely(task, rows)):
        return [*wrong, *faults]
    largest = max((n for n in request.shots or () if n is not None), default=0)
    after = "after duplicates were dropped" if rows.mode != "folds" else "in a training fold"
    drawable = dict(zip(task.drawn_labels or ("",), _drawable(request, task, rows), strict=True))
    rare = rare_labels(drawable, largest, task.drawn_labels)
    return wrong + [
        Fault(
            f"{_called(name)} has {count} rows {after}, fewer than --shots {largest}",
            do=f"--shots {max(count, 1)}, or label {largest - count} more rows",
        )
        for name, count in drawable.items()
        if count < largest and name not in rare
    ]


def _called(label: str) -> str:
    return f"label '{label}'" if label else "the task"


def _drawable(request: Request, task: Task, rows: Split) -> list[int]:
    """For each label, or for the task where it has none, how many rows every draw can count on."""
    pools = [rows.train]
    if rows.mode == "folds":
        setting = Setting(task, rows)
        pools = [
            cut_rows(setting, Cut(folds, index), repeat)[0]
            for folds in (FOLDS, SLOW_FOLDS)
            for index in range(folds)
            for repeat in range(max(1, request.seeds or DRAWS))
        ]
    if not task.has_labels:
        return [min(map(len, pools))]
    counts = [Counter(example.label for example in pool) for pool in pools]
    return [min(count[name] for count in counts) for name in task.label_names]


def _lonely(task: Task, rows: Split) -> list[Fault]:
    """Labels that folds cannot measure: their rows would be all learned or all answered."""
    sources = {name: set[str]() for name in task.label_names}
    for example in rows.train:
        sources[example.label].add(example.group or f"id:{example.id}")
    return [
        Fault(
            f"label '{name}' has one row, or rows of one group only",
            expected="two of each label where no test file is given: one to learn, one to test",
            do="label more rows, give --test FILE, or leave the label out",
        )
        for name, groups in sources.items()
        if len(groups) < 2
    ]
