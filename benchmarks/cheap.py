"""Five cheap methods on 5,400 rows and 500 test rows, from the command to the board.

    python benchmarks/cheap.py [--repeats 3] [--write]

BANKING77's first 5,400 training rows and 500 test rows, 77 labels; a run folder of its own each
time, the sentence encoder MiniLM, the machine's rates at hand from a dry run before. `first row` is
when the first row of the board was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from nshot.board.schema import Board
from nshot.core import machine
from table import data_folder, line, read, timed, write

METHODS = ("majority", "tfidf_lr", "nearest_mean", "knn", "linear_probe")
TRAIN, TEST, GOAL = 5400, 500, 60


def files(into: Path) -> tuple[Path, Path]:
    """Both files."""
    paths = []
    for part, count in (("train", TRAIN), ("test", TEST)):
        path = into / f"{part}.jsonl"
        rows = read(data_folder() / "banking77" / f"{part}.jsonl")
        step = len(rows) / count  # evenly over the file, which may be sorted by label
        kept = [rows[int(i * step)] for i in range(count)]
        path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        paths.append(path)
    return paths[0], paths[1]


def run(folder: Path, *more: str) -> tuple[float, float]:
    """Seconds of the command, and until its first row was measured."""
    train, test = files(folder)
    command = [sys.executable, "-m", "nshot.cli", "compare", str(train), "--test", str(test),
               "--methods", ",".join(METHODS), "--encoder", "all-minilm-l6-v2",
               "--out", str(folder / "run"), *more]  # fmt: skip
    return timed(command)


def table(repeats: int) -> str:
    """All of it, as Markdown."""
    whole, first = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for repeat in range(repeats):
            folder = Path(scratch) / str(repeat)
            folder.mkdir()
            if repeat == 0:
                run(folder, "--dry-run")
            seconds, begun = run(folder)
            whole.append(seconds)
            first.append(begun)
        board = Board.read(folder / "run")
    median = statistics.median(whole)
    held = f"**{median:.0f} s**" if median < GOAL else f"{median:.0f} s, missed"
    rows = [
        line(f"`{row.name}`", f"{100 * (row.score or 0):.1f}", f"{row.build_seconds or 0:.1f}")
        for row in board.contest
    ]
    rows = [line("", "score", "to build, as if alone, s"), "|--|--:|--:|", *rows]
    about = (
        f"The whole command: {held} (goal: under {GOAL} s; {min(whole):.0f} to {max(whole):.0f}),"
        f" the first row after {statistics.median(first):.1f} s; medians of {repeats} on"
        f" {machine.device()}, {os.cpu_count()} cores."
    )
    return "\n".join([about, "", *rows])


def main() -> None:
    """Measure, print the table, put it on the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    options = parser.parse_args()
    text = table(options.repeats)
    print(text)
    if options.write:
        write("cheap.py", text)


if __name__ == "__main__":
    main()
