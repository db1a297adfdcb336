"""``nshot prompt ablate``: which part of a prompt pays, on the user's own labelled rows."""

from __future__ import annotations

import argparse
import sys

from nshot.cli import flags, output, prompt_show

ABOUT = "which part of a task's prompt pays: each left out in turn, in pairs"
ROWS = 200


def add(parser: argparse.ArgumentParser) -> None:
    """The task, the model, and on how many rows."""
    prompt_show.task(parser, {})
    prompt_show.manner(parser)
    parser.add_argument(
        "--rows", type=int, default=ROWS, metavar="N", help=f"labelled rows to ask (default {ROWS})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Ask the model, and print a line a part."""
    from nshot.bench.ablation import ablate
    from nshot.bench.request import Request
    from nshot.bench.task_rows import load_files
    from nshot.models import open_models
    from nshot.models.catalog import resolve

    loaded = load_files(flags.read(Request, arguments, model=()), None)
    prompt_show.require_single_prompt(loaded.task)
    output.note(loaded.notes)
    made = ablate(
        loaded.task,
        loaded.train,
        open_models(),
        resolve(arguments.model, "lm"),
        arguments.format,
        max(0, arguments.demonstrations),
        arguments.rows,
        _tell,
    )
    output.note(made.notes)
    print(f"{100 * made.score:.1f} % on {made.rows} labelled rows that it does not show")
    print(f"  {'without':20}{'score':>8}{'the part adds':>16}  95 %, all together")
    for part in made.parts:
        interval = f"{100 * part.low:+.1f} to {100 * part.high:+.1f}"
        print(
            f"  {part.part:20}{100 * part.without:8.1f}{100 * part.difference:+16.1f}"
            f"  {interval:18}{part.worth}"
        )
    return 0


def _tell(at: int, of: int, name: str) -> None:
    """Which prompt is asked now: the whole one first."""
    print(f"[{at + 1}/{of}] {'without ' * (at > 0)}{name}", file=sys.stderr)
