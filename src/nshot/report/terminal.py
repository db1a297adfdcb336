"""The board, the advice and the progress of a run on a terminal; plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from nshot.core.durations import duration
from nshot.report.numbers import say


class Lines:
    """Progress as plain lines: what a log file or a pipe can hold."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        """A line."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def start(self, what: str, done: int, total: int) -> None:
        """What begins, and how much is behind it."""
        elapsed = duration(time.monotonic() - self._start)
        self.say(f"[{done + 1}/{total}, {elapsed}] {what}")

    def progress(self, done: int, total: int, what: str) -> None:
        """Too fine for lines."""

    def finish(self, what: str, outcome: str) -> None:
        """How it ended."""
        self.say(f"    {outcome}")


class Bars:
    """Progress as two bars at the foot of a terminal, with finished work above them."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
        )
        self._whole = self._bars.add_task("all", total=None)
        self._part = self._bars.add_task("", total=None, visible=False)
        self._bars.start()

    def close(self) -> None:
        """Take the bars off the screen."""
        self._bars.stop()

    def say(self, text: str) -> None:
        """A line above the bars."""
        self._console.print(Text(text))

    def start(self, what: str, done: int, total: int) -> None:
        """Move the whole bar, name the part."""
        self._bars.update(self._whole, description="all", completed=done, total=total)
        self._bars.reset(self._part, description=what, total=None, visible=True)

    def progress(self, done: int, total: int, what: str) -> None:
        """Move the part's bar."""
        self._bars.update(self._part, completed=done, total=total)

    def finish(self, what: str, outcome: str) -> None:
        """A line for what ended."""
        self._bars.update(self._part, visible=False)
        self.say(f"  {what}: {outcome}")


def display() -> Lines | Bars:
    """Bars on a terminal, lines elsewhere."""
    return Bars() if sys.stderr.isatty() else Lines()


def board_table(board: Mapping[str, Any], width: int | None = None) -> str:
    """The board as a table of text; the pick is marked with an arrow."""
    advice = board["advice"]
    table = Table(box=None, pad_edge=False, header_style="bold")
    also = board["task"].get("also", [])
    judge = ["judge"] if board["task"].get("judge") else []
    for heading in (
        "",
        "method",
        "rung",
        "score",
        "95 % interval",
        *also,
        *judge,
        "build",
        "1000 answers",
        "note",
    ):
        table.add_column(heading, justify="right" if heading in ("score", "build") else "left")
    rows = sorted(board["methods"], key=lambda row: -(row["score"] or -1.0))
    for row in rows:
        further = [*(_also(row["also"].get(metric)) for metric in also)]
        further += [_judged(row.get("judge")) for _ in judge]
        table.add_row(*map(escape, _cells(row, advice, further)))
    console = Console(width=width or max(100, Console().width), no_color=True)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _cells(
    row: Mapping[str, Any], advice: Mapping[str, Any], further: Sequence[str]
) -> Sequence[str]:
    name, trained = row["name"], row["form"] == "trained"
    mark = "->" if trained and name == advice["pick"] else ""
    if trained and not mark and name in advice["could_be_best"]:
        mark = " ~"
    if row["status"] != "ok" and trained:
        why = f"{row['status']}: {row['reason']}"
        return (mark, name, row["rung"], "-", "", *further, "", "", why)
    score = "-" if row["score"] is None else f"{100 * row['score']:.1f}"
    interval = "" if row["low"] is None else f"{100 * row['low']:.0f} - {100 * row['high']:.0f}"
    use = row["use_seconds_per_1000"]
    note = "" if trained else f"{row['form']}, refitted on all rows"
    beside = "; ".join(f"{what} {100 * v:.1f}" for what, v in row["beside"].items())
    return (
        mark,
        name,
        row["rung"],
        score,
        interval,
        *further,
        _seconds(row["build_seconds"]),
        "" if use is None else _seconds(use),
        "; ".join(part for part in (note, beside, _trained(row)) if part),
    )


def _also(cell: Mapping[str, Any] | None) -> str:
    """A further metric: its score, and its interval where there is one."""
    if cell is None or cell["score"] is None:
        return ""
    score = f"{100 * cell['score']:.1f}"
    low, high = cell["low"], cell["high"]
    return score if low is None else f"{score} ({100 * low:.0f} - {100 * high:.0f})"


def _judged(cell: Mapping[str, Any] | None) -> str:
    """What the judge said, or why it said nothing."""
    if cell is None or "reason" not in cell:
        return _also(cell)
    return str(cell["reason"])


def _trained(row: Mapping[str, Any]) -> str:
    """Parameters trained, with their share of the language model's where they are part of it."""
    count, share = row["trained_params"], row.get("trained_share")
    if not count:
        return ""
    return f"trained {count:,}" + (f" ({say(share, 'share')})" if share is not None else "")


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 90 else duration(seconds)


def advice_lines(advice: Mapping[str, Any]) -> str:
    """The verdict and its reasons, one a line."""
    head = f"Pick: {advice['pick']}   verdict: {advice['verdict'].replace('_', ' ')}"
    return "\n".join([head, *[f"  - {reason}" for reason in advice["reasons"]]])


def forecast_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """What `--dry-run` prints."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("method", "rung", "candidates", "search", "build", "answer test", "all draws"):
        table.add_column(heading, justify="left" if heading in ("method", "rung") else "right")
    for row in rows:
        if row["why_not"]:
            table.add_row(row["name"], row["rung"], escape(f"skipped: {row['why_not']}"))
            continue
        numbers = [duration(row[key]) for key in ("search", "build", "use", "total")]
        table.add_row(row["name"], row["rung"], str(row["candidates"]), *numbers)
    total = sum(row["total"] for row in rows if not row["why_not"])
    console = Console(width=max(100, Console().width), no_color=True)
    with console.capture() as captured:
        console.print(table)
        console.print(f"in all about {duration(total)}, from this machine's measured rates")
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
