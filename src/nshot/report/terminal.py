"""The board, the advice and the progress of a run on a terminal; plain lines elsewhere."""

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
from nshot.board.schema import Advice, Board, Estimate, JudgeCell, Row
from nshot.core.durations import duration
from nshot.report.numbers import say


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


def board_table(board: Board, width: int | None = None) -> str:
    """The board as a table of text; the pick is marked with an arrow."""
    task = board.task
    judge = ("judge",) if task.judge else ()
    rows = sorted(board.rows, key=lambda row: -(row.score or -1.0))
    named = ("", "method", "rung", "score", "95 % interval")
    headings = (*named, *task.also, *judge, "build", "1000 answers", "note")
    return text_table(
        [(heading, heading in ("score", "build")) for heading in headings],
        [_cells(row, board) for row in rows],
        width,
    )


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


def _cells(row: Row, board: Board) -> Sequence[str]:
    further = [_estimate(row.also.get(metric)) for metric in board.task.also]
    further += [_judge(row.judge)] if board.task.judge else []
    start = (_arrow(row, board.advice), row.name, row.rung)
    if row.in_contest and not row.is_measured:
        return (*start, "-", "", *further, "", "", f"{row.status}: {row.reason}")
    form = "" if row.in_contest else f"{row.form}, refitted on all rows"
    beside = "; ".join(f"{what} {100 * score:.1f}" for what, score in row.beside.items())
    return (
        *start,
        "-" if row.score is None else f"{100 * row.score:.1f}",
        ""
        if row.low is None or row.high is None
        else f"{100 * row.low:.0f} - {100 * row.high:.0f}",
        *further,
        _seconds(row.build_seconds),
        _seconds(row.use_seconds_per_1000),
        "; ".join(part for part in (form, _aside(row), beside, _params(row)) if part),
    )


def _aside(row: Row) -> str:
    """Why a race stopped before the row had answered everything."""
    return row.reason or "" if row.status == "aside" else ""


def _arrow(row: Row, advice: Advice | None) -> str:
    if advice is None or not row.in_contest:
        return ""
    return "->" if row.name == advice.pick else " ~" if row.name in advice.could_be_best else ""


def _estimate(cell: Estimate | None) -> str:
    """A score, and its interval where there is one."""
    if cell is None or cell.score is None:
        return ""
    score = f"{100 * cell.score:.1f}"
    if cell.low is None or cell.high is None:
        return score
    return f"{score} ({100 * cell.low:.0f} - {100 * cell.high:.0f})"


def _judge(cell: JudgeCell | None) -> str:
    """What the judge says, or why it says nothing."""
    return cell.reason if cell and cell.reason else _estimate(cell)


def _params(row: Row) -> str:
    """Parameters trained, with their share of the language model's where they are part of it."""
    if not row.trained_params:
        return ""
    share = f" ({say(row.trained_share, 'share')})" if row.trained_share is not None else ""
    return f"trained {row.trained_params:,}{share}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds < 90 else duration(seconds)


def advice_lines(advice: Advice | None) -> str:
    """The verdict and its reasons, one a line."""
    if advice is None:
        return "Nothing was measured."
    head = f"Pick: {advice.pick}   verdict: {advice.verdict.replace('_', ' ')}"
    return "\n".join([head, *[f"  - {reason}" for reason in advice.reasons]])


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
    return f"{table}\nin all about {duration(total)}, from this machine's measured rates"
