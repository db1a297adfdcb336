"""The boards of five tasks as both questions, and what the pick scores on rows held back.

    python benchmarks/boards.py [NAME ...] [--runs runs/boards] [--minutes 10] [--write]

Each set gives 1,200 labelled rows, 300 test rows and up to 1,000 rows that no run sees. Question 1
adapts every contender on all labelled rows; question 2 asks for 4, 8 and 16 rows a label. A
run that was killed goes on. `--write` makes the result pages and the table beside them.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nshot
from nshot.core import machine
from nshot.core.files import write_atomic
from result_page import write as write_page
from table import ROOT, data_folder, line, read, write

LABELLED, TEST, HELD_BACK = 1200, 300, 1000
SHOTS = {"banking77": (1, 2, 5)}
"""Sizes of question 2 where they are not 4, 8 and 16: 77 labels do not have 16 rows each."""
RESULTS = ROOT / "docs" / "results"
BEFORE = {"sst2": "`full`, leaning, 60 min", "banking10": "`linear_probe`, settled, 85 min",
          "nsmc": "`tfidf_lr`, cannot tell, 69 min"}  # fmt: skip
"""Picks of everything measured with three draws of 4 and 8 a label, on one thread as well."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Verdict:
    """What one run says, and what came of it."""

    question: int
    pick: str
    verdict: str
    score: float
    low: float
    high: float
    held_back: float
    held_back_rows: int
    seconds: float


def pooled(name: str, *parts: str) -> Rows:
    """Text and label of the rows of the named parts of a set."""
    rows = [row for part in parts for row in read(data_folder() / name / f"{part}.jsonl")]
    return [{"text": row["text"], "label": row["label"]} for row in rows]


def ten_intents() -> Rows:
    """The ten intents of `ten_intents.py`."""
    rows = pooled("banking77", "train", "test")
    kept = random.Random(0).sample(sorted({row["label"] for row in rows}), 10)
    return [row for row in rows if row["label"] in kept]


SETS: dict[str, Callable[[], Rows]] = {
    "sst2": lambda: pooled("sst2", "train", "test"),
    "banking10": ten_intents,
    "banking77": lambda: pooled("banking77", "train", "test"),
    "nsmc": lambda: pooled("nsmc", "train", "test"),
    "korean_hate": lambda: pooled("korean_hate", "train", "dev"),
}


def files(name: str, into: Path) -> dict[str, Path]:
    """The three files of a set: rows of one shuffle, none twice."""
    rows = list({row["text"]: row for row in SETS[name]()}.values())
    random.Random(0).shuffle(rows)
    labelled = min(LABELLED, len(rows) - 2 * TEST)
    ends = (0, TEST, TEST + labelled, TEST + labelled + HELD_BACK)
    into.mkdir(parents=True, exist_ok=True)
    paths = {}
    for part, begin, end in zip(("test", "train", "held_back"), ends, ends[1:], strict=False):
        paths[part] = into / f"{part}.jsonl"
        body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows[begin:end])
        write_atomic(paths[part], body)
    return paths


def measure(name: str, question: int, runs: Path, minutes: float) -> Verdict:
    """One run and its pick on the rows held back, from its file where that is there."""
    file = runs / name / f"{question}.json"
    if file.exists():
        return Verdict(**json.loads(file.read_text(encoding="utf-8")))
    paths = files(name, runs / name)
    start = time.perf_counter()
    result = nshot.compare(
        paths["train"], test=paths["test"], text="text", label="label", minutes=minutes,
        shots=SHOTS.get(name, (4, 8, 16)) if question == 2 else None, workers=1,
        out=runs / name / f"{name}-{question}",
    )  # fmt: skip
    seconds = time.perf_counter() - start
    advice = result.board.advice
    if advice is None:
        raise SystemExit(f"{name}: nothing was measured")
    held_back = read(paths["held_back"])
    answers = nshot.load(result.folder, abstain_below=0).predict([r["text"] for r in held_back])
    right = [a.answer == r["label"] for a, r in zip(answers, held_back, strict=True)]
    verdict = Verdict(
        question, advice.pick, advice.verdict, advice.corrected_score, advice.corrected_low,
        advice.corrected_high, sum(right) / len(right), len(right), seconds,
    )  # fmt: skip
    write_atomic(file, json.dumps(asdict(verdict)))
    print(f"{time.strftime('%H:%M:%S')} {name}, question {question}: {verdict}", flush=True)
    return verdict


def table(verdicts: Sequence[tuple[str, Verdict]], minutes: float) -> str:
    """All of it, as Markdown."""
    rows = [line("data", "question", "pick", "verdict", "stated, %", "held back, %", "minutes",
                 "before"), "|---|--:|---|---|--:|--:|--:|---|"]  # fmt: skip
    for name, one in verdicts:
        page = f"[{name}]({name}{'-shots' if one.question == 2 else ''}.md)"
        stated = f"{100 * one.score:.1f} ({100 * one.low:.1f} to {100 * one.high:.1f})"
        rows.append(
            line(page, str(one.question), f"`{one.pick}`", one.verdict.replace("_", " "), stated,
                 f"{100 * one.held_back:.1f} of {one.held_back_rows:,} rows",
                 f"{one.seconds / 60:.1f}", BEFORE.get(name, "–") if one.question == 2 else "–")
        )  # fmt: skip
    about = (
        f"At most {minutes:g} minutes each (question 2: {minutes * 0.6:g}), one thread of "
        f"{machine.device()}, beside other work on its second core."
    )
    return "\n".join([*rows, "", about])


def pages(name: str, runs: Path) -> None:
    """The result pages of both questions."""
    for question, ending in ((1, ""), (2, "-shots")):
        write_page(runs / name / f"{name}-{question}", RESULTS / f"{name}{ending}")


def main() -> None:
    """Measure what is not there yet, print the table; with `--write`, make the pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", default=[], help=f"of {', '.join(SETS)}")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "boards")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--write", action="store_true", help="make the pages and the table")
    options = parser.parse_args()
    names = options.names or list(SETS)
    verdicts = [
        (name, measure(name, question, options.runs.resolve(), options.minutes * share))
        for question, share in ((1, 1.0), (2, 0.6))
        for name in names
    ]
    text = table(verdicts, options.minutes)
    print(text)
    if options.write:
        for name in names:
            pages(name, options.runs.resolve())
        write("boards.py", text, RESULTS / "README.md")


if __name__ == "__main__":
    main()
