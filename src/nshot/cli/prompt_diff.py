"""``nshot prompt diff``: what two prompts say differently."""

from __future__ import annotations

import argparse
from pathlib import Path

from nshot.cli import prompt_show

ABOUT = "what two prompts say differently, part by part"


def add(parser: argparse.ArgumentParser) -> None:
    """Both tasks or folders."""
    from nshot.core.fields import Flag

    prompt_show.task(parser, {"task": Flag("a task, or a delivered folder", "A", "task")})
    parser.add_argument("other", metavar="B", help="another")
    prompt_show.manner(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the parts that differ."""
    from nshot.report.prompt_shown import difference
    from nshot.report.reader import reader

    names = (arguments.task, arguments.other)
    first, second = (prompt_show.prompt_of(arguments, Path(name)) for name in names)
    lines = difference(first, second, names, reader(arguments.model))
    print("\n".join(lines) or "the two say the same")
    return 0
