"""Requests a second to a decision endpoint: ``python benchmarks/decision_requests.py [--write]``.

A scripted endpoint on this machine takes a tenth of a second for an answer, whatever else it is
asked; 4, 16 and 64 requests are under way at once (`NSHOT_CONCURRENCY`). Asked and answered in one
process, so that what both take of the processor is counted together.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from nshot.models.base import Question, TypedRequest
from nshot.models.decisions.decider import Decider
from nshot.models.openai.endpoint import Limits
from nshot.models.systemone.systemone_engine import SystemOne
from table import ROOT, line, write

sys.path.insert(0, str(ROOT / "tests"))
from deciding import Mind, deciding

PAGE = ROOT / "docs" / "decision-models.md"
DELAY = 0.1
AT_ONCE = (4, 16, 64)
ROUNDS = 8
"""Requests for each that may be under way."""
COLOURS = Question("choice", "Which colour?", (("red", "as blood"), ("green", ""), ("blue", "")))


def rate(at_once: int, rounds: int = ROUNDS, delay: float = DELAY) -> tuple[float, float]:
    """(requests a second, milliseconds of processor time a request) with so many under way."""
    requests = [TypedRequest(f"a red bus {i}", (COLOURS,)) for i in range(at_once * rounds)]
    with deciding(Mind(), delay=delay) as service:
        model = Decider(service.ref(), SystemOne(), Limits(concurrency=at_once))
        model.decide(requests[:at_once])
        start, before = time.perf_counter(), time.process_time()
        model.decide(requests)
        seconds, used = time.perf_counter() - start, time.process_time() - before
    return len(requests) / seconds, 1000 * used / len(requests)


def table(rounds: int = ROUNDS) -> str:
    """A row for each number under way; the best that the endpoint allows is in it."""
    rows = [line("under way", "at most", "requests a second", "processor time a request"),
            line("--:", "--:", "--:", "--:")]  # fmt: skip
    for at_once in AT_ONCE:
        speed, used = rate(at_once, rounds)
        rows.append(line(f"{at_once}", f"{at_once / DELAY:.0f}", f"{speed:.0f}", f"{used:.1f} ms"))
    return "\n".join(rows)


def main() -> None:
    """Print the table, or put it on the page."""
    os.environ.setdefault("NSHOT_API_KEY", "scripted")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    text = table()
    if parser.parse_args().write:
        write(Path(__file__).name, text, PAGE)
    print(text)


if __name__ == "__main__":
    main()
