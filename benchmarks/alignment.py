"""What a reward model learns from a few hundred pairs, beside what needs no learning.

    python benchmarks/alignment.py longest shortest likelihood zero_shot reward dpo
    python benchmarks/alignment.py page        # the table of docs/alignment.md

Pairs of hh-rlhf (harmless) of at most 192 tokens a prompt with its answer: 300 to learn from, and
those of the test file to answer. Each method is a cell: one JSON file once it is whole. Two
minutes of an idle core for `likelihood`, ten and more for `reward` and for `dpo`.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nshot.board.score import interval
from nshot.core.files import write_atomic
from nshot.core.types import Example, ModelRef, Prediction, Shots, Task, group_of
from nshot.data.loading import load
from nshot.methods import TABLE
from nshot.metrics import metric_of
from nshot.metrics.lengths import length_bias
from nshot.models import open_models
from nshot.models.base import LanguageModel, with_answer
from nshot.models.catalog import resolve
from nshot.predictors.measure import answer
from nshot.prompts.render import render
from table import ROOT, data_folder, line, write
from workbench import Workbench

RUNS = ROOT / "runs" / "alignment"
PAGE = ROOT / "docs" / "alignment.md"
TOKENS, LEARNED, ANSWERED = 192, 300, 150
METHODS: dict[str, dict[str, Any]] = {
    "longest": {},
    "shortest": {},
    "likelihood": {"format": "chat"},
    "zero_shot": {"format": "chat"},
    "reward": {"max_tokens": TOKENS, "epochs": 1},
    "dpo": {"max_tokens": TOKENS},
}


def short(model: LanguageModel, task: Task, rows: Sequence[Example]) -> list[Example]:
    """The rows whose prompt with its longer answer has at most `TOKENS` tokens."""
    longest = [max(row.input.answers, key=len) for row in rows]
    prompts = [render(task, "chat", row.input) for row in rows]
    whole = [with_answer(p, a) for p, a in zip(prompts, longest, strict=True)]
    counts = model.count(whole)
    return [row for row, count in zip(rows, counts, strict=True) if count <= TOKENS]


def data(model: LanguageModel, learned: int, answered: int) -> tuple[Task, Shots, list[Example]]:
    """The task, seeded rows to learn from, and seeded rows to answer."""
    folder = data_folder() / "hh_rlhf_harmless"
    loaded = load(folder / "train.jsonl", test=folder / "test.jsonl")
    parts = []
    for rows, count in ((loaded.train, learned), (loaded.test or (), answered)):
        fitting = short(model, loaded.task, rows)
        random.Random("alignment").shuffle(fitting)
        parts.append(fitting[:count])
    return loaded.task, Shots(tuple(parts[0])), parts[1]


def figures(task: Task, rows: Sequence[Example], scores: Sequence[Sequence[float]],
            answers: Sequence[str]) -> dict[str, Any]:  # fmt: skip
    """Accuracy with its interval, rows of one prompt counting as one, and the part of length."""
    metric = metric_of(task)
    predictions = [Prediction(a, tuple(s)) for a, s in zip(answers, scores, strict=True)]
    hits = np.array([metric.statistics(r, p)[0] for r, p in zip(rows, predictions, strict=True)])
    groups = [group_of(row) for row in rows]
    units = [np.array([g == name for g in groups]) for name in dict.fromkeys(groups)]
    off = np.array([float((hits[unit] - hits.mean()).sum()) for unit in units])
    count = len(units)
    variance = float((off**2).sum()) / len(hits) ** 2 * count / (count - 1)
    low, high = interval(float(hits.mean()), variance, len(hits), count - 1)
    bias = length_bias(rows, predictions)
    sure = np.array([1 / (1 + np.exp(-abs(p.scores[0] - p.scores[1]))) for p in predictions])
    return {
        "accuracy": float(hits.mean()), "low": low, "high": high, "rows": len(hits),
        "sure": float(sure.mean()), "correlation": bias.correlation, "longer": bias.chosen,
        "longer_preferred": bias.preferred,
    }  # fmt: skip


def cell(name: str, base: ModelRef, learned: int, answered: int, folder: Path) -> None:
    """One method: adapted, saved, asked; kept as JSON."""
    path = folder / f"{name}.json"
    if path.exists():
        return
    models = open_models()
    task, shots, test = data(models.open(base), learned, answered)
    bench = Workbench(models, base, folder / name)
    method = TABLE.build({"method": name, **METHODS[name]})
    start = time.perf_counter()
    predictor = method.adapt(task, shots, bench)
    built = time.perf_counter() - start
    predictor.save(folder / name / "saved")
    replies = answer(predictor, task, test).predictions
    scores = [list(reply.scores) for reply in replies]
    body = figures(task, test, scores, [reply.answer for reply in replies])
    body |= {
        "learned": len(shots.labelled), "notes": bench.notes, "scores": scores,
        "seconds": round(built, 1), "losses": bench.curve.get("train", []),
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(body, indent=1))


def page(folder: Path) -> str:
    """The table."""
    out = [
        line("method", "accuracy (95 %)", "takes the longer answer", "reward and length", "pairs"),
        line("---", "--:", "--:", "--:", "--:"),
    ]
    for name in METHODS:
        path = folder / f"{name}.json"
        if path.exists():
            one = json.loads(path.read_text())
            percent = [f"{100 * one[key]:.0f}" for key in ("accuracy", "low", "high", "longer")]
            out.append(
                line(
                    f"[{name}](methods/{name}.md)", f"{percent[0]} % ({percent[1]}-{percent[2]})",
                    f"{percent[3]} %", f"{one['correlation']:+.2f}",
                    str(one["learned"] if TABLE[name].trains != "nothing" else 0),
                )
            )  # fmt: skip
    return "\n".join(out)


def main() -> None:
    """Make the cells that are named, then the page where it is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="+", choices=[*METHODS, "page"])
    parser.add_argument("--model")
    parser.add_argument("--learned", type=int, default=LEARNED)
    parser.add_argument("--answered", type=int, default=ANSWERED)
    parser.add_argument("--out", type=Path, default=RUNS)
    given = parser.parse_args()
    base = resolve(given.model, "lm")
    assert base is not None
    for name in given.what:
        if name == "page":
            write("alignment.py", page(given.out), PAGE)
        else:
            cell(name, base, given.learned, given.answered, given.out)


if __name__ == "__main__":
    main()
