"""``nshot distil``: let a row of a finished run teach a smaller method."""

from __future__ import annotations

import argparse

from nshot.cli import flags, output

ABOUT = "let the pick of a finished run teach a small, fast method, and measure what is lost"


def add(parser: argparse.ArgumentParser) -> None:
    """The run, the student, and what it is taught with."""
    from nshot.bench.distilling import Distillation

    flags.add(parser, Distillation)


def run(arguments: argparse.Namespace) -> int:
    """Measure the three, and print what the student lost and won."""
    from nshot.bench.distilling import Distillation, prepare_lessons, teach
    from nshot.board.lesson import lesson_lines
    from nshot.board.words import give_up_of

    lessons = prepare_lessons(flags.read(Distillation, arguments))
    output.note(lessons.prepared.split.notes)
    with output.display() as shown:
        taught = teach(lessons, shown, output.command())
    result, one = taught.result, taught.lesson
    wish = lessons.prepared.request.wish
    give_up = give_up_of(wish.prefer) if wish.give_up is None else wish.give_up
    for line in (*lesson_lines(one, give_up), *one.notes):
        print(line)
    print(f"\nreport: {output.short(result.folder / 'report.html')}")
    if (result.folder / "winner").exists():
        print(f"winner: {result.pick}, in {output.short(result.folder / 'winner')}")
    row = result.board.row(one.taught.row)
    if result.pick != row.name and row.saved:
        print(f"the taught student lies in {output.short(result.folder / row.saved)}")
    return result.exit_code
