"""``nshot predict``: answer new inputs with delivered folders."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nshot.core.errors import Fault, InputError

if TYPE_CHECKING:
    from nshot.core.types import Prediction, Task

ABOUT = "answer new inputs with delivered folders"


def add(parser: argparse.ArgumentParser) -> None:
    """Folders, inputs, and where the answers go."""
    parser.add_argument(
        "folders", metavar="DIR", nargs="+",
        help="a run folder, or its winner; of several, each row of INPUTS names its own in a column"
        " 'under', by the last part of its path",
    )  # fmt: skip
    parser.add_argument(
        "inputs", metavar="INPUTS",
        help=".jsonl, .csv, .tsv or .txt (one a line); or pictures, several .txt files, or a folder"
        " of them, each file an input",
    )  # fmt: skip
    parser.add_argument("-o", "--output", metavar="FILE", help="default: standard output")


def run(arguments: argparse.Namespace) -> int:
    """One line of JSON for each input."""
    from nshot.core.files import write_atomic

    if arguments.output and Path(arguments.output).is_dir():
        raise InputError(Fault(f"-o {arguments.output} is a folder", expected="a file to write"))
    folders, inputs = _folders_and_inputs([*arguments.folders, arguments.inputs])
    if len(folders) > 1 and len(inputs) > 1:
        raise InputError(Fault(f"{len(folders)} folders, {len(inputs)} files", "one or the other"))
    lines = _of_one(folders[0], inputs) if len(folders) == 1 else _of_many(folders, inputs[0])
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    if arguments.output:
        write_atomic(Path(arguments.output), text)
        sys.stderr.write(f"{len(lines)} answers in {arguments.output}\n")
    else:
        sys.stdout.write(text)
    return 0


def _folders_and_inputs(words: list[str]) -> tuple[list[str], list[Path]]:
    """Delivered folders, and what they are to answer: from the first file on, else the last."""
    from nshot.data.pictures import FOREIGN, SUFFIXES
    from nshot.data.tables import READ

    ends = {*SUFFIXES, *FOREIGN, *READ, ".txt"}
    files = [
        i
        for i, word in enumerate(words)
        if i and Path(word).suffix.lower() in ends and not Path(word).is_dir()
    ]
    first = min([*files, len(words) - 1])
    return words[:first], [Path(word) for word in words[first:]]


def _of_one(folder: str, files: list[Path]) -> list[dict[str, Any]]:
    """The answers of one folder to a file, or to files that are an input each."""
    from nshot.data import read_inputs
    from nshot.use.many import load

    model = load(folder)
    rows = read_inputs(files, model.task)
    predictions = model.predict([input for _, input in rows])
    return [
        {"id": key, **_answer(model.task, prediction)}
        for (key, _), prediction in zip(rows, predictions, strict=True)
    ]


def _of_many(folders: list[str], file: Path) -> list[dict[str, Any]]:
    """The answers of several folders to a file whose rows name them."""
    from nshot.data import read_mixed
    from nshot.use.many import load

    models = load(folders)
    rows = read_mixed(file, models.tasks)
    predictions = models.predict([input for *_, input in rows], [name for _, name, _ in rows])
    return [
        {"id": key, "under": name, **_answer(models.tasks[name], prediction)}
        for (key, name, _), prediction in zip(rows, predictions, strict=True)
    ]


def _answer(task: Task, prediction: Prediction) -> dict[str, Any]:
    line: dict[str, Any] = {"answer": prediction.answer}
    if len(prediction.scores) == len(task.labels) > 0:
        line["scores"] = dict(zip(task.label_names, prediction.scores, strict=True))
    return line
