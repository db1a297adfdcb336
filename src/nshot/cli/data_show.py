"""``nshot data show``: how the rows of a file are understood."""

from __future__ import annotations

import argparse
import os
import sys

from nshot.cli import flags
from nshot.core.errors import Fault, InputError

ABOUT = "how the rows of a file are understood, and what is taught"


def add(parser: argparse.ArgumentParser) -> None:
    """The file, its columns, and what to show or to write."""
    from nshot.bench.request import Request
    from nshot.core.fields import Flag

    changes = {
        "task": Flag(".jsonl, .json, .csv, .tsv or .parquet", "FILE", "task"),
        "test": Flag("test rows: what both say is counted", "FILE"),
    }
    flags.add(
        parser, Request, ("task", "test", "text", "label", "group", "kind", "encoding"), changes
    )
    parser.add_argument("--model", metavar="M", help="whose chat template and tokens are shown")
    parser.add_argument(
        "--rows", type=int, default=3, metavar="N", help="rows to show whole (default 3)"
    )
    parser.add_argument(
        "--format", metavar="NAME", help="read the rows as this format (docs/formats.md)"
    )
    parser.add_argument(
        "--as", metavar="FORMAT", dest="write_as", help="write the rows as this format into -o"
    )
    parser.add_argument("-o", "--output", metavar="OUT.jsonl", help="where --as writes")


def run(arguments: argparse.Namespace) -> int:
    """Print what is understood; write the rows as another format where that is wanted."""
    from nshot.bench.request import Request
    from nshot.data import load
    from nshot.data.formats import converted, named
    from nshot.data.json_lines import write_rows
    from nshot.report.reader import reader
    from nshot.report.rows_shown import understood

    if bool(arguments.write_as) != bool(arguments.output):
        raise InputError(Fault("--as and -o go together", do="--as messages -o out.jsonl"))
    form = named(arguments.write_as) if arguments.write_as else None
    request = flags.read(Request, arguments, model=())
    loaded = load(
        request.task,
        test=request.test,
        text=request.text,
        label=request.label,
        group=request.group,
        kind=request.kind,
        encoding=request.encoding,
        format=arguments.format,
    )
    if loaded.task.pictures:
        raise InputError(
            Fault("a task of pictures", "rows of texts", f"nshot check {arguments.task}")
        )
    rows = converted(loaded.train, form) if form else []
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(understood(loaded, reader(arguments.model), max(0, arguments.rows), colour))
    if form:
        write_rows(arguments.output, rows)
        sys.stderr.write(f"{len(rows)} rows as {form.name} in {arguments.output}\n")
    return 0
