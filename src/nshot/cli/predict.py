"""``nshot predict``: answer new inputs with delivered folders."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.core.errors import Fault, InputError, RunFailed, collected

if TYPE_CHECKING:
    from nshot.core.types import Input
    from nshot.data.blocks import Blocks
    from nshot.use.offline import Answering, Report
    from nshot.use.ready import Ready

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
        help=".jsonl, .csv, .tsv, .parquet, .xlsx or .txt (one a line), - for standard input; or"
        " pictures, several .txt files, or a folder of them, each file an input",
    )  # fmt: skip
    parser.add_argument("--encoding", metavar="NAME", help=ENCODING)
    parser.add_argument(
        "--pictures", metavar="FOLDER", type=Path,
        help="the folder of the pictures that a column names (default: the file's own)",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FILE",
        help="lines of JSON; where it ends in .csv, .tsv or .parquet a table: the columns of INPUTS"
        " and the answers (default: standard output). Killed, the same command goes on",
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
        "--batch", action="store_true",
        help="ask a model behind an openai: endpoint through batch files, which many serve for half"
        " the price within 24 hours; killed, the same command goes on and pays nothing twice",
    )  # fmt: skip
    parser.add_argument(
        "--prices", metavar="FILE", type=Path,
        help="what tokens cost, to say what the batch files did (docs/endpoints.md)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", metavar="N", type=int, default=1,
        help="processes that answer, which share the threads; the same answers in the same order"
        " (default 1)",
    )  # fmt: skip
    parser.add_argument(
        "--retry-failed", action="store_true",
        help="answer the rows again that FILE.failed.jsonl names, and put them where they belong",
    )  # fmt: skip
    parser.add_argument(
        "--only-changed", action="store_true",
        help="rows that the last run with this flag answered, asked the same, keep their answers in"
        " FILE",
    )  # fmt: skip
    parser.add_argument(
        "--save-threshold", action="store_true",
        help="let DIR keep --abstain-below P: every later predict and nshot.load holds back so",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """A line for each input. 3 where rows have no answer."""
    from nshot.cli import output
    from nshot.use.offline import Beside, write_lines

    folders, files = _folders_and_inputs([*arguments.folders, arguments.inputs])
    _check(arguments, folders, files)
    answering, blocks, model = (_by_batch if arguments.batch else _opened)(
        arguments, folders, files
    )
    output.note(blocks.notes)
    with _shared_out(arguments, folders, answering, model) as at_work:
        if not arguments.output:
            write_lines(blocks, at_work, sys.stdout, str(files[0]))
        else:
            report = _written(arguments, folders, at_work, blocks)
    if arguments.cache and model:
        sys.stderr.write(f"{output.kept(model)}\n")
    if arguments.save_threshold:
        _keep(folders, arguments.abstain_below)
    if arguments.output and report.failures:
        place = Beside(Path(arguments.output)).failures
        raise RunFailed(
            f"{report.failures:,} rows have no answer: {place} says why\n"
            "  try:      the command again with --retry-failed"
        )
    return 0


def _check(arguments: argparse.Namespace, folders: Sequence[str], files: Sequence[Path]) -> None:
    """Every fault of the flags in one message."""
    from nshot.use.offline.forms import form_of

    faults: list[Fault] = []
    if arguments.output:
        collected(faults, partial(form_of, Path(arguments.output)))
    if arguments.save_threshold and arguments.abstain_below is None:
        problem = "--save-threshold without a threshold"
        faults.append(Fault(problem, do="--abstain-below .8 --save-threshold"))
    if arguments.workers < 1:
        faults.append(Fault(f"--workers {arguments.workers}", "a number from 1 up"))
    if len(folders) > 1 and len(files) > 1:
        faults.append(Fault(f"{len(folders)} folders, {len(files)} files", "one or the other"))
    if arguments.at_precision is not None and arguments.abstain_below is not None:
        faults.append(Fault("--at-precision beside --abstain-below", "one or the other"))
    if arguments.batch:
        faults += _batch_faults(arguments, folders, files)
    elif arguments.prices:
        faults.append(Fault("--prices without --batch", "batch files to say the price of"))
    if arguments.cache and len(folders) > 1:
        faults.append(Fault("--cache with several folders", "one folder"))
    flags = {"--retry-failed": arguments.retry_failed, "--only-changed": arguments.only_changed}
    faults += [
        Fault(f"{flag} without a file of answers", do=f"-o FILE {flag}")
        for flag, is_given in flags.items()
        if is_given and not arguments.output
    ]
    if all(flags.values()):
        faults.append(Fault("--retry-failed beside --only-changed", "one or the other"))
    if faults:
        raise InputError(faults)


def _batch_faults(
    arguments: argparse.Namespace, folders: Sequence[str], files: Sequence[Path]
) -> list[Fault]:
    """What does not go with batch files."""
    wrong = {
        "without a file of answers": not arguments.output,
        "beside --cache": arguments.cache,
        "beside --workers": arguments.workers > 1,
        "with several folders": len(folders) > 1,
        "of standard input": str(files[0]) == "-",
    }
    return [
        Fault(f"--batch {problem}", "one folder, files, and -o FILE")
        for problem, is_so in wrong.items()
        if is_so
    ]


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


def _opened(
    arguments: argparse.Namespace, folders: Sequence[str], files: Sequence[Path]
) -> tuple[Answering, Blocks, Ready | None]:
    """Who answers, and what."""
    from nshot.data.blocks import mixed, open_inputs
    from nshot.use.answers import Answers
    from nshot.use.many import load
    from nshot.use.offline import of_folder, of_folders
    from nshot.use.ready import ready

    precision, threshold = arguments.at_precision, arguments.abstain_below
    if len(folders) > 1:
        models = load(list(folders), abstain_below=threshold, at_precision=precision)
        return of_folders(models), mixed(files[0], models.tasks, arguments.encoding), None
    answers = Answers() if arguments.cache else None
    model = ready(folders[0], abstain_below=threshold, at_precision=precision, answers=answers)
    strict = not arguments.output
    blocks = open_inputs(files, model.task, arguments.encoding, arguments.pictures, strict)
    return of_folder(model), blocks, model


def _by_batch(
    arguments: argparse.Namespace, folders: Sequence[str], files: Sequence[Path]
) -> tuple[Answering, Blocks, Ready]:
    """As `_opened`, all that is to be answered asked beforehand through batch files."""
    from nshot.data.blocks import open_inputs
    from nshot.models.prices import NONE, read_prices
    from nshot.use.offline import of_folder
    from nshot.use.offline.by_batch import Beforehand, batched, bill
    from nshot.use.ready import delivered, ready

    prices = read_prices(arguments.prices) if arguments.prices else NONE
    place, path = delivered(Path(folders[0])), Path(arguments.output)
    models = batched(place, path, lambda line: print(line, file=sys.stderr))
    model = ready(folders[0], models, arguments.abstain_below, at_precision=arguments.at_precision)

    def ask(inputs: Sequence[Input]) -> None:
        model.predict(inputs)
        sys.stderr.writelines(f"{line}\n" for line in bill(models, prices))

    blocks = open_inputs(files, model.task, arguments.encoding, arguments.pictures)
    return Beforehand(of_folder(model), ask), blocks, model


@contextmanager
def _shared_out(
    arguments: argparse.Namespace,
    folders: Sequence[str],
    answering: Answering,
    model: Ready | None,
) -> Iterator[Answering]:
    """Who answers: this process, or as many as are asked for."""
    from nshot.use.many import unique_names
    from nshot.use.offline import Work, Workers

    if arguments.workers == 1:
        yield answering
        return
    places = unique_names([Path(folder) for folder in folders])
    named = {name: str(place) for name, place in places.items()}
    work = Work(
        {"": folders[0]} if model else named,
        arguments.abstain_below,
        arguments.at_precision,
        arguments.cache,
    )
    workers = Workers(work, arguments.workers, answering.keys, model.cached if model else None)
    try:
        yield workers
    finally:
        workers.stop()


def _written(
    arguments: argparse.Namespace, folders: Sequence[str], answering: Answering, blocks: Blocks
) -> Report:
    """The file of answers, and how it went."""
    from nshot.cli.progress_line import ProgressLine
    from nshot.use.many import unique_names
    from nshot.use.offline import Run, about, answer_file, retry_failures
    from nshot.use.ready import delivered

    path = Path(arguments.output)
    names = unique_names([Path(folder) for folder in folders])
    places = {name: delivered(place) for name, place in names.items()}
    options = {
        "abstain_below": arguments.abstain_below,
        "at_precision": arguments.at_precision,
    }
    with ProgressLine() as line:
        run = Run(path, answering, about(places, path, options), line.show)
        if arguments.retry_failed:
            report = retry_failures(blocks, run)
        else:
            report = answer_file(blocks, run, arguments.only_changed)
    sys.stderr.write(f"{report.answers} answers in {path}{_parts(report)}\n")
    return report


def _parts(report: Report) -> str:
    """What is to be said of the answers beside how many they are."""
    counts = (
        (report.abstained, "of them held back"),
        (report.unchanged, "of them unchanged"),
        (report.resumed, "rows done before it was killed"),
    )
    parts = [f"{count:,} {words}" for count, words in counts if count]
    if report.left_out:
        names = ", ".join(report.left_out)
        parts.append(f"without columns that the first rows do not have: {names}")
    return "".join(f", {part}" for part in parts)


def _keep(folders: Sequence[str], threshold: float) -> None:
    from nshot.use.abstaining import keep_threshold
    from nshot.use.ready import delivered

    for folder in folders:
        place = delivered(Path(folder))
        keep_threshold(place, threshold)
        sys.stderr.write(f"{folder} abstains below {threshold:g} from now on\n")
