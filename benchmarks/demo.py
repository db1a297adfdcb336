"""The demo as `make demo` runs it: seconds to its first row and to its end, cold and warm.

    python benchmarks/demo.py [--repeats 3] [--runs runs/demo] [--write]

Cold: an empty cache, so that both models are converted and the machine's rates are measured. Warm:
the cache of the first cold run. Each run has a folder of its own, and one that ended is not made
again. On quiet cores alone do the seconds mean anything.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from nshot.board.schema import Board, Row
from nshot.core import machine
from nshot.core.files import write_atomic
from table import ROOT, line, timed, write

MINUTES = "3.5"
"""As in the Makefile."""
GOAL = 240


@dataclass(frozen=True)
class Run:
    """Seconds to the first row and to the end, and what the board says."""

    first: float
    whole: float
    board: Board


def run(cache: Path, out: Path) -> Run:
    """One run of the command, from its folder where that is there."""
    kept = out.with_suffix(".json")
    if kept.exists():
        seconds = json.loads(kept.read_text(encoding="utf-8"))
        return Run(seconds["first"], seconds["whole"], Board.read(out))
    command = [sys.executable, "-m", "nshot.cli", "compare", "examples/support-tickets",
               "--minutes", MINUTES, "--out", str(out)]  # fmt: skip
    environment = {**os.environ, "NSHOT_CACHE": str(cache)}
    whole, first = timed(command, environment)
    ended = Run(first, whole, Board.read(out))
    write_atomic(kept, json.dumps({"first": ended.first, "whole": ended.whole}))
    print(f"{out.name}: {ended.first:.0f} s, {ended.whole:.0f} s", flush=True)
    return ended


def every_run(repeats: int, scratch: Path) -> dict[str, list[Run]]:
    """Cold and warm ones in turn, as far as there is a cache to be warm."""
    every: dict[str, list[Run]] = {"cold": [], "warm": []}
    for at in range(repeats):
        every["cold"].append(run(scratch / f"cache-{at}", scratch / f"cold-{at}"))
        every["warm"].append(run(scratch / "cache-0", scratch / f"warm-{at}"))
    return every


def table(every: dict[str, list[Run]]) -> str:
    """All of it, as Markdown."""
    rows = [line("", "first row after, s", "whole, s", "verdicts", "picks", "rows with a score",
                 "put aside", "not measured after a trial", "without a trial"),
            "|---|--:|--:|---|---|--:|--:|--:|--:|"]  # fmt: skip
    for name, some in every.items():
        advice = [one.board.advice for one in some if one.board.advice is not None]
        rows.append(line(
            name, spread([one.first for one in some]), spread([one.whole for one in some]),
            counted([a.verdict.replace("_", " ") for a in advice]),
            counted([f"`{a.pick}`" for a in advice]),
            counts([len(of(one, "ok")) for one in some]),
            counts([len(of(one, "aside")) for one in some]),
            counts([sum(r.trial is not None for r in of(one, "skipped")) for one in some]),
            counts([sum(r.trial is None for r in of(one, "skipped")) for one in some]),
        ))  # fmt: skip
    whole = statistics.median(one.whole for one in every["warm"])
    goal = f"Goal: under {GOAL} s after the downloads: {'held' if whole < GOAL else 'missed'}."
    first = every["warm"][0].board
    outside = [f"`{row.name}`: {row.reason}" for row in first.rows if row.status != "ok"]
    about = f"{machine.device()}, {os.cpu_count()} cores; medians of {len(every['warm'])}. {goal}"
    return "\n".join([*rows, "", about, "", "Without a score in the first warm run:", "",
                      *(f"- {text}" for text in outside)])  # fmt: skip


def of(one: Run, status: str) -> list[Row]:
    """The rows of a board with that status."""
    return [row for row in one.board.rows if row.status == status]


def spread(values: list[float]) -> str:
    """Median, and the ends."""
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def counts(values: list[int]) -> str:
    """The different numbers."""
    return ", ".join(map(str, sorted(set(values))))


def counted(names: list[str]) -> str:
    """Names, and how often where that differs."""
    different = list(dict.fromkeys(names))
    if len(different) == 1:
        return different[0]
    return ", ".join(f"{name} ({names.count(name)})" for name in different)


def main() -> None:
    """Measure, print the table, put it on the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "demo")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    options = parser.parse_args()
    runs = options.runs.resolve()
    runs.mkdir(parents=True, exist_ok=True)
    text = table(every_run(options.repeats, runs))
    print(text)
    if options.write:
        write("demo.py", text)


if __name__ == "__main__":
    main()
