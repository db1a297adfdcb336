"""A local model, the same model behind an endpoint with a bill, and a model that learned.

    python benchmarks/endpoint_board.py [--test 60] [--out runs/endpoint-board] [--write]

The endpoint is `nshot serve` with a prompt that writes, on this machine; it gives no probabilities
of given answers, so labels are written under a schema. Its prices are invented, those of a small
hosted model, and stand on the page. A killed run goes on: `nshot compare` keeps every answer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nshot
from nshot.board.break_even import sentences
from nshot.board.schema import Board
from nshot.core.files import RECORD, write_atomic
from nshot.report import charts
from nshot.report.numbers import say
from serve import server
from table import ROOT, line, write

PAGE = ROOT / "docs" / "endpoints.md"
DRAWING = ROOT / "docs" / "results" / "endpoint-break-even.svg"
TASK = ROOT / "examples" / "support-tickets" / "task.yaml"
METHODS = ("majority", "tfidf_lr", "linear_probe", "zero_shot", "few_shot")
PINNED: Mapping[str, Mapping[str, object]] = {
    "zero_shot": {"format": "chat", "calibration": "batch"},
    "few_shot": {"format": "chat", "calibration": "batch", "n": 8},
}
"""Nothing of the prompts is searched."""
PRICES = """currency: USD
hour: 0.35
models:
  writer: {input: 0.10, output: 0.40}
"""
PORT = "8399"
LESSONS = (("Say hello.", "Hello!"), ("What is two and two?", "Four."), ("Name a colour.", "Blue."))
"""A writer has to be delivered from rows; a prompt without examples shows none of them."""


def writer(folder: Path) -> Path:
    """The embedded language model as a folder that takes whole conversations."""
    if not (folder / "writer" / RECORD).exists():
        rows, lines = folder / "chat.jsonl", []
        for pair in LESSONS:
            turns = zip(("user", "assistant"), pair, strict=True)
            messages = [{"role": role, "content": text} for role, text in turns]
            lines.append(json.dumps({"messages": messages}) + "\n")
        write_atomic(rows, "".join(lines))
        words = ["adapt", rows, "--method", "zero_shot", "--set", "format=chat", "--out",
                 folder / "writer"]  # fmt: skip
        subprocess.run([sys.executable, "-m", "nshot.cli", *words], check=True)
    return folder / "writer"


def compared(folder: Path, test: int) -> Board:
    """The board. The port is always the same: a run that is taken up must ask the same model."""
    os.environ.setdefault("NSHOT_API_KEY", "none-is-needed")
    prices = folder / "prices.yaml"
    write_atomic(prices, PRICES)
    with server("-m", "nshot.cli", "serve", str(writer(folder)), "--port", PORT):
        return nshot.compare(
            TASK, methods=list(METHODS), encoder="all-minilm-l6-v2", prices=prices,
            model=["smollm2-135m-instruct", f"openai:writer@http://127.0.0.1:{PORT}/v1"],
            test_limit=test, settings=PINNED, thorough=True, out=folder / "run",
        ).board  # fmt: skip


def table(board: Board) -> str:
    """Score, time and money of each row, and from how many requests on which is cheaper."""
    heads = ("row", "score, %", "95 %", "build", "1,000 answers", "money for 1,000", "paid")
    lines = [line(*heads), line("---", *["--:"] * (len(heads) - 1))]
    for row in sorted(board.contest, key=lambda row: -(row.score or 0)):
        interval = f"{say(row.low, 'score')}–{say(row.high, 'score')}"
        lines.append(line(
            f"`{row.name}`", say(row.score, "score"), interval,
            say(row.build_seconds, "seconds"), say(row.use_seconds_per_1000, "seconds"),
            f"{row.money_per_1000:.4f}" if row.money_per_1000 else "–",
            f"{row.spent_money:.4f}" if row.spent_money else "–",
        ))  # fmt: skip
    return "\n".join([*lines, "", *(f"- {one}" for one in sentences(board))])


def main() -> None:
    """Print the table, or put it and the drawing on the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test", type=int, default=60)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "endpoint-board")
    parser.add_argument("--write", action="store_true")
    typed = parser.parse_args()
    typed.out.mkdir(parents=True, exist_ok=True)
    board = compared(typed.out, typed.test)
    text = table(board)
    if typed.write:
        write("endpoint_board.py", text, PAGE)
        paid = next(one for one in board.break_even if one.money is not None)
        names = (paid.own, paid.other.partition("@")[0])
        svg = charts.break_even(paid.money, names, "{:.2g} USD".format, "Money of n requests")
        write_atomic(DRAWING, charts.standalone(svg))
    print(text)


if __name__ == "__main__":
    main()
