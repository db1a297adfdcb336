"""``nshot cache stats``: what kept answers there are."""

from __future__ import annotations

import argparse
import sys

ABOUT = "how many answers are kept, of which folders, in how many bytes"


def add(parser: argparse.ArgumentParser) -> None:
    """It has no flags."""


def run(arguments: argparse.Namespace) -> int:
    """A line a folder, and the sum."""
    from nshot.use.answers import Answers

    answers = Answers()
    known = answers.statistics()
    for folder, count in known.folders.items():
        sys.stdout.write(f"{count:>10,}  {folder}\n")
    sys.stdout.write(f"{known.answers:>10,}  answers, {known.bytes:,} bytes in {answers.path}\n")
    return 0
