"""``nshot export``: write a delivered folder in a form that needs no nshot."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.cli import output
from nshot.core.errors import Fault, InputError

if TYPE_CHECKING:
    from nshot.models.base import Models
    from nshot.use.exporting import Exported

ABOUT = "write a delivered folder in another form, and compare that form's answers"


def add(parser: argparse.ArgumentParser) -> None:
    """The folder, the form, and where to write."""
    from nshot.use.export import EXPORTS

    parser.add_argument("folder", metavar="DIR", help="a run folder, or its winner")
    parser.add_argument("--to", metavar="FORM", required=True, help=f"one of: {', '.join(EXPORTS)}")
    parser.add_argument(
        "--out", metavar="FOLDER", help="new folder to write (default DIR/export-FORM)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write it, and count the answers that are the folder's; of a run its row joins the board."""
    from nshot.bench.exported import can_measure
    from nshot.models import open_models

    root = Path(arguments.folder)
    target = Path(arguments.out or root / f"export-{arguments.to}")
    if target.exists():
        raise InputError(Fault(f"--out {target} is there already", expected="a new folder"))
    if can_measure(root):
        return _of_run(root, arguments.to, target, open_models())
    return _of_folder(root, arguments.to, target, open_models())


def _of_folder(folder: Path, form: str, target: Path, models: Models) -> int:
    from nshot.use.exporting import export
    from nshot.use.ready import delivered

    place = delivered(folder)
    exported = export(place, form, target, models)
    if not exported.checks:
        output.note([f"no check.jsonl in {output.short(place)}: no answers were compared"])
    return _ended(exported, target)


def _of_run(root: Path, form: str, target: Path, models: Models) -> int:
    from nshot.bench.exported import export_run

    one = export_run(root, form, target, models)
    code = _ended(one.exported, target)
    for row in (one.parent, one.row):
        score = "not measured" if row.score is None else f"{100 * row.score:.1f} %"
        print(f"{row.name} {'' if row.form == 'trained' else row.form}".strip() + f": {score}")
    print(f"report: {output.short(root / 'report.html')}")
    return code


def _ended(exported: Exported, target: Path) -> int:
    """Say how the answers compare, and how large the folder is; 3 where some are others."""
    from nshot.core.files import folder_bytes

    for line in exported.differences:
        print(line)
    same = exported.checks - len(exported.differences)
    print(f"{same} of {exported.checks} answers as delivered")
    print(f"saved in {output.short(target)} ({folder_bytes(target) / 1e6:,.1f} MB)")
    return 3 if exported.differences else 0
