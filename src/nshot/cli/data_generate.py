"""``nshot data generate``: have a model write new tasks after the pattern of a few."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from nshot.cli import flags, output

if TYPE_CHECKING:
    from nshot.synthesis.requests import Generation, Translation

ABOUT = "have a model write new tasks after the pattern of a few"


def add(parser: argparse.ArgumentParser) -> None:
    """The fields of the request."""
    from nshot.synthesis.requests import Generation

    flags.add(parser, Generation)


def run(arguments: argparse.Namespace) -> int:
    """Write the rows, the ledger and the report."""
    from nshot.synthesis.requests import Generation

    return carried_out(flags.read(Generation, arguments))


def carried_out(request: Generation | Translation) -> int:
    """Say what was made, what it took, and why it is not all."""
    from nshot.bench.data import carry_out

    with output.display() as shown:
        made = carry_out(request, shown)
    for line in made.lines():
        print(line)
    if made.done.stopped:
        sys.stderr.write(f"nshot: stopped: {made.done.stopped}\n")
    return 3 if made.done.stopped else 0
