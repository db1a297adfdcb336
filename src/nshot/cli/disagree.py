"""``nshot disagree``: the inputs on which the methods that could be the best differ."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.core.errors import Fault, InputError

if TYPE_CHECKING:
    from nshot.board.schema import Board

ABOUT = "the inputs on which the methods that could be the best differ: label these next"


def add(parser: argparse.ArgumentParser) -> None:
    """The run, the inputs, and where the list goes."""
    from nshot.core.fields import ENCODING

    parser.add_argument("folder", metavar="DIR", help="a run folder")
    parser.add_argument(
        "inputs", metavar="INPUTS", help=".jsonl, .csv, .tsv or .txt (one a line), without labels"
    )
    parser.add_argument("--encoding", metavar="NAME", help=ENCODING)
    parser.add_argument("-o", "--output", metavar="FILE", help="default: standard output")


def run(arguments: argparse.Namespace) -> int:
    """One line of JSON for each contested input, the most contested first."""
    from nshot.board.disagreement import disagreements
    from nshot.board.schema import Board
    from nshot.core.files import write_atomic
    from nshot.core.serial import dumps
    from nshot.data import read_inputs
    from nshot.use.many import load

    folders = _saved(Board.read(Path(arguments.folder)), Path(arguments.folder))
    models = load(folders)
    rows = read_inputs(arguments.inputs, next(iter(models.tasks.values())), arguments.encoding)
    inputs = [one for _, one in rows]
    answers = {
        name: {
            key: one.answer
            for (key, _), one in zip(rows, models.predict(inputs, [name] * len(rows)), strict=True)
        }
        for name in folders
    }
    contested = disagreements(dict(rows), answers)
    lines = [dumps(one.model_dump(exclude_none=True), canonical=False) for one in contested]
    text = "".join(f"{line}\n" for line in lines)
    if arguments.output:
        write_atomic(Path(arguments.output), text)
    else:
        sys.stdout.write(text)
    sys.stderr.write(
        f"{len(contested)} of {len(rows)} inputs: labels of these say as much about who is better"
        f" as labels of all {len(rows)}; a score still needs rows taken at random\n"
    )
    return 0


def _saved(board: Board, folder: Path) -> dict[str, Path]:
    """The folders of those that could be the best. Raises `InputError` for fewer than two."""
    from nshot.core.types import WRITTEN

    if board.task.kind in WRITTEN:
        raise InputError(
            Fault("a task of written answers", "labels to choose from: free texts nearly always"
                  " differ")
        )  # fmt: skip
    names = board.advice.could_be_best if board.advice else ()
    saved = {name: folder / place for name in names if (place := board.row(name).saved)}
    if len(names) < 2:
        raise InputError(
            Fault(f"{', '.join(names) or 'no method'} alone could be the best",
                  "two or more that may differ", where=str(folder))
        )  # fmt: skip
    if len(saved) < 2:
        raise InputError(
            Fault(
                f"{len(saved)} of {len(names)} methods that could be the best are kept",
                "a run on all rows with test rows: folds and draws keep the winner alone",
                "nshot compare TASK --test FILE",
                str(folder),
            )
        )
    return saved
