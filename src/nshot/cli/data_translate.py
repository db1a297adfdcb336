"""``nshot data translate``: have a model translate rows of instructions."""

from __future__ import annotations

import argparse

from nshot.cli import flags
from nshot.cli.data_generate import carried_out

ABOUT = "have a model translate rows of instructions"


def add(parser: argparse.ArgumentParser) -> None:
    """The fields of the request."""
    from nshot.synthesis.requests import Translation

    flags.add(parser, Translation)


def run(arguments: argparse.Namespace) -> int:
    """Write the rows, what was dropped, the ledger and the report."""
    from nshot.synthesis.requests import Translation

    return carried_out(flags.read(Translation, arguments))
