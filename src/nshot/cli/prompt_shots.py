"""``nshot prompt shots``: the score over how many examples a prompt shows, and whether more pay."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.cli import flags, output, prompt_show
from nshot.core.errors import Fault, InputError

if TYPE_CHECKING:
    from nshot.bench.example_curve import ExampleCurve

ABOUT = "the score over how many examples a prompt shows, several draws of them, as a curve"
ROWS = 200
UP_TO = 32
DRAWS = 3


def add(parser: argparse.ArgumentParser) -> None:
    """The task, the model, how many examples, and on how many rows."""
    from nshot.prompts.demonstrations import CHOICES, ORDERINGS

    prompt_show.task(parser, {})
    prompt_show.format_of(parser)
    parser.add_argument(
        "--upto", type=int, default=UP_TO, metavar="N", help=f"examples, at most (default {UP_TO})"
    )
    parser.add_argument(
        "--draws", type=int, default=DRAWS, metavar="N", help=f"draws of them (default {DRAWS})"
    )
    parser.add_argument(
        "--rows", type=int, default=ROWS, metavar="N", help=f"labelled rows to ask (default {ROWS})"
    )
    parser.add_argument(
        "--choice", choices=CHOICES, default="balanced", help="which (default: balanced)"
    )
    parser.add_argument(
        "--order", choices=ORDERINGS, default="drawn", help="in which order (default: drawn)"
    )
    parser.add_argument("--encoder", metavar="M", help="whose vectors --choice diverse reads")
    parser.add_argument("--out", metavar="FILE", help="the curve as a drawing: shots.svg")


def run(arguments: argparse.Namespace) -> int:
    """Ask the model, print a line a number of examples and what they add, and draw it."""
    from nshot.bench.example_curve import example_curve
    from nshot.bench.request import Request
    from nshot.bench.task_rows import load_files
    from nshot.methods.prompt.few_shot import FewShot
    from nshot.models import open_models
    from nshot.models.catalog import resolve

    out = _drawing(arguments.out)
    loaded = load_files(flags.read(Request, arguments, model=(), encoder=()), None)
    prompt_show.require_single_prompt(loaded.task)
    if loaded.task.pictures:
        raise InputError(Fault("a task of pictures: no prompt asks it", "rows of texts"))
    output.note(loaded.notes)
    made = example_curve(
        loaded.task,
        loaded.train,
        open_models(),
        resolve(arguments.model, "lm"),
        FewShot(format=arguments.format, choice=arguments.choice, order=arguments.order),
        max(1, arguments.draws),
        arguments.upto,
        arguments.rows,
        _tell,
        resolve(arguments.encoder, "encoder") if arguments.encoder else None,
    )
    output.note(made.notes)
    _show(made)
    if out is not None:
        from nshot.core.files import write_atomic
        from nshot.report.example_curve import drawing

        write_atomic(out, drawing(made.points, loaded.task.name))
        print(f"drawn: {out}")
    return 0


def _drawing(name: str | None) -> Path | None:
    """Where the drawing goes. Raises `InputError` for what is no such file."""
    if name is None:
        return None
    path = Path(name)
    if path.suffix.lower() != ".svg" or not path.parent.is_dir():
        raise InputError(Fault(f"--out {name}", "a file NAME.svg in a folder that is there"))
    return path


def _show(made: ExampleCurve) -> None:
    print(f"on {made.rows} labelled rows that no prompt shows")
    print(f"  {'examples':>8}{'score':>8}  {'lowest to highest draw':24}{'tokens a request':>16}")
    for point in made.points:
        band = f"{100 * min(point.scores):.1f} to {100 * max(point.scores):.1f}"
        band = band if len(point.scores) > 1 else ""
        print(f"  {point.shown:8}{100 * point.score:8.1f}  {band:24}{point.tokens:16,.0f}")
    for one in made.gains:
        interval = f"{100 * one.low:+.1f} to {100 * one.high:+.1f}"
        print(
            f"{one.fewer} to {one.more} examples: {100 * one.difference:+.1f} points, 95 %"
            f" {interval}: {_VERDICTS[one.worth]}"
        )


_VERDICTS = {
    "pays": "more examples pay",
    "harms": "more examples harm",
    "cannot tell": "whether more pay cannot be told from these rows and draws",
}


def _tell(at: int, of: int, what: str) -> None:
    """What is asked now."""
    print(f"[{at + 1}/{of}] {what}", file=sys.stderr)
