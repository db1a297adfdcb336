"""``nshot data translate``: have a model translate rows of instructions."""

from __future__ import annotations

import argparse

from nshot.cli import flags, output
from nshot.cli.data_generate import say

ABOUT = "have a model translate rows of instructions"


def add(parser: argparse.ArgumentParser) -> None:
    """The fields of the request."""
    from nshot.synthesis.requests import Translation

    flags.add(parser, Translation)


def run(arguments: argparse.Namespace) -> int:
    """Write the rows, what was dropped, the ledger and the report."""
    from nshot.synthesis.files import translate_file
    from nshot.synthesis.requests import Translation

    with output.display() as shown:
        made, done = translate_file(flags.read(Translation, arguments), shown)
    print(f"{len(made.dropped)} rows dropped")
    for reason, count in made.reasons.most_common():
        print(f"  {count:6} {reason}")
    return say(done)
