"""``nshot batch``: a batch file in OpenAI's form."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ABOUT = "answer a batch file in OpenAI's form with delivered folders"


def add(parser: argparse.ArgumentParser) -> None:
    """Folders, the file, and where the answers go."""
    parser.add_argument(
        "folders", metavar="DIR", nargs="+",
        help="a run folder, or its winner: the last part of its path is the name that a body's"
        " 'model' has",
    )  # fmt: skip
    parser.add_argument(
        "inputs", metavar="FILE", type=Path,
        help="lines with custom_id, method (POST), url and body; urls: /v1/chat/completions,"
        " /v1/completions, /v1/embeddings, /v1/classify",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True,
        help="a line for each line, with its response or error. Killed, the same command goes on",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """A line for each line. 3 where some have no answer."""
    from nshot.cli.progress_line import ProgressLine
    from nshot.core.errors import Fault, InputError
    from nshot.models import open_models
    from nshot.use.many import unique_names
    from nshot.use.offline import Run, about, answer_file
    from nshot.use.offline.batch import BatchLines, of_batch, refused_in
    from nshot.use.ready import delivered
    from nshot.use.wire.answerer import Answerer

    if arguments.output.suffix.lower() != ".jsonl":
        raise InputError(Fault(f"-o {arguments.output}", "a file of lines of JSON, .jsonl"))
    names = unique_names([Path(folder) for folder in arguments.folders])
    places = {name: delivered(place) for name, place in names.items()}
    lines, models = BatchLines(arguments.inputs), open_models()
    served = {name: Answerer.open(name, place, models) for name, place in places.items()}
    with ProgressLine() as line:
        what = about(places, arguments.output, {"form": "batch"})
        run = Run(arguments.output, of_batch(lines, served), what, line.show)
        report = answer_file(lines, run)
    wrong = refused_in(arguments.output)
    parts = f", {wrong:,} of them with an error" if wrong else ""
    sys.stderr.write(f"{report.answers:,} lines in {arguments.output}{parts}\n")
    return 3 if wrong else 0
