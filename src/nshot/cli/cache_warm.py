"""``nshot cache warm``: compute answers before anybody asks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ABOUT = "compute the answers to inputs and keep them, before anybody asks"


def add(parser: argparse.ArgumentParser) -> None:
    """The folder and the inputs."""
    from nshot.core.fields import ENCODING

    parser.add_argument("folder", metavar="DIR", help="a run folder, or its winner")
    parser.add_argument("inputs", metavar="INPUTS", type=Path, help="a file that predict reads")
    parser.add_argument("--encoding", metavar="NAME", help=ENCODING)


def run(arguments: argparse.Namespace) -> int:
    """How many were computed."""
    from nshot.cli import output
    from nshot.data.blocks import open_inputs
    from nshot.use.answers import Answers
    from nshot.use.ready import ready

    answers = Answers()
    model = ready(arguments.folder, answers=answers)
    blocks = open_inputs([arguments.inputs], model.task, arguments.encoding, strict=True)
    output.note(blocks.notes)
    for block in blocks:
        model.predict([row.input for row in block.rows() if row.input is not None])
    sys.stderr.write(f"{output.kept(model)}, in {answers.path}\n")
    return 0
