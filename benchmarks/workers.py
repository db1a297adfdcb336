"""Two workers of one thread against one worker of two threads, on the demo's rows.

    python benchmarks/workers.py [--repeats 3] [--runs runs/workers] [--write]

Both settings take turns, and which begins changes from repeat to repeat. A run that was killed goes
on: what was measured lies in `--runs`. Every timed comparison begins with an empty folder and with
the converted model and the machine's rates at hand, which one dry run of each setting leaves in a
cache of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nshot.core import machine
from nshot.core.files import write_atomic
from table import ROOT, line, write

DEMO = ("compare", "examples/support-tickets", "--thorough", "--methods",
        "majority,tfidf_lr,label_similarity,nearest_mean,knn,linear_probe,baseline,zero_shot,"
        "few_shot,lm_probe")  # fmt: skip
"""The demo's rows, and ten methods measured on all of them: the same work in both settings."""
RUNS = ROOT / "runs" / "workers"
GOAL = 1.3


@dataclass(frozen=True)
class Setting:
    """How many workers, and how many threads each of them has."""

    workers: int
    threads: int

    @property
    def name(self) -> str:
        return f"{self.workers} of {self.threads}"


SETTINGS = (Setting(1, 2), Setting(2, 1))
Run = Callable[[Setting, Path, Sequence[str]], None]


def nshot(setting: Setting, runs: Path, flags: Sequence[str]) -> None:
    """The demo in `setting`, in a process of its own. Raises where it does not end well."""
    environment = os.environ | {
        "NSHOT_THREADS": str(setting.threads),
        "NSHOT_CACHE": str(runs / f"cache-{setting.workers}"),
    }
    command = [sys.executable, "-m", "nshot.cli", *DEMO, "--workers", str(setting.workers), *flags]
    with (runs / "log").open("a", encoding="utf-8") as log:
        subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=log, check=True)


def seconds(setting: Setting, runs: Path, repeat: int, run: Run) -> float:
    """How long the demo takes, from its file where it was measured on this machine already."""
    file = runs / f"{setting.workers}-{repeat}.json"
    plan = json.dumps([DEMO, setting.name, machine.identity()])
    if file.exists():
        record = json.loads(file.read_text(encoding="utf-8"))
        if record["plan"] == plan:
            return float(record["seconds"])
    folder = runs / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    run(setting, runs, ["--dry-run"])
    start = time.perf_counter()
    run(setting, runs, ["--out", str(folder)])
    took = time.perf_counter() - start
    write_atomic(file, json.dumps({"plan": plan, "seconds": took}))
    print(f"{time.strftime('%H:%M:%S')} {setting.name}, {repeat}: {took:.0f} s", flush=True)
    return took


def measure(runs: Path, repeats: int, run: Run = nshot) -> dict[Setting, list[float]]:
    """Seconds of each repeat of each setting."""
    runs.mkdir(parents=True, exist_ok=True)
    times: dict[Setting, list[float]] = {setting: [] for setting in SETTINGS}
    for repeat in range(repeats):
        for setting in SETTINGS if repeat % 2 == 0 else SETTINGS[::-1]:
            times[setting].append(seconds(setting, runs, repeat, run))
    return times


def table(times: Mapping[Setting, Sequence[float]]) -> str:
    """All of it, as Markdown."""
    medians = {setting: statistics.median(times[setting]) for setting in times}
    first = medians[SETTINGS[0]]
    rows = [line("workers", "threads each", "seconds", "lowest to highest", "as fast"),
            "|--:|--:|--:|--:|--:|"]  # fmt: skip
    for setting, median in medians.items():
        ratio = first / median
        words = f"{ratio:.2f}x"
        if setting != SETTINGS[0]:
            words = f"**{words}** (goal {GOAL}x)" if ratio >= GOAL else f"{words}, missed ({GOAL}x)"
        low, high = min(times[setting]), max(times[setting])
        rows.append(
            line(str(setting.workers), str(setting.threads), f"{median:.0f}",
                 f"{low:.0f} to {high:.0f}", words)
        )  # fmt: skip
    count = len(times[SETTINGS[0]])
    about = (
        f"Ten methods on the demo's rows, {machine.device()}, {os.cpu_count()} cores; "
        f"medians of {count}, in turn."
    )
    return "\n".join([*rows, "", about])


def main() -> None:
    """Measure what is not there yet, print the table, put it on the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=RUNS, help="where what was measured is kept")
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    options = parser.parse_args()
    text = table(measure(options.runs.resolve(), options.repeats))
    print(text)
    if options.write:
        write("workers.py", text)


if __name__ == "__main__":
    main()
