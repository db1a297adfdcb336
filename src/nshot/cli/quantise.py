"""``nshot quantise``: a row of a finished run in fewer bits, measured through llama.cpp."""

from __future__ import annotations

import argparse

from nshot.cli import flags, output

ABOUT = "keep a run's language model in fewer bits, measured as llama.cpp serves it"


def add(parser: argparse.ArgumentParser) -> None:
    """The run, the row, and the bits."""
    from nshot.bench.quantising import Quantisation

    flags.add(parser, Quantisation)


def run(arguments: argparse.Namespace) -> int:
    """Measure both, and print what was lost; exit code 3 where that is more than may be."""
    from nshot.bench.quantising import Quantisation, prepare_shrinking, shrink
    from nshot.board.shrinking import shrinking_lines

    one = prepare_shrinking(flags.read(Quantisation, arguments))
    output.note(one.prepared.split.notes)
    with output.display() as shown:
        quantised = shrink(one, shown, output.command())
    result, out = quantised.result, quantised.shrinking
    for line in (*shrinking_lines(out), *out.notes):
        print(line)
    print(f"\nreport: {output.short(result.folder / 'report.html')}")
    if quantised.delivered:
        print(f"the quantised model lies in {output.short(quantised.delivered)}")
    return result.exit_code or (3 if out.refused else 0)
