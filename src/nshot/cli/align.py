"""``nshot align``: imitate, learn what people prefer, follow it, and say what that changed."""

from __future__ import annotations

import argparse

from nshot.cli import flags, output
from nshot.core.errors import Fault

ABOUT = "align a model with preferences: instruct, a reward model, then ppo, grpo, dpo or kto"


def add(parser: argparse.ArgumentParser) -> None:
    """The fields of a request for an alignment."""
    from nshot.bench.align_request import AlignRequest

    flags.add(parser, AlignRequest)


def run(arguments: argparse.Namespace) -> int:
    """Go through the steps, and print what came of them."""
    from nshot.bench.align import PAGE, carry_out
    from nshot.bench.align_prepare import prepare, request_of
    from nshot.bench.align_request import AlignRequest
    from nshot.report import align_page

    faults: list[Fault] = []
    typed = vars(flags.read(AlignRequest, arguments, faults))
    given = {name: typed[name] for name in flags.given(AlignRequest, arguments)}
    prepared = prepare(request_of(arguments.source, given, faults), faults)
    output.note(prepared.rows.notes)
    with output.display() as shown:
        made = carry_out(prepared, shown, output.command())
    print("\n".join(align_page.sentences(made)))
    print(f"\nreport: {output.short(prepared.root / PAGE)}")
    if made.went_well:
        place = output.short(prepared.root / "policy")
        print(f"policy: {place}: nshot predict {place} INPUTS")
    return 0 if made.went_well else 3
