"""The engines as they are against the engines of an earlier commit, in turn, in one run.

    python benchmarks/engines_before_after.py [--at REV] [--repeats 5] [--write]

Each side is a process with the source and the benchmarks of its commit (`engines_side.py`), so
that no side is measured through the other's. They take turns, and which begins changes from repeat
to repeat; the first run of each engine warms and is not counted. Whether both answered the same to
the bit is said beside the times.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nshot.core import machine
from reading import BEFORE
from table import ROOT, checkout, data_folder, line, write

SIZES = {"scoring": 60, "generation": 24, "training": 64, "episodes": 4000}
"""Rows of each of two tasks, prompts, rows, episodes of each method and shape."""
WARM = {"scoring": 2, "generation": 2, "training": 8, "episodes": 20}
LEAST = 0.97
Ask = Callable[[str, int], dict[str, Any]]


@dataclass
class Result:
    """An engine: (wall, processor) seconds of each repeat on both sides, and are they equal?"""

    before: list[tuple[float, float]] = field(default_factory=list)
    now: list[tuple[float, float]] = field(default_factory=list)
    equal: bool = True

    def ratio(self, clock: int) -> float:
        """How many times as fast it is now, by the medians of one of both clocks."""
        before, now = (
            statistics.median(t[clock] for t in side) for side in (self.before, self.now)
        )
        return before / now


class Side:
    """A process that measures the engines of one tree."""

    def __init__(self, root: Path, log: Path) -> None:
        paths = [root / "src", root / "benchmarks"]
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "NSHOT_DATA": str(data_folder()),
        }
        self._log = log.open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(ROOT / "benchmarks" / "engines_side.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
            cwd=root, env=environment, text=True,
        )  # fmt: skip
        self._path = log

    def ask(self, engine: str, size: int) -> dict[str, Any]:
        """Measure one engine once."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the side has no pipes")
        self._process.stdin.write(json.dumps({"engine": engine, "size": size}) + "\n")
        self._process.stdin.flush()
        if not (text := self._process.stdout.readline()):
            raise RuntimeError(f"a side ended:\n{self._path.read_text(encoding='utf-8')[-3000:]}")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=60)
        self._log.close()


def measure(before: Ask, now: Ask, sizes: Mapping[str, int], repeats: int) -> dict[str, Result]:
    """Every engine, in turn on both sides."""
    sides = {"before": before, "now": now}
    results = {engine: Result() for engine in sizes}
    for engine, size in sizes.items():
        for ask in sides.values():
            ask(engine, min(size, WARM[engine]))
        for repeat in range(repeats):
            turns = list(sides) if repeat % 2 == 0 else list(sides)[::-1]
            answers = {name: sides[name](engine, size) for name in turns}
            for name, answer in answers.items():
                getattr(results[engine], name).append((answer["seconds"], answer["work"]))
            results[engine].equal &= answers["before"]["answers"] == answers["now"]["answers"]
            took = ", ".join(f"{name} {answers[name]['seconds']:.2f} s" for name in sides)
            print(f"{engine}, {repeat}: {took}", flush=True)
    return results


def table(results: Mapping[str, Result], revision: str, sizes: Mapping[str, int]) -> str:
    """All of it, as Markdown."""
    rows = [line("engine", "before, s", "now, s", f"as fast (at least {LEAST}x)", "by CPU time",
                 "the same answers"), "|--|--:|--:|--:|--:|--|"]  # fmt: skip
    for engine, result in results.items():
        before, now = (statistics.median(t[0] for t in s) for s in (result.before, result.now))
        ratio = result.ratio(0)
        words = f"**{ratio:.2f}x**" if ratio >= LEAST else f"{ratio:.2f}x, missed"
        equal = "yes" if result.equal else "no"
        rows.append(
            line(engine, f"{before:.2f}", f"{now:.2f}", words, f"{result.ratio(1):.2f}x", equal)
        )
    repeats = len(next(iter(results.values())).now)
    about = (
        f"Before is `{revision}`; {machine.device()}, {machine.threads()} thread(s); medians of"
        f" {repeats}, in turn: {', '.join(f'{engine} {size}' for engine, size in sizes.items())}."
    )
    return "\n".join([*rows, "", about])


def run(revision: str, sizes: Mapping[str, int], repeats: int) -> dict[str, Result]:
    """Both trees, each in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "before"
        checkout(revision, root, "src", "benchmarks")
        sides = [Side(root, Path(place) / "before.log"), Side(ROOT, Path(place) / "now.log")]
        try:
            return measure(sides[0].ask, sides[1].ask, sizes, repeats)
        finally:
            for side in sides:
                side.close()


def main() -> None:
    """Measure, print the table, put it on the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--at", metavar="REV", default=BEFORE, help="the commit to compare with")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--share", type=float, default=1.0, help="of the sizes, to try it out")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    options = parser.parse_args()
    sizes = {name: max(WARM[name], round(options.share * size)) for name, size in SIZES.items()}
    text = table(run(options.at, sizes, options.repeats), options.at, sizes)
    print(text)
    if options.write:
        write("engines_before_after.py", text)


if __name__ == "__main__":
    main()
