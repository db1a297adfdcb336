"""``nshot data generate``: have a model write new tasks after the pattern of a few."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from nshot.cli import flags, output

if TYPE_CHECKING:
    from nshot.synthesis.files import Done

ABOUT = "have a model write new tasks after the pattern of a few"


def add(parser: argparse.ArgumentParser) -> None:
    """The fields of the request."""
    from nshot.synthesis.requests import Generation

    flags.add(parser, Generation)


def run(arguments: argparse.Namespace) -> int:
    """Write the rows, the ledger and the report."""
    from nshot.synthesis.files import generate_file
    from nshot.synthesis.requests import Generation

    request = flags.read(Generation, arguments)
    with output.display() as shown:
        made, done = generate_file(request, shown)
    print(f"{len(made.tasks)} new tasks of {request.target} wanted, {made.proposed} proposed")
    return say(done)


def say(done: Done) -> int:
    """Say what was made, what it took, and why it is not all."""
    for line in done.lines():
        print(line)
    if done.stopped:
        sys.stderr.write(f"nshot: stopped: {done.stopped}\n")
    return 3 if done.stopped else 0
