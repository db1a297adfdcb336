"""``nshot prompt show``: a task's prompt, or a delivered one, by its parts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.cli import flags
from nshot.core.errors import Fault, InputError

if TYPE_CHECKING:
    from nshot.core.fields import Flag
    from nshot.core.types import Input, Task
    from nshot.predictors.folder import Saved
    from nshot.report.prompt_shown import Shown

ABOUT = "a task's prompt, or a delivered one, by its parts with their tokens"


def add(parser: argparse.ArgumentParser) -> None:
    """The task, its columns, and how it is to be asked."""
    from nshot.core.fields import Flag

    task(parser, {"task": Flag("a task, or a delivered folder", "TASK|DIR", "task")})
    manner(parser)
    parser.add_argument("--row", metavar="ID", help="the row that is asked (default: the first)")


def task(parser: argparse.ArgumentParser, changes: dict[str, Flag]) -> None:
    """What the verbs about prompts share: where the rows are, and whose tokens count."""
    from nshot.bench.request import Request
    from nshot.core.fields import Flag

    own = {"test": Flag("test rows", "FILE"), **changes}
    names = ("task", "text", "label", "group", "kind", "encoding", "test")
    flags.add(parser, Request, names, own)
    parser.add_argument("--model", metavar="M", help="whose tokens are counted")


def require_single_prompt(task: Task) -> None:
    """Raises `InputError` for a kind of task that no single prompt answers."""
    if task.kind not in ("classify", "score", "number", "generate"):
        problem = f"a task of kind {task.kind}"
        raise InputError(Fault(problem, "one that a single prompt answers: labels, numbers, texts"))


def format_of(parser: argparse.ArgumentParser) -> None:
    """In which format the model is asked."""
    from nshot.prompts.render import FORMATS

    parser.add_argument(
        "--format", choices=FORMATS, default="instruction", help="default: instruction"
    )


def manner(parser: argparse.ArgumentParser) -> None:
    """How the model is asked."""
    format_of(parser)
    parser.add_argument(
        "--shots",
        dest="demonstrations",
        type=int,
        default=0,
        metavar="N",
        help="demonstrations before it (default 0)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print its parts, then all of it."""
    from nshot.report.prompt_shown import shown
    from nshot.report.reader import reader

    print(shown(prompt_of(arguments, Path(arguments.task)), reader(arguments.model)))
    return 0


def prompt_of(arguments: argparse.Namespace, source: Path) -> Shown:
    """The prompt of a task as the arguments say, or the one that a folder was delivered with."""
    from nshot.core.files import RECORD
    from nshot.report.prompt_shown import Shown

    if any((source / name).exists() for name in (RECORD, "winner")):
        return _delivered(source)
    from nshot.bench.request import Request
    from nshot.bench.task_rows import load_files
    from nshot.prompts.demonstrations import in_turn

    request = flags.read(Request, arguments, task=str(source), model=())
    loaded = load_files(request, request.test)
    if loaded.task.pictures or loaded.task.kind == "rank":
        problem = f"a task of kind {loaded.task.kind}, or of pictures: no prompt asks it"
        raise InputError(Fault(problem, "rows of texts", f"nshot check {source}"))
    rows = {row.id: row for row in (*loaded.train, *(loaded.test or ()))}
    name = getattr(arguments, "row", None) or next(iter(rows))
    if name not in rows:
        raise InputError(Fault(f"no row '{name}'", f"one such as '{next(iter(rows))}'"))
    others = [row for row in loaded.train if row.id != name and row.targets]
    demos = in_turn(others, max(0, arguments.demonstrations), seed=0)
    return Shown(loaded.task, arguments.format, rows[name].input, demos)


def _delivered(folder: Path) -> Shown:
    """The prompt of a folder, with its demonstrations, asking the first input it came with."""
    from nshot.predictors import folder as record
    from nshot.predictors import sampled_vote
    from nshot.predictors.calibrated import unwrapped
    from nshot.predictors.checks import read_checks
    from nshot.use.ready import delivered

    place = delivered(folder)
    saved, _ = unwrapped(record.read(place))
    if saved.kind == "sampled_vote":
        saved, _ = unwrapped(record.read(saved.folder / sampled_vote.INNER))
    if saved.kind not in ("prompted", "rationale"):
        problem = f"{folder} holds a predictor of kind {saved.kind}: no single prompt asks it"
        raise InputError(Fault(problem, "one that prompts a language model", "nshot methods"))
    checks = read_checks(place)
    if not checks:
        raise InputError(Fault(f"no check.jsonl in {place}", "a folder as it was delivered"))
    return _asking(saved, checks[0][0])


def _asking(saved: Saved, input: Input) -> Shown:
    """What a saved prompt, or a rationale, asks an input."""
    from nshot.core.serial import from_data
    from nshot.core.types import Example
    from nshot.models import open_models
    from nshot.predictors.rationale import Rationale
    from nshot.report.prompt_shown import Reasoned, Shown

    if saved.kind == "rationale":
        one = Rationale.restore(saved, open_models())
        solved = (one.wording, one.solutions, one.length)
        return Reasoned(one.task, one.prompt.format, input, (), *solved)
    demos = tuple(from_data(Example, one) for one in saved.settings["demos"])
    return Shown(saved.task, saved.settings["format"], input, demos)
