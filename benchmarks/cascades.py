"""Cascades on public sets: ``python benchmarks/cascades.py SET ... [--write]``.

A cheap part (`tfidf_lr`) and a dear one (`linear_probe` on all-minilm-l6-v2) learn from 400 rows,
and answer 1,600 others once. 500 times 400 of these are drawn with replacement to choose the
threshold on, for a target accuracy six points under that of the dear part; all 1,600 say whether it
is kept, and how many rows are passed on.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.methods import TABLE
from nshot.methods.compose.cascade import sure_threshold
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.predictors.cascade import sureness
from table import data_folder, line, read, write
from workbench import Workbench

FIT, POOL, VALIDATION, DRAWS = 400, 1600, 400, 500
BELOW = 0.06
HEAD = ("set", "cheap", "dear", "target", "missed, of 500", "right", "passed on")


def rows(name: str) -> list[Example]:
    """Rows spread over a file, in a fixed random order."""
    lines = read(data_folder() / name / "train.jsonl")
    order = np.random.default_rng(0).permutation(len(lines))[: FIT + POOL]
    return [
        Example(f"{i}", Input((("text", lines[i]["text"]),)), (str(lines[i]["label"]),))
        for i in order.tolist()
    ]


def cells(name: str, folder: Path) -> str:
    """One row of the table."""
    every = rows(name)
    learned, pool = every[:FIT], every[FIT:]
    labels = tuple(map(Label, sorted({row.label for row in learned})))
    task, models = Task(name, "classify", labels), open_models()
    bench = Workbench(models, None, folder, encoder=resolve("all-minilm-l6-v2", "encoder"))
    answers = [
        TABLE.build({"method": method})
        .adapt(task, Shots(tuple(learned)), bench)
        .predict([row.input for row in pool])
        for method in ("tfidf_lr", "linear_probe")
    ]
    truth = [row.label for row in pool]
    cheap, dear = (
        np.array([a.answer == t for a, t in zip(some, truth, strict=True)]) for some in answers
    )
    sure, target = sureness(answers[0]), float(dear.mean()) - BELOW
    rng, missed, right, passed = np.random.default_rng(1), 0, [], []
    for _ in range(DRAWS):
        v = rng.integers(len(pool), size=VALIDATION)
        threshold = sure_threshold(sure[v], cheap[v], dear[v], target)
        kept = float(np.where(sure >= threshold, cheap, dear).mean())
        missed += kept < target
        right.append(kept)
        passed.append(float((sure < threshold).mean()))
    shares = [cheap.mean(), dear.mean(), target, np.mean(right), np.mean(passed)]
    one, two, three, four, five = (f"{100 * float(share):.1f}" for share in shares)
    return line(name, one, two, three, f"{missed}", four, f"{five} %")


def main() -> None:
    """Print the table, or put it on the page of benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "sets", nargs="*", default=["sst2", "ag_news", "tweet_emotion", "banking77"]
    )
    parser.add_argument("--write", action="store_true")
    typed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = [cells(name, Path(folder)) for name in typed.sets]
    text = "\n".join([line(*HEAD), line("---", *["--:"] * (len(HEAD) - 1)), *made])
    if typed.write:
        write("cascades.py", text)
    print(text)


if __name__ == "__main__":
    main()
