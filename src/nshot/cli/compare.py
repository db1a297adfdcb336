"""``nshot compare``: measure the ladder of methods on a task."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nshot.cli import flags, output
from nshot.core.errors import Fault, InputError

if TYPE_CHECKING:
    from nshot.bench.request import Request

ABOUT = "measure the ladder of methods on a task"


def add(parser: argparse.ArgumentParser) -> None:
    """The fields of a request, and whether it is only to be forecast."""
    from nshot.bench.request import Request

    flags.add(parser, Request)
    parser.add_argument("--dry-run", action="store_true", help="print the forecast and stop")


def run(arguments: argparse.Namespace) -> int:
    """Forecast or run it; print the board, the pick and where they are."""
    from nshot.bench.dry_run import plan
    from nshot.bench.prepare import prepare
    from nshot.bench.run import carry_out
    from nshot.core.files import RECORD
    from nshot.report import board_text
    from nshot.report.terminal import forecast_table

    faults: list[Fault] = []
    prepared = prepare(_request(arguments, faults), faults=faults)
    output.note(prepared.split.notes)
    with output.display() as shown:
        if arguments.dry_run:
            rows = plan(prepared, shown)
        else:
            result = carry_out(prepared, shown, output.command())
    if arguments.dry_run:
        print(forecast_table(rows))
        return 0
    print(board_text.result(result.board))
    print(f"\nreport: {output.short(result.folder / 'report.html')}")
    if (result.folder / "winner" / RECORD).exists():
        print(f"winner: {output.short(result.folder / 'winner')}")
    return result.exit_code


def _request(arguments: argparse.Namespace, faults: list[Fault]) -> Request:
    """What was typed, or the request in the nshot.yaml that was named; `faults` get its faults."""
    from dataclasses import replace

    from nshot.bench.request import Request, is_request, read_request

    path = Path(arguments.task)
    folder = path if is_request(path / "nshot.yaml") else None
    path = path / "nshot.yaml" if folder else path
    if not is_request(path):
        return flags.read(Request, arguments, faults)
    typed = flags.given(Request, arguments)
    if typed.keys() - {"task", "out", "more_test"}:
        expected = "no flags but --out, --more-test and --dry-run"
        raise InputError(Fault("flags beside an nshot.yaml", expected, f"edit {path}"))
    request = read_request(path, faults)
    more = (*request.more_test, *typed.get("more_test", ()))
    return replace(request, out=typed.get("out", folder and str(folder)), more_test=more)
