"""``nshot cache prune``: delete kept answers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from pathlib import Path

from nshot.core.errors import Fault, InputError, nearest

ABOUT = "delete kept answers: those older than some days, of a folder, or all"


def add(parser: argparse.ArgumentParser) -> None:
    """Which answers go."""
    parser.add_argument("--days", type=float, metavar="N", help="those put more than N days ago")
    parser.add_argument("--of", metavar="DIR", help="those of this folder, as `stats` lists it")
    parser.add_argument("--all", action="store_true", help="all of them")


def run(arguments: argparse.Namespace) -> int:
    """How many went."""
    from nshot.use.answers import Answers

    if not (arguments.all or arguments.of or arguments.days is not None):
        raise InputError(Fault("nothing to delete", "--days N, --of DIR or --all"))
    if arguments.days is not None and not arguments.days >= 0:
        raise InputError(Fault(f"--days {arguments.days:g}", "0 or more"))
    answers = Answers()
    folder = None if arguments.of is None else _listed(arguments.of, answers.statistics().folders)
    count = answers.prune(arguments.days or 0.0, folder)
    sys.stdout.write(f"{count:,} answers deleted from {answers.path}\n")
    return 0


def _listed(word: str, known: Collection[str]) -> str:
    """The listed folder that is meant: by its name there, its path, or a run folder's winner."""
    from nshot.use.answers import listed_as

    meant = (word, listed_as(Path(word)), listed_as(Path(word) / "winner"))
    for name in meant:
        if name in known:
            return name
    expected = ", ".join(known) or "a folder with kept answers: there is none"
    raise InputError(Fault(f"no kept answers of {word}", expected, nearest(word, known)))
