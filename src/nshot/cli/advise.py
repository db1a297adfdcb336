"""``nshot advise``: decide again under another wish."""

from __future__ import annotations

import argparse
from pathlib import Path

from nshot.cli import flags
from nshot.core.errors import Fault, InputError

ABOUT = "decide again under another wish; runs nothing"


def add(parser: argparse.ArgumentParser) -> None:
    """The wish: what of it a request has, and what only a decision can be asked."""
    from nshot.bench.request import Request

    parser.add_argument("folder", metavar="DIR", help="a run folder")
    flags.add(parser, Request, ("prefer", "give_up"))
    parser.add_argument("--no-training", action="store_true", help="pick nothing that trains")
    parser.add_argument(
        "--keep-base", action="store_true", help="pick nothing that changes the base model"
    )
    parser.add_argument("--json", action="store_true", help="the advice as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the advice."""
    from nshot.bench.request import Request
    from nshot.board.schema import Board
    from nshot.report.board_text import advice_lines

    request = flags.read(Request, arguments, task=arguments.folder)
    if request.give_up is not None and not 0 <= request.give_up < float("inf"):
        raise InputError(Fault(f"--give-up {request.give_up}", expected="points, 0 or more"))
    limits = {"training": not arguments.no_training, "change_base": not arguments.keep_base}
    advice = Board.read(Path(arguments.folder)).decide(request.wish.model_copy(update=limits))
    print(advice.dumps() if arguments.json else advice_lines(advice))
    return 0
