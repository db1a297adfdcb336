"""The progress of a run on a terminal, plain lines elsewhere; and tables of text."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, JustifyMethod
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBars
from rich.table import Table
from rich.text import Text

from nshot.board.events import Event, Finished, Message, Progress, Started
from nshot.core.durations import duration


class Lines:
    """Hears events and writes plain lines: what a log file or a pipe can hold."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, event: Event) -> None:
        """A line for what begins, ends, or is said; progress is too fine for lines."""
        match event:
            case Message(text):
                self._line(text)
            case Started(piece, done, total):
                elapsed = duration(time.monotonic() - self._start)
                self._line(f"[{done + 1}/{total}, {elapsed}] {piece}")
            case Finished(piece, outcome) if outcome:
                self._line(f"    {piece}: {outcome}")

    def close(self) -> None:
        """Nothing is left to take away."""

    def _line(self, text: str) -> None:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


class Bars:
    """Hears events and shows a bar for the whole and one for each piece under way.

    They stand at the foot of the terminal, with finished work above them.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._bars = ProgressBars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._whole = self._bars.add_task("all", total=None)
        self._pieces: dict[str, TaskID] = {}
        self._bars.start()

    def __call__(self, event: Event) -> None:
        """Move the bars."""
        match event:
            case Message(text):
                self._console.print(Text(text))
            case Started(piece, done, total):
                self._bars.update(self._whole, completed=done, total=total)
                self._drop(piece)
                self._pieces[piece] = self._bars.add_task(piece, total=None)
            case Progress(piece, done, total, _):
                if piece not in self._pieces:
                    self._pieces[piece] = self._bars.add_task(piece)
                self._bars.update(self._pieces[piece], completed=done, total=total)
            case Finished(piece, outcome):
                self._drop(piece)
                if outcome:
                    self._console.print(Text(f"  {piece}: {outcome}"))

    @property
    def pieces(self) -> tuple[str, ...]:
        """What is under way."""
        return tuple(self._pieces)

    def close(self) -> None:
        """Take the bars off the screen."""
        self._bars.stop()

    def _drop(self, piece: str) -> None:
        if piece in self._pieces:
            self._bars.remove_task(self._pieces.pop(piece))


def display() -> Lines | Bars:
    """A subscriber for this terminal: bars on one, lines elsewhere."""
    return Bars() if sys.stderr.isatty() else Lines()


def text_table(
    columns: Sequence[tuple[str, bool]],
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    least: int = 100,
) -> str:
    """Rows under (heading, is it set to the right?), as wide as the terminal; at least `least`."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, right in columns:
        justify: JustifyMethod = "right" if right else "left"
        table.add_column(heading, justify=justify, no_wrap=heading == "method")
    for row in rows:
        table.add_row(*map(escape, row))
    console = Console(width=width or max(least, Console().width), no_color=True)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def forecast_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """What `--dry-run` prints."""
    headings = ("method", "rung", "candidates", "search", "build", "answer test", "all draws")
    cells = []
    for row in rows:
        if row["why_not"]:
            cells.append((row["name"], row["rung"], f"skipped: {row['why_not']}"))
            continue
        numbers = [duration(row[key]) for key in ("search", "build", "use", "total")]
        cells.append((row["name"], row["rung"], str(row["candidates"]), *numbers))
    total = sum(row["total"] for row in rows if not row["why_not"])
    table = text_table([(one, one not in ("method", "rung")) for one in headings], cells)
    lines = [table, f"in all about {duration(total)}, from this machine's measured rates"]
    if paid := [row for row in rows if row.get("money")]:
        each = ", ".join(f"{row['name']} {row['money']:.4g}" for row in paid)
        lines.append(
            f"in money about {paid[0]['all_money']:.4g} at most ({each}): a request is paid once,"
            " whoever asks; tokens are guessed from the texts' bytes until a run has seen a bill"
        )
    return "\n".join(lines)
