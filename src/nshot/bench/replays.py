"""The answers of other systems that a request names, as methods of the run."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from nshot.bench.request import Request
from nshot.bench.setting import answers_folder
from nshot.core.errors import Fault, InputError
from nshot.core.types import Example, Split, Task, digest
from nshot.data.answers import read_answers
from nshot.methods import TABLE
from nshot.methods.contract import Method
from nshot.methods.outside.replay import Replay
from nshot.predictors.replayed import Replayed


def replays(
    request: Request,
    task: Task,
    rows: Split,
    methods: Sequence[Method],
    out: Path,
    more: Sequence[Sequence[Example]] = (),
) -> list[tuple[Replay, Replayed]]:
    """Of each system its method and what it answered, for the run in the folder `out`.

    `more` are test rows that came later. Raises `InputError` with every fault of names and files.
    """
    known = {row.id for row in (*rows.train, *rows.test)}
    later = [_as_in_its_file(row, known) for some in more for row in some]
    measured = [*(rows.test or rows.train), *later]
    every = [*rows.train, *rows.test, *later]
    faults: list[Fault] = []
    made = []
    for title, file in request.answers.items():
        faults += _name_faults(title, methods)
        try:
            replies = read_answers(file, task, every, measured, request.encoding)
        except InputError as error:
            faults += error.faults
            continue
        predictor = Replayed(task, title, replies.answers, replies.notes)
        folder = answers_folder(out, _folder_name(title))
        method = Replay(
            folder=str(folder), sha256=predictor.sha256, title=title, seconds=replies.seconds
        )
        made.append((method, predictor))
    if faults:
        raise InputError(faults)
    return made


def _as_in_its_file(row: Example, known: Collection[str]) -> Example:
    """A row that came later under the id of its own file, where no row before it has that."""
    own = row.id.partition(":")[2]
    return row if own in known else replace(row, id=own)


def _name_faults(title: str, methods: Sequence[Method]) -> list[Fault]:
    """A name that another row of the board has, or may have."""
    if title not in TABLE and " @ " not in title and title not in {m.called for m in methods}:
        return []
    problem = f"--answers calls a system '{title}', as a method is"
    return [Fault(problem, "a name of its own", f"--answers 'my {title.split(' @ ')[0]}=FILE'")]


def _folder_name(title: str) -> str:
    """A file name for a title, and another for every other."""
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '-', title).strip('.-')[:40]}-{digest(title)[:6]}"
