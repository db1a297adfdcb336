"""How fast tuning to learn in context should learn: on tasks left out of its training, in turn.

``python benchmarks/in_context_rates.py run`` measures what is missing, one file a cell in
runs/in-context-rates; ``python benchmarks/in_context_rates.py page`` writes the table of
docs/results/prompts.md.

Each of two tasks is left out in turn, and the others, all English, are learned from. None is a
board on which benchmarks/pattern_tuning.py measures tuning to learn in context: what is chosen here
has seen none of their rows. Half of the method's usual episodes, so that it ends.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from nshot.core.files import write_atomic
from nshot.core.types import Example, Label, Task
from nshot.data import split
from nshot.models import open_models
from nshot.models.catalog import resolve
from pattern_tuning import (
    PAGE,
    Board,
    adapt_and_answer,
    interval,
    percent,
    points,
    rows,
    some_rows,
)
from table import ROOT, data_folder, line, write

FOLDER = ROOT / "runs" / "in-context-rates"
SEED, TEST_ROWS, N, EPISODES = 13, 100, 4, 120
HELD = {"sms_spam": "Label", "ag_news": "Topic"}
"""Task that is left out -> what a prompt calls its answer."""
SOURCES = ("ag_news", "banking77", "sms_spam")
RATES = (1e-3, 3e-4, 1e-4)


def load(name: str) -> Board:
    """A task that is left out."""
    train, test = (
        rows(data_folder() / name / f"{part}.jsonl", "Text") for part in ("train", "test")
    )
    labels = tuple(map(Label, sorted({row.label for row in test})))
    task = Task(name, "classify", labels, answer_name=HELD[name])
    cut = split(task, train, test, test_limit=TEST_ROWS)
    return Board(task, cut.train, cut.test)


def background(held: str) -> tuple[Example, ...]:
    """Some rows of the other tasks, each a group."""
    return some_rows([name for name in SOURCES if name != held], data_folder())


def specs() -> dict[str, Mapping[str, Any]]:
    """Name of a cell -> method."""
    tuned = {
        f"{rate:g}": {"method": "in_context_tuning", "n": N, "episodes": EPISODES,
                      "learning_rate": rate}
        for rate in RATES
    }  # fmt: skip
    return {"few_shot": {"method": "few_shot", "n": N}, **tuned}


def run() -> None:
    """Measure the cells that are not there."""
    models, base = open_models(), resolve(None, "lm")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for held in HELD:
        board, others = load(held), background(held)
        for name, spec in specs().items():
            path = FOLDER / f"{held}.{name}.json"
            if not path.exists():
                shots = board.drawn(SEED, others)
                record = adapt_and_answer(spec, shots, SEED, board, models, base)
                write_atomic(path, json.dumps(record, ensure_ascii=False) + "\n")
                print(path.stem, record.get("score", record.get("failed")), flush=True)


def page() -> str:
    """The table of what is there."""
    lines = [
        line("left out", "rate", "score, %", "less `few_shot`", "build s"),
        "|---|---|--:|--:|--:|",
    ]
    for held in HELD:
        known = {name: record for name in specs() if "points" in (record := _kept(held, name))}
        for name, record in known.items():
            other = known.get("few_shot") if name != "few_shot" else None
            gap = points(interval(_paired(record, other))) if other else "–"
            score = percent(interval(np.array([record["points"]])))
            shown = "`few_shot`" if name == "few_shot" else name
            lines.append(line(held, shown, score, gap, f"{record['build_seconds']:.0f}"))
    return "\n".join(lines)


def _kept(held: str, name: str) -> dict[str, Any]:
    path = FOLDER / f"{held}.{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _paired(record: Mapping[str, Any], other: Mapping[str, Any]) -> Any:
    return np.subtract([record["points"]], [other["points"]])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["run"]:
            run()
        case ["page"]:
            write("in_context_rates.py", page(), PAGE)
        case _:
            raise SystemExit(__doc__)
