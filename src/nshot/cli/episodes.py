"""``nshot episodes``: train methods on background classes and measure them on new ones."""

from __future__ import annotations

import argparse

from nshot.cli import flags, output

ABOUT = "train methods on background classes and measure them on new ones, as papers do"


def add(parser: argparse.ArgumentParser) -> None:
    """The fields of a request for episodes."""
    from nshot.bench.episodes_request import EpisodesRequest

    flags.add(parser, EpisodesRequest)


def run(arguments: argparse.Namespace) -> int:
    """Train, measure, and print the table."""
    from nshot.bench.episodes import carry_out, prepare
    from nshot.bench.episodes_request import EpisodesRequest
    from nshot.report import episodes

    prepared = prepare(flags.read(EpisodesRequest, arguments))
    output.note(prepared.cut.notes)
    with output.display() as shown:
        result = carry_out(prepared, shown, output.command())
    print(episodes.table(result))
    print("\n% of queries, ± half of the 95 % interval over episodes (untrained)")
    if drawing := episodes.write(result, prepared.request.out):
        print(f"how the learning went: {output.short(drawing)}")
    print(f"all figures: {output.short(prepared.request.out / 'episodes.json')}")
    return 0 if any(row["status"] == "ok" for row in result["methods"]) else 3
