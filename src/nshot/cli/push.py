"""``nshot push``: send a delivered folder to a model hub."""

from __future__ import annotations

import argparse
from pathlib import Path

ABOUT = "send a delivered folder to a model hub (a token in HF_TOKEN)"


def add(parser: argparse.ArgumentParser) -> None:
    """The folder, and where it goes."""
    parser.add_argument("folder", metavar="DIR", help="a run folder, or its winner")
    parser.add_argument("repo", metavar="OWNER/NAME", help="the repository, made where it is not")
    parser.add_argument(
        "--public", action="store_true",
        help="let everybody read a new one: the folder holds rows of your data (check.jsonl,"
        " demonstrations)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Send it, and say where it lies."""
    from nshot.use.hub import push
    from nshot.use.ready import delivered

    place = delivered(Path(arguments.folder))
    moved = push(place, arguments.repo, arguments.public)
    print(f"{moved.files} files, {moved.bytes / 1e6:.1f} MB, in {moved.where}")
    print(f"nshot pull {arguments.repo}@{moved.revision} --out FOLDER")
    return 0
