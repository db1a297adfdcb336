"""``nshot export``: write a delivered folder in a form that needs no nshot."""

from __future__ import annotations

import argparse
from pathlib import Path

from nshot.cli import output
from nshot.core.errors import Fault, InputError

ABOUT = "write a delivered folder in another form, and compare that form's answers"


def add(parser: argparse.ArgumentParser) -> None:
    """The folder, the form, and where to write."""
    from nshot.use.export import EXPORTS

    parser.add_argument("folder", metavar="DIR", help="a run folder, or its winner")
    parser.add_argument("--to", metavar="FORM", required=True, help=f"one of: {', '.join(EXPORTS)}")
    parser.add_argument("--out", metavar="FOLDER", required=True, help="new folder to write")


def run(arguments: argparse.Namespace) -> int:
    """Write it, and count the check inputs that the form answers as the folder did."""
    from nshot.models import open_models
    from nshot.use.exporting import export
    from nshot.use.ready import delivered

    target = Path(arguments.out)
    if target.exists():
        raise InputError(Fault(f"--out {target} is there already", expected="a new folder"))
    place = delivered(Path(arguments.folder))
    exported = export(place, arguments.to, target, open_models())
    if not exported.checks:
        output.note([f"no check.jsonl in {output.short(place)}: no answers were compared"])
    for line in exported.differences:
        print(line)
    print(
        f"{exported.checks - len(exported.differences)} of {exported.checks} answers as delivered"
    )
    print(f"saved in {output.short(target)}")
    return 3 if exported.differences else 0
