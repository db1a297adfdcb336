"""``nshot adapt``: adapt one method and save what answers."""

from __future__ import annotations

import argparse

from nshot.cli import flags, output
from nshot.core.errors import Fault

ABOUT = "adapt one method and save what answers"
_FIELDS = ("task", "test", "text", "label", "group", "kind", "encoding", "model", "encoder",
           "metric", "also", "shots", "settings", "out")  # fmt: skip


def add(parser: argparse.ArgumentParser) -> None:
    """Those fields of a request that one method has use for."""
    from nshot.bench.request import Request
    from nshot.core.fields import Flag

    pin = "pin a setting, as in rank=16; it is then not searched"
    changes = {
        "shots": Flag("rows per label (default all)", "N|all", several=","),
        "settings": Flag(pin, "NAME=VALUE", "--set", "again"),
        "out": Flag("folder to write", "DIR"),
    }
    parser.add_argument("--method", required=True, metavar="NAME", help="see `nshot methods`")
    flags.add(parser, Request, _FIELDS, changes, required=("out",))


def run(arguments: argparse.Namespace) -> int:
    """Adapt it on all rows, or on as many as were asked for."""
    from nshot.bench.adapt_one import adapt_one
    from nshot.bench.prepare import prepare
    from nshot.bench.request import Request

    method = arguments.method
    typed = flags.given(Request, arguments)
    faults: list[Fault] = []
    request = flags.read(
        Request,
        arguments,
        faults,
        methods=[method],
        settings=[f"{method}.{pair}" for pair in typed.get("settings", ())],
        shots=typed.get("shots", ["all"]),
        seeds=1,
    )
    if request.shots is not None and len(request.shots) != 1:
        problem = f"--shots {','.join(typed['shots'])}"
        faults.append(Fault(problem, "one number, or 'all'", "nshot compare measures several"))
    prepared = prepare(request, hold_out=False, faults=faults)
    output.note(prepared.split.notes)
    with output.display() as shown:
        row = adapt_one(prepared, shown)
    settings = ", ".join(f"{key}={value}" for key, value in row.settings.items())
    print(f"{row.name} ({settings or 'no settings'}), built in {row.build_seconds or 0:.1f} s")
    if row.score is not None:
        print(f"{100 * row.score:.1f} % on {len(prepared.split.test)} test rows, as saved")
    place = output.short(prepared.out)
    print(f"saved in {place}: nshot predict {place} INPUTS")
    return 0
