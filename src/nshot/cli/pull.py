"""``nshot pull``: fetch a delivered folder from a model hub."""

from __future__ import annotations

import argparse
from pathlib import Path

ABOUT = "fetch a folder that nshot push sent to a model hub (a token in HF_TOKEN)"


def add(parser: argparse.ArgumentParser) -> None:
    """Which one, and where it goes."""
    parser.add_argument(
        "repo", metavar="OWNER/NAME[@REVISION]",
        help="the repository; a revision is a branch, a tag or a commit",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FOLDER", required=True, help="new folder to write")


def run(arguments: argparse.Namespace) -> int:
    """Fetch and check it."""
    from nshot.cli import output
    from nshot.use.hub import pull

    moved = pull(arguments.repo, Path(arguments.out))
    place = output.short(Path(moved.where))
    print(f"{moved.files} files, {moved.bytes / 1e6:.1f} MB, as they were sent ({moved.revision})")
    print(f"saved in {place}: nshot predict {place} INPUTS")
    return 0
