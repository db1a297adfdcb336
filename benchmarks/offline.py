"""Inputs larger than memory.

    python benchmarks/offline.py [--gigabytes 1] [--only majority] [--write]

`nshot predict` answers a file of rows of some 800 characters; measured are its peak of
resident memory and its rows a second. The folder is one of `tfidf_lr` for a tenth of the size,
which shows what the head adds, and one of `majority`, which does not look, for all of it: so
minutes are enough for a file larger than the goal.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.methods.trivial.tfidf_lr import TfIdfLR
from nshot.models import open_models
from nshot.predictors.constant import Constant
from table import line, write
from workbench import Workbench

GOAL = 500e6
WORDS = (
    ("refund", "money", "card", "pay", "back"),
    ("parcel", "courier", "late", "box", "road"),
    ("password", "account", "mail", "code", "login"),
)
FILLER = tuple("please now the a so and then again today why where who it is not yet".split())  # noqa: SIM905


def text(rng: random.Random, label: int, words: int) -> str:
    """Some words of a label among others."""
    return " ".join(
        rng.choice(WORDS[label] if rng.random() < 0.2 else FILLER) for _ in range(words)
    )


TASK = Task("tickets", "classify", tuple(map(Label, ("refund", "parcel", "login"))))


def delivered(folder: Path, method: str) -> None:
    """A folder that answers one of three labels."""
    if method == "majority":
        Constant(TASK, (-1.0, -1.1, -1.2)).save(folder)
        return
    rng = random.Random(0)
    rows = tuple(
        Example(f"{i}", Input((("text", text(rng, i % 3, 12)),)), (TASK.label_names[i % 3],))
        for i in range(96)
    )
    bench = Workbench(open_models(), None, folder.parent / "job")
    TfIdfLR().adapt(TASK, Shots(rows), bench).save(folder)


def filled(path: Path, size: float) -> int:
    """Write rows of some 1,000 characters up to `size` bytes; how many."""
    rng, count = random.Random(1), 0
    some = [text(rng, i % 3, 190) for i in range(2000)]
    with path.open("w", encoding="utf-8") as file:
        file.write("no,text\n")
        while file.tell() < size:
            file.writelines(f"{count + i},{i} {one}\n" for i, one in enumerate(some))
            count += len(some)
    return count


def measured(folder: Path, path: Path, output: Path) -> tuple[float, int]:
    """Seconds and peak bytes of ``nshot predict``."""
    command = [
        sys.executable,
        "-m",
        "nshot.cli",
        "predict",
        str(folder),
        str(path),
        "-o",
        str(output),
    ]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"predict ended with {status}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def shown(method: str, size: float, place: Path) -> str:
    """A line of the table. Ends the program where a row has no answer."""
    delivered(place / "folder", method)
    path, output = place / "in.csv", place / "out.jsonl"
    rows = filled(path, size * 1e9)
    seconds, peak = measured(place / "folder", path, output)
    with output.open("rb") as file:
        answers = sum(1 for _ in file)
    if answers != rows:
        raise SystemExit(f"{answers} answers to {rows} rows")
    missed = "" if peak <= GOAL else f", missed ({GOAL / 1e6:.0f})"
    return line(f"`{method}`", f"{path.stat().st_size / 1e9:.2f}", f"{rows:,}", f"{seconds:.0f}",
                f"{rows / seconds:,.0f}", f"{peak / 1e6:.0f}{missed}")  # fmt: skip


def main() -> None:
    """Measure, print the table, put it on the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--only", choices=("tfidf_lr", "majority"), help="one of the two heads")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    options = parser.parse_args()
    lines = [
        line("head", "file, GB", "rows", "seconds", "rows a second", "peak memory, MB"),
        "|---|--:|--:|--:|--:|--:|",
    ]
    for method, size in (("tfidf_lr", options.gigabytes / 10), ("majority", options.gigabytes)):
        if options.only not in (None, method):
            continue
        with tempfile.TemporaryDirectory() as place:
            lines.append(shown(method, size, Path(place)))
    print("\n".join(lines))
    if options.write:
        write("offline.py", "\n".join(lines))


if __name__ == "__main__":
    main()
