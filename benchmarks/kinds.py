"""The boards of the kinds that are no plain labels, on public sets.

    python benchmarks/kinds.py [NAME ...] [--runs runs/kinds] [--minutes 15] [--write]

Each set gives 300 labelled rows, 150 test rows and 500 rows that no run sees (spans: 240, 60 and
240). A few rungs each, all of them measured on all test rows. A run that was killed goes on.
`--write` makes the result pages and the table beside them.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import nshot
from e2e_spans import spans
from nshot.board.schema import Board
from nshot.core import machine
from nshot.core.files import write_atomic
from nshot.data.loading import load
from nshot.metrics import metric_of, score
from result_page import write as write_page
from table import ROOT, data_folder, line, read, write

RESULTS = ROOT / "docs" / "results"
Rows = list[dict[str, Any]]


def comments(name: str, answer: Callable[[dict[str, Any]], object]) -> Callable[[], Rows]:
    """Korean news comments with an answer made of their labels."""

    def rows() -> Rows:
        folder = data_folder() / "korean_hate"
        every = [row for part in ("train", "dev") for row in read(folder / f"{part}.jsonl")]
        return [{"text": row["text"], name: answer(row)} for row in every]

    return rows


def labels_of(row: dict[str, Any]) -> list[str]:
    """Both columns as one set: hate or offensive, gender or others, or nothing."""
    return [row[column] for column in ("label", "bias") if row[column] != "none"]


def descriptions() -> Rows:
    """E2E's descriptions with the slots that they say in their words; see `e2e_spans`."""
    rows = read(data_folder() / "e2e_nlg" / "train.jsonl")
    return [{"text": r["output"], "spans": spans(r["input"], r["output"])} for r in rows]


@dataclass(frozen=True)
class Case:
    """A set, what is typed after ``nshot compare``, and how many rows it gives."""

    rows: Callable[[], Rows]
    flags: tuple[str, ...]
    labels: tuple[str, ...] = ()
    sizes: tuple[int, int, int] = (300, 150, 500)


TRAINED = ("--set", "lora_head.max_steps=75", "--set", "lora_head.learning_rate=0.001")
"""One pass over 300 rows, at the default rate."""
CASES: dict[str, Case] = {
    "korean_hate_sets": Case(
        comments("labels", labels_of),
        ("--kind", "multilabel", "--also", "macro_f1,subset_accuracy", "--methods",
         "majority,tfidf_lr,knn,linear_probe,zero_shot,lora_head", *TRAINED),
    ),
    "korean_hate_levels": Case(
        comments("level", lambda row: row["label"]),
        ("--also", "accuracy,closeness,spearman", "--methods",
         "majority,tfidf_lr,linear_probe,ordinal,zero_shot,lora_head", *TRAINED),
        labels=("none", "offensive", "hate"),
    ),
    "korean_hate_gender": Case(
        comments("gender_bias", lambda row: "yes" if row["gender_bias"] else "no"),
        ("--positive", "yes", "--metric", "f1", "--also", "precision,recall", "--methods",
         "majority,tfidf_lr,linear_probe,zero_shot,lora_head", *TRAINED),
    ),
    "e2e_spans": Case(
        descriptions,
        ("--kind", "spans", "--also", "overlap_f1", "--methods",
         "dictionary,token_head,few_shot,lora", "--set", "few_shot.n=8", "--set",
         "few_shot.format=plain", "--set", "lora.max_steps=60", "--set",
         "lora.learning_rate=0.001"),
        sizes=(240, 60, 240),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What one run says, and what its pick scores on the rows held back."""

    metric: str
    pick: str
    verdict: str
    score: float
    low: float
    high: float
    held_back: float
    held_back_rows: int


def files(case: Case, into: Path) -> list[str]:
    """The files of a case, as ``nshot compare`` is told of them: rows of one shuffle, none twice.

    Held back are the rows behind the test rows.
    """
    rows = list({row["text"]: row for row in case.rows()}.values())
    random.Random(0).shuffle(rows)
    into.mkdir(parents=True, exist_ok=True)
    start = 0
    for part, size in zip(("train", "test", "held_back"), case.sizes, strict=True):
        chosen = rows[start : start + size]
        body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in chosen)
        write_atomic(into / f"{part}.jsonl", body)
        start += size
    if not case.labels:
        return ["train.jsonl", "--test", "test.jsonl"]
    task = f"kind: score\ndata: {{train: train.jsonl, test: test.jsonl}}\nlabels: {[*case.labels]}"
    write_atomic(into / "task.yaml", task.replace("'", "") + "\n")
    return ["task.yaml"]


def measure(name: str, runs: Path, minutes: float) -> Verdict:
    """One run and its pick on the rows held back, from its file where that is there."""
    folder, case = runs / name, CASES[name]
    file = folder / "verdict.json"
    if file.exists():
        return Verdict(**json.loads(file.read_text(encoding="utf-8")))
    words = ["compare", *files(case, folder), *case.flags, "--thorough", "--workers", "1",
             "--minutes", f"{minutes:g}", "--out", name]  # fmt: skip
    subprocess.run([sys.executable, "-m", "nshot.cli", *words], cwd=folder, check=True)
    run = folder / name
    board = Board.read(run)
    if board.advice is None:
        raise SystemExit(f"{name}: nothing was measured")
    ready = nshot.load(run, abstain_below=0)
    kind = "classify" if ready.task.has_labels else ready.task.kind  # no order need be told
    held_back = load(folder / "held_back.jsonl", kind=kind)
    answers = ready.predict([row.input for row in held_back.train])
    metric = metric_of(ready.task)
    pairs = zip(held_back.train, answers, strict=True)
    statistics = np.array([metric.statistics(row, answer) for row, answer in pairs])
    advice = board.advice
    verdict = Verdict(
        board.task.metric, advice.pick, advice.verdict, advice.corrected_score,
        advice.corrected_low, advice.corrected_high, score(metric, statistics), len(answers),
    )  # fmt: skip
    write_atomic(file, json.dumps(asdict(verdict)))
    return verdict


def table(verdicts: dict[str, Verdict]) -> str:
    """All of it, as Markdown."""
    heads = ("data", "metric", "pick", "verdict", "stated, %", "held back, %")
    rows = [line(*heads), "|---|---|---|---|--:|--:|"]
    for name, one in verdicts.items():
        stated = f"{100 * one.score:.1f} ({100 * one.low:.1f} to {100 * one.high:.1f})"
        held_back = f"{100 * one.held_back:.1f} of {one.held_back_rows:,} rows"
        rows.append(
            line(f"[{name}]({name}.md)", f"`{one.metric}`", f"`{one.pick}`",
                 one.verdict.replace("_", " "), stated, held_back)
        )  # fmt: skip
    return "\n".join([*rows, "", f"One thread of {machine.device()}, beside other work."])


def main() -> None:
    """Measure what is not there yet, print the table; with `--write`, make the pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", default=[], help=f"of {', '.join(CASES)}")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "kinds")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--write", action="store_true", help="make the pages and the table")
    options = parser.parse_args()
    runs = options.runs.resolve()
    verdicts = {name: measure(name, runs, options.minutes) for name in options.names or [*CASES]}
    text = table(verdicts)
    print(text)
    if options.write:
        for name in verdicts:
            write_page(runs / name / name, RESULTS / name)
        write("kinds.py", text, RESULTS / "README.md")


if __name__ == "__main__":
    main()
