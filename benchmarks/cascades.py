"""Cascades on public sets.

    python benchmarks/cascades.py [--sets SET ...] [--dear NAME] [--write]

Two methods learn from the same 400 rows and answer 1,600 others once; their answers are kept in
--out, so a killed run goes on. 500 times 400 of these rows (200 where the dear method takes
minutes, as in the product) are drawn with replacement to choose the threshold on, for a target
accuracy six points under that of the dear part; all 1,600 say whether it is kept, how many rows are
passed on, and what of the dear part's seconds the two take together. --write puts all that is kept
on the page.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nshot.core.files import write_atomic
from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.methods import TABLE
from nshot.methods.compose.cascade import SLOW_ROWS, sure_threshold
from nshot.models import open_models
from nshot.models.base import Floats
from nshot.models.catalog import resolve
from nshot.predictors.cascade import sureness
from nshot.report import charts
from plane import Spot, Trace, log, plane
from table import ROOT, data_folder, line, read, write
from workbench import Workbench

FIT, POOL, VALIDATION, DRAWS = 400, 1600, 400, 500
BELOW = 0.06
SETS = ("sst2", "ag_news", "tweet_emotion", "banking77", "banking10")
CHEAP = {"linear_probe": "tfidf_lr", "lora": "linear_probe", "full": "linear_probe"}
"""Dear part -> the cheap part before it."""
HEAD = ("set", "parts", "cheap, %", "dear, %", "target", "missed, of 500", "right, %", "passed on",
        "ms of cheap, dear", "of the dear's time")  # fmt: skip
DRAWING = ROOT / "docs" / "results" / "cascades.svg"


@dataclass(frozen=True)
class Answers:
    """What a method answered to the pool: which rows are right, how sure it was, and its time."""

    right: Floats
    sure: Floats
    milliseconds: float
    build_seconds: float


def rows(name: str) -> list[Example]:
    """Rows spread over a file, in a fixed random order; ``banking10`` is ten intents of 77."""
    lines = read(data_folder() / name.replace("banking10", "banking77") / "train.jsonl")
    if name == "banking10":
        labels = sorted({row["label"] for row in lines})
        some = set(random.Random(0).sample(labels, 10))
        lines = [row for row in lines if row["label"] in some]
    order = np.random.default_rng(0).permutation(len(lines))[: FIT + POOL]
    return [
        Example(f"{i}", Input((("text", lines[i]["text"]),)), (str(lines[i]["label"]),))
        for i in order.tolist()
    ]


def answers(name: str, method: str, out: Path) -> Answers:
    """What `method` answers on a set, from its file where it is kept."""
    path = out / f"{name}.{method}.json"
    if not path.exists():
        write_atomic(path, json.dumps(measure(name, method)) + "\n")
        print(path.stem, flush=True)
    record = json.loads(path.read_text(encoding="utf-8"))
    return Answers(np.array(record["right"]), np.array(record["sure"]), record["milliseconds"],
                   record["build_seconds"])  # fmt: skip


def measure(name: str, method: str) -> dict[str, object]:
    """Learn from the first rows and answer the others; seconds are of the processor."""
    every = rows(name)
    learned, pool = every[:FIT], every[FIT:]
    task = Task(name, "classify", tuple(map(Label, sorted({row.label for row in learned}))))
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(open_models(), resolve(None, "lm"), Path(folder),
                          encoder=resolve("all-minilm-l6-v2", "encoder"))  # fmt: skip
        start = time.process_time()
        predictor = TABLE.build({"method": method}).adapt(task, Shots(tuple(learned)), bench)
        built = time.process_time()
        made = predictor.predict([row.input for row in pool])
        ended = time.process_time()
    right = [float(one.answer == row.label) for one, row in zip(made, pool, strict=True)]
    return {"right": right, "sure": sureness(made).tolist(), "build_seconds": built - start,
            "milliseconds": 1000 * (ended - built) / len(pool)}  # fmt: skip


def validation_rows(dear: str) -> int:
    """On how many rows the threshold is chosen."""
    return VALIDATION if TABLE.build({"method": dear}).fast else SLOW_ROWS


def cells(name: str, dear_name: str, cheap: Answers, dear: Answers) -> str:
    """One row of the table."""
    target = float(dear.right.mean()) - BELOW
    rng, missed, right, passed = np.random.default_rng(1), 0, [], []
    for _ in range(DRAWS):
        v = rng.integers(len(dear.right), size=validation_rows(dear_name))
        threshold = sure_threshold(cheap.sure[v], cheap.right[v], dear.right[v], target)
        kept = float(np.where(cheap.sure >= threshold, cheap.right, dear.right).mean())
        missed += kept < target
        right.append(kept)
        passed.append(float((cheap.sure < threshold).mean()))
    shares = [cheap.right.mean(), dear.right.mean(), target, np.mean(right), np.mean(passed)]
    one, two, three, four, five = (f"{100 * float(share):.1f}" for share in shares)
    time_of = (cheap.milliseconds + float(np.mean(passed)) * dear.milliseconds) / dear.milliseconds
    return line(name, f"{CHEAP[dear_name]} + {dear_name}", one, two, three, f"{missed}", four,
                f"{five} %", f"{cheap.milliseconds:.1f}, {dear.milliseconds:.1f}",
                f"{100 * time_of:.0f} %")  # fmt: skip


def frontier(cheap: Answers, dear: Answers) -> tuple[Spot, ...]:
    """Milliseconds an answer and score, from all rows passed on to none of them, by tenths."""
    order = np.argsort(cheap.sure)
    spots = []
    for tenth in range(11):
        passed = np.zeros(len(order), bool)
        passed[order[: round(len(order) * tenth / 10)]] = True
        score = float(np.where(passed, dear.right, cheap.right).mean())
        spots.append(Spot(cheap.milliseconds + tenth / 10 * dear.milliseconds, 100 * score))
    return tuple(spots)


def drawing(kept: Sequence[tuple[str, str, Answers, Answers]]) -> str:
    """The frontiers of the cascades with a language model, set by set."""
    traces = [Trace(f"{name}, {dear}", "adapter" if dear == "lora" else "own weights",
                    frontier(cheap, of), 10)
              for name, dear, cheap, of in kept if dear != "linear_probe"]  # fmt: skip
    spots = [spot for trace in traces for spot in trace.spots]
    return plane(
        traces,
        "Score and time of cascades: of the rows none to all are passed on, by tenths",
        ("milliseconds an answer", log([spot.x for spot in spots]), "{:g}".format),
        ("right, %", charts.axis([spot.y for spot in spots]), "{:.0f}".format),
        legend=False,
    )


def main() -> None:
    """Measure what is asked for; print the table of it, or put all that is kept on the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="*", choices=SETS, default=SETS[:4])
    parser.add_argument("--dear", choices=tuple(CHEAP), default="linear_probe")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "cascades")
    parser.add_argument("--write", action="store_true")
    typed = parser.parse_args()
    typed.out.mkdir(parents=True, exist_ok=True)
    for name in typed.sets:
        for method in (CHEAP[typed.dear], typed.dear):
            answers(name, method, typed.out)
    whole = [
        (name, dear, answers(name, cheap, typed.out), answers(name, dear, typed.out))
        for dear, cheap in CHEAP.items()
        for name in SETS
        if all((typed.out / f"{name}.{part}.json").exists() for part in (cheap, dear))
    ]
    text = "\n".join([line(*HEAD), line("---", "---", *["--:"] * (len(HEAD) - 2)),
                      *(cells(*one) for one in whole)])  # fmt: skip
    if typed.write:
        write("cascades.py", text)
        if any(dear != "linear_probe" for _, dear, *_ in whole):
            write_atomic(DRAWING, drawing(whole))
    print(text)


if __name__ == "__main__":
    main()
