"""Looking up kept answers: ``python benchmarks/answers.py [--rows 1000000] [--write]``.

A file of so many answers is filled, then read in random order: in blocks of 256, as `nshot predict
--cache` asks, and one by one. Half of the keys are there.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
import time
from pathlib import Path

import numpy as np

from nshot.core import machine
from nshot.core.types import Prediction
from nshot.use.answers import BLOCK, Answers
from table import line, write

LOOKUPS, GOAL, GOAL_P99 = 100_000, 50_000, 0.001


def key(number: int) -> bytes:
    """As spread as a real one."""
    return hashlib.sha256(number.to_bytes(8, "little")).digest()


def filled(path: Path, rows: int) -> float:
    """Fill a file; seconds it took."""
    answers, start = Answers(path), time.perf_counter()
    scores = tuple(-float(i) for i in range(8))
    for first in range(0, rows, 10_000):
        numbers = range(first, min(first + 10_000, rows))
        answers.put("folder", [(key(n), Prediction(f"label {n % 8}", scores)) for n in numbers])
    answers.close()
    return time.perf_counter() - start


def measured(path: Path, rows: int) -> tuple[float, float, float]:
    """Lookups a second in blocks; seconds of one lookup: median and 99th percentile."""
    answers, rng = Answers(path), random.Random(0)
    keys = [key(rng.randrange(2 * rows)) for _ in range(LOOKUPS)]
    start = time.perf_counter()
    present = sum(len(answers.get(keys[i : i + BLOCK])) for i in range(0, LOOKUPS, BLOCK))
    a_second = LOOKUPS / (time.perf_counter() - start)
    if not 0.45 < present / LOOKUPS < 0.55:
        raise AssertionError(f"{present} of {LOOKUPS} keys are there: half was expected")
    seconds = []
    for one in keys[: LOOKUPS // 4]:
        begin = time.perf_counter()
        answers.get([one])
        seconds.append(time.perf_counter() - begin)
    answers.close()
    return a_second, float(np.median(seconds)), float(np.quantile(seconds, 0.99))


def table(rows: int) -> str:
    """All of it, as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.sqlite"
        put = filled(path, rows)
        a_second, median, late = measured(path, rows)
        size = path.stat().st_size
    held = "" if a_second >= GOAL else f", missed ({GOAL:,})"
    late_held = "" if late < GOAL_P99 else ", missed (1 ms)"
    return "\n".join(
        [
            line("answers", "put, a second", "looked up in blocks, a second", "one: median, us",
                 "one: 99th percentile, us", "MB"),
            "|--:|--:|--:|--:|--:|--:|",
            line(f"{rows:,}", f"{rows / put:,.0f}", f"{a_second:,.0f}{held}", f"{1e6 * median:.0f}",
                 f"{1e6 * late:.0f}{late_held}", f"{size / 1e6:.0f}"),
            "",
            f"One process on {machine.device()}, half of the keys there, {LOOKUPS:,} lookups.",
        ]
    )  # fmt: skip


def main() -> None:
    """Measure, print the table, put it on the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    options = parser.parse_args()
    text = table(options.rows)
    print(text)
    if options.write:
        write("answers.py", text)


if __name__ == "__main__":
    main()
