"""``nshot prompt check``: is a prompt clear, concise, consistent; are its examples any good?"""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path

from nshot.cli import flags, prompt_show

ABOUT = "what is wrong with a task's prompt and examples, without asking a model"


def add(parser: argparse.ArgumentParser) -> None:
    """The task, its columns, and how many examples are to be shown."""
    prompt_show.task(parser, {})
    parser.add_argument(
        "--shots",
        dest="demonstrations",
        type=int,
        default=8,
        metavar="N",
        help="demonstrations meant (default 8)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print every finding under its heading. Exit code 1 where there is one."""
    from nshot.bench.request import Request
    from nshot.bench.task_rows import load_files
    from nshot.data.task_file import TASK_FILE
    from nshot.prompts.checks import Draft, check
    from nshot.report.reader import reader

    request = flags.read(Request, arguments, model=())
    loaded = load_files(request, request.test)
    path, by = Path(arguments.task), reader(arguments.model)
    draft = Draft(
        loaded.task,
        loaded.train,
        path / TASK_FILE if (path / TASK_FILE).is_file() else path,
        test=loaded.test or (),
        count=by.count,
        context=by.context,
        shots=max(0, arguments.demonstrations),
    )
    findings = check(draft)
    for heading, group in groupby(findings, key=lambda one: one.heading):
        print(f"{heading}:")
        for one in group:
            print(f"  {one.where}: {one.problem}\n      try: {one.do}")
    print(f"{len(findings)} finding{'s' * (len(findings) != 1)} in {len(loaded.train)} examples")
    return 1 if findings else 0
