"""``nshot predict``: answer new inputs with delivered folders."""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nshot.core.errors import Fault, InputError

if TYPE_CHECKING:
    from nshot.core.types import Prediction, Task

ABOUT = "answer new inputs with delivered folders"


def add(parser: argparse.ArgumentParser) -> None:
    """Folders, inputs, and where the answers go."""
    from nshot.core.fields import ENCODING

    parser.add_argument(
        "folders", metavar="DIR", nargs="+",
        help="a run folder, or its winner; of several, each row of INPUTS names its own in a column"
        " 'under', by the last part of its path",
    )  # fmt: skip
    parser.add_argument(
        "inputs", metavar="INPUTS",
        help=".jsonl, .csv, .tsv, .xlsx or .txt (one a line); or pictures, several .txt files, or a"
        " folder of them, each file an input",
    )  # fmt: skip
    parser.add_argument("--encoding", metavar="NAME", help=ENCODING)
    parser.add_argument(
        "--pictures", metavar="FOLDER", type=Path,
        help="the folder of the pictures that a column names (default: the file's own)",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FILE",
        help="lines of JSON; where it ends in .csv, .tsv or .parquet a table: the columns of INPUTS"
        " and the answers (default: standard output)",
    )  # fmt: skip
    parser.add_argument(
        "--abstain-below", metavar="P", type=float,
        help="hold back answers less probable than P (0 to 1): they are \"\", with \"abstained\":"
        " true; the report has what a P leaves answered (default: what DIR keeps; 0: answer all)",
    )  # fmt: skip
    parser.add_argument(
        "--at-precision", metavar="P", type=float,
        help="answer the positive label of two from the probability on at which validation rows had"
        " this precision (0 to 1); of several DIR each has its own",
    )  # fmt: skip
    parser.add_argument(
        "--cache", action="store_true",
        help="keep the answers on disk, and compute none again: after a kill the same command goes"
        " on; `nshot cache` shows and deletes what is kept",
    )  # fmt: skip
    parser.add_argument(
        "--save-threshold", action="store_true",
        help="let DIR keep --abstain-below P: every later predict and nshot.load holds back so",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """A line for each input."""
    from nshot.core.files import write_atomic

    threshold: float | None = arguments.abstain_below
    faults = []
    if arguments.output and Path(arguments.output).is_dir():
        faults.append(Fault(f"-o {arguments.output} is a folder", expected="a file to write"))
    if arguments.output and Path(arguments.output).suffix.lower() in _UNWRITTEN:
        expected = ".jsonl, .csv, .tsv or .parquet"
        faults.append(Fault(f"-o {arguments.output}: predict writes no such file", expected))
    if arguments.save_threshold and threshold is None:
        problem = "--save-threshold without a threshold"
        faults.append(Fault(problem, do="--abstain-below .8 --save-threshold"))
    folders, inputs = _folders_and_inputs([*arguments.folders, arguments.inputs])
    if len(folders) > 1 and len(inputs) > 1:
        faults.append(Fault(f"{len(folders)} folders, {len(inputs)} files", "one or the other"))
    if arguments.at_precision is not None and threshold is not None:
        faults.append(Fault("--at-precision beside --abstain-below", "one or the other"))
    if arguments.cache and len(folders) > 1:
        faults.append(Fault("--cache with several folders", "one folder"))
    if faults:
        raise InputError(faults)
    several = len(folders) > 1
    cells: Sequence[Mapping[str, str]] = ()
    if several:
        lines = _of_many(folders, inputs[0], arguments)
    else:
        lines, cells = _of_one(folders[0], inputs, threshold, arguments)
    output = Path(arguments.output) if arguments.output else None
    suffix = output.suffix.lower() if output else ""
    if output and suffix == ".parquet":
        write_atomic(output, _parquet(_table(lines, cells)))
    elif output:
        write_atomic(output, _text(lines, suffix, cells))
    else:
        sys.stdout.write(_text(lines, suffix, cells))
    if output:
        sys.stderr.write(f"{len(lines)} answers in {output}{_held_back(lines)}\n")
    if arguments.save_threshold and threshold is not None:
        _keep(folders, threshold)
    return 0


_NUMBERS = frozenset({"scores", "probabilities"})
"""Keys that a table leaves out."""
_UNWRITTEN = frozenset({".xlsx", ".xls", ".ods", ".feather", ".arrow", ".zip", ".gz"})
"""What a reader would take for something else than lines of JSON."""


def _text(lines: list[dict[str, Any]], suffix: str, cells: Sequence[Mapping[str, str]]) -> str:
    """Lines of JSON; as .csv or .tsv a table."""
    if suffix not in (".csv", ".tsv"):
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    columns, table = _table(lines, cells), io.StringIO()
    writer = csv.writer(table, "excel" if suffix == ".csv" else "excel-tab", lineterminator="\n")
    writer.writerow(columns)
    rows = zip(*columns.values(), strict=True)
    writer.writerows(["" if cell is None else _cell(cell) for cell in row] for row in rows)
    return table.getvalue()


def _table(lines: list[dict[str, Any]], cells: Sequence[Mapping[str, str]]) -> dict[str, list[Any]]:
    """Columns of the answers without the scores, the inputs' own in front; None where absent."""
    if cells:
        lines = [_beside(own, line) for own, line in zip(cells, lines, strict=True)]
    names = dict.fromkeys(key for line in lines for key in line if key not in _NUMBERS)
    return {name: [line.get(name) for line in lines] for name in names}


def _parquet(columns: Mapping[str, list[Any]]) -> bytes:
    """The columns as the bytes of a parquet file."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        do = "pip install 'nshot[parquet]', or -o answers.csv"
        raise InputError(
            Fault("parquet files need pyarrow, which is not installed", do=do)
        ) from None
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(dict(columns)), sink)
    return bytes(sink.getvalue())


def _beside(own: Mapping[str, str], line: dict[str, Any]) -> dict[str, Any]:
    """An answer behind the cells of its row; of two columns of one name the answer's is another."""
    answers = {key: value for key, value in line.items() if key not in ("id", "scores")}
    return {**own} | {
        f"nshot_{key}" if key in own else key: value for key, value in answers.items()
    }


def _cell(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list) else value


def _held_back(lines: list[dict[str, Any]]) -> str:
    """How many, where a threshold was in force."""
    if not any("abstained" in line for line in lines):
        return ""
    return f", {sum(line.get('abstained', False) for line in lines)} of them held back"


def _keep(folders: list[str], threshold: float) -> None:
    from nshot.use.abstaining import keep_threshold
    from nshot.use.ready import delivered

    for folder in folders:
        place = delivered(Path(folder))
        keep_threshold(place, threshold)
        sys.stderr.write(f"{folder} abstains below {threshold:g} from now on\n")


def _folders_and_inputs(words: list[str]) -> tuple[list[str], list[Path]]:
    """Delivered folders, and what they are to answer: from the first file on, else the last."""
    from nshot.data.files import READ
    from nshot.data.pictures import FOREIGN, SUFFIXES

    ends = {*SUFFIXES, *FOREIGN, *READ, ".txt"}
    files = [
        i
        for i, word in enumerate(words)
        if i and Path(word).suffix.lower() in ends and not Path(word).is_dir()
    ]
    first = min([*files, len(words) - 1])
    return words[:first], [Path(word) for word in words[first:]]


def _of_one(
    folder: str, files: list[Path], threshold: float | None, arguments: argparse.Namespace
) -> tuple[list[dict[str, Any]], Sequence[Mapping[str, str]]]:
    """The answers of one folder to a file, or to files that are an input each; a table's cells."""
    from nshot.cli import output
    from nshot.data.inputs import read_table_of_inputs
    from nshot.use.answers import Answers
    from nshot.use.ready import ready

    model = ready(
        folder,
        abstain_below=threshold,
        at_precision=arguments.at_precision,
        answers=Answers() if arguments.cache else None,
    )
    rows, cells, notes = read_table_of_inputs(
        files, model.task, arguments.encoding, arguments.pictures
    )
    output.note(notes)
    predictions = model.predict([input for _, input in rows])
    if arguments.cache:
        sys.stderr.write(f"{output.kept(model)}\n")
    abstains = bool(model.abstain_below)
    lines = [
        {"id": key, **_answer(model.task, prediction, abstains)}
        for (key, _), prediction in zip(rows, predictions, strict=True)
    ]
    return lines, cells


def _of_many(folders: list[str], file: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The answers of several folders to a file whose rows name them."""
    from nshot.data import read_mixed
    from nshot.use.many import load

    models = load(
        folders, abstain_below=arguments.abstain_below, at_precision=arguments.at_precision
    )
    rows = read_mixed(file, models.tasks, arguments.encoding)
    predictions = models.predict([input for *_, input in rows], [name for _, name, _ in rows])
    abstains = models.abstain_below
    return [
        {
            "id": key,
            "under": name,
            **_answer(models.tasks[name], prediction, bool(abstains[name])),
        }
        for (key, name, _), prediction in zip(rows, predictions, strict=True)
    ]


def _probabilities(task: Task, prediction: Prediction) -> dict[str, Any]:
    """How probable it is that each label applies; they do not add up to 1."""
    pairs = zip(task.label_names, prediction.scores, strict=True)
    return {"probabilities": {name: math.exp(score) for name, score in pairs}}


def _answer(task: Task, prediction: Prediction, abstains: bool) -> dict[str, Any]:
    """The answer, whether it was held back where any could be, and what scores there are."""
    from nshot.core.label_sets import labels_of
    from nshot.use.abstaining import probability
    from nshot.use.levels import expected_level

    if task.kind == "spans":
        return {"spans": json.loads(prediction.answer or "[]")}
    line: dict[str, Any] = {"answer": prediction.answer}
    if task.kind == "multilabel":
        return {
            **line,
            "labels": list(labels_of(prediction.answer)),
            **_probabilities(task, prediction),
        }
    if abstains:
        line["abstained"] = prediction.abstained
    if len(prediction.scores) == len(task.labels) > 0:
        line["probability"] = probability(task, prediction)
        line["scores"] = dict(zip(task.label_names, prediction.scores, strict=True))
        if task.kind == "score":
            line["expected"] = expected_level(task, prediction)
    if task.kind == "rank" and prediction.scores:
        line["scores"] = list(prediction.scores)
    return line
