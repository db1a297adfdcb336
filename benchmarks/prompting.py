"""What a prompt's parts are worth: format, calibration, demonstrations, their choice and order.

``python benchmarks/prompting.py run [BOARD ...]`` measures what is missing, one file a cell in
runs/prompting; ``python benchmarks/prompting.py page`` writes the table and the drawings of
docs/results/prompts.md from the cells that are whole.

A cell is one prompt on one draw of 16 labelled rows a class, or of 32 rows where answers are
written; the same test rows answer all cells of a board. Intervals and pairs are those of
`benchmarks/pattern_tuning.py`: draws and test rows both drawn anew.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nshot.core.files import write_atomic
from nshot.core.types import Example, Input, Shots, Task
from nshot.data import draw
from nshot.methods import TABLE
from nshot.metrics import metric_of
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.report import charts
from pattern_tuning import SHOTS, Board, Cell, interval, load, percent, points
from table import ROOT, data_folder, line, read, write
from workbench import Shelf, Workbench

FOLDER = ROOT / "runs" / "prompting"
PAGE = ROOT / "docs" / "results" / "prompts.md"
SEEDS = (13, 21, 42)
TEST_ROWS, WRITTEN_ROWS, WRITTEN_SHOTS = 100, 40, 32
LABELLED, WRITTEN = ("sst2", "banking10", "nsmc"), ("e2e",)
OWN = {"format": "instruction", "calibration": "batch"}
AGAINST = "zero-shot"
"""What every prompt is compared with, in pairs."""
ZERO: Mapping[str, Mapping[str, Any]] = {
    "zero-shot": {"method": "zero_shot", **OWN},
    "zero-shot, plain": {"method": "zero_shot", **OWN, "format": "plain"},
    "zero-shot, chat": {"method": "zero_shot", **OWN, "format": "chat"},
    "zero-shot, content-free": {"method": "zero_shot", **OWN, "calibration": "content_free"},
    "zero-shot, uncalibrated": {"method": "zero_shot", **OWN, "calibration": "none"},
}
"""They show no row, so that one draw is as good as three."""
SIZES = (1, 2, 4, 8, 16, 32)
SHOWN: Mapping[str, Mapping[str, Any]] = {
    **{f"{n} shots": {"method": "few_shot", "n": n, **OWN} for n in SIZES},
    "8 shots, random": {"method": "few_shot", "n": 8, "choice": "random", **OWN},
    "8 shots, diverse": {"method": "few_shot", "n": 8, "choice": "diverse", **OWN},
    "8 shots, hard": {"method": "few_shot", "n": 8, "choice": "hard", **OWN},
    "8 shots, grouped": {"method": "few_shot", "n": 8, "order": "grouped", **OWN},
    "8 shots, entropy": {"method": "few_shot", "n": 8, "order": "entropy", **OWN},
    "8 shots, likest": {"method": "retrieved_shots", "k": 8, **OWN},
}
OF_TEXTS = ("zero-shot", "zero-shot, plain", "zero-shot, chat", "1 shots", "4 shots", "8 shots",
            "8 shots, likest")  # fmt: skip
"""Of these those that answers in words can have; each is one draw."""


def cells(boards: Sequence[str]) -> Iterator[Cell]:
    """What is to be measured, the first draw of everything first."""
    for seed in SEEDS:
        for name in boards if seed == SEEDS[0] else [one for one in boards if one in LABELLED]:
            for variant in OF_TEXTS if name in WRITTEN else (*ZERO, *SHOWN):
                if seed == SEEDS[0] or variant in SHOWN:
                    yield Cell(name, variant, seed)


def opened(name: str, data: Path) -> Board:
    """A board: labels as in `pattern_tuning`, or restaurants described from their data."""
    if name in LABELLED:
        board = load(name, data)
        return Board(board.task, board.train, board.test[:TEST_ROWS])
    request = "Describe the restaurant in one or two sentences. Say everything that the data says."
    task = Task(name, "generate", instruction=request, metric="slots",
                field_names=(("input", "Data"),), answer_name="Description")  # fmt: skip
    folder = data / "e2e_nlg"
    train, test = (
        tuple(
            Example(f"{part}{i}", Input((("input", row["input"]),)), _references(row))
            for i, row in enumerate(read(folder / f"{part}.jsonl"))
        )
        for part in ("train", "test")
    )
    order = np.random.default_rng(0).permutation(len(test))[:WRITTEN_ROWS].tolist()
    return Board(task, train, tuple(test[i] for i in order))


def _references(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What people wrote: several texts of a test row, one of a train row."""
    return tuple(row["references"] if "references" in row else [row["output"]])


def drawn(board: Board, seed: int) -> Shots:
    """The labelled rows of a draw."""
    if board.task.has_labels:
        return Shots(draw(board.train, SHOTS, seed, board.task.label_names).labelled)
    order = np.random.default_rng(seed).permutation(len(board.train))[:WRITTEN_SHOTS].tolist()
    return Shots(tuple(board.train[i] for i in order))


def run(boards: Sequence[str]) -> None:
    """Measure the cells that are not there."""
    data, models = data_folder(), open_models()
    FOLDER.mkdir(parents=True, exist_ok=True)
    opens = {name: opened(name, data) for name in boards}
    for cell in cells(boards):
        path = FOLDER / cell.file
        if not path.exists():
            record = measure(cell, opens[cell.board], models)
            write_atomic(path, json.dumps(record, ensure_ascii=False) + "\n")
            print(path.stem, record["score"], flush=True)


def measure(cell: Cell, board: Board, models: Any) -> dict[str, Any]:
    """Points by test row, and what the prompt took."""
    spec, metric = {**ZERO, **SHOWN}[cell.variant], metric_of(board.task)
    if not board.task.has_labels:
        spec = {**spec, "calibration": "none"}
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(models, resolve(None, "lm"), Path(folder), cell.seed,
                          resolve("all-minilm-l6-v2", "encoder"), shelf=Shelf())  # fmt: skip
        predictor = TABLE.build(spec).adapt(board.task, drawn(board, cell.seed), bench)
        start = time.process_time()
        answers = predictor.predict([row.input for row in board.test])
        seconds = time.process_time() - start
    marks = [metric.statistics(row, one) for row, one in zip(board.test, answers, strict=True)]
    shares = [mark[0] / mark[1] if len(mark) > 1 else mark[0] for mark in marks]
    return {
        "board": cell.board, "variant": cell.variant, "seed": cell.seed, "spec": spec,
        "score": float(np.mean(shares)), "points": shares,
        "milliseconds": 1000 * seconds / len(board.test),
        "tokens": float(np.mean([one.tokens_in for one in answers])),
    }  # fmt: skip


# ------------------------------------------------------------------ the page

Whole = Mapping[tuple[str, str], Mapping[int, Mapping[str, Any]]]
"""(board, variant) -> seed -> record."""


def whole() -> Whole:
    """The cells that are there."""
    made: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for path in sorted(FOLDER.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        made.setdefault((record["board"], record["variant"]), {})[record["seed"]] = record
    return made


def table(made: Whole) -> str:
    """All boards, and how many cells are not there."""
    heads = ["data", "prompt", "draws", "right, %", "less zero-shot", "tokens", "ms an answer"]
    rows = [_row(board, variant, made) for board in (*LABELLED, *WRITTEN)
            for variant in (*ZERO, *SHOWN) if (board, variant) in made]  # fmt: skip
    every = list(cells([*LABELLED, *WRITTEN]))
    there = sum(cell.seed in made.get((cell.board, cell.variant), {}) for cell in every)
    count = f"{there} cells of {len(every)} are measured."
    return "\n".join([line(*heads), "|---|---" + "|--:" * 5 + "|", *rows, "", count])


def _row(board: str, variant: str, made: Whole) -> str:
    records = made[board, variant]
    mine = np.array([record["points"] for record in records.values()])
    base = made.get((board, AGAINST), {})
    gap = "–"
    if base and variant != AGAINST:
        (other,) = (record["points"] for record in base.values())
        gap = points(interval(mine - np.array(other)))
    means = [np.mean([one[key] for one in records.values()]) for key in ("tokens", "milliseconds")]
    costs = [f"{mean:.0f}" for mean in means]
    return line(board, variant, str(len(records)), percent(interval(mine)), gap, *costs)


def curve(board: str, made: Whole) -> charts.Series | None:
    """Score over the number of demonstrations, with its interval over draws and rows."""
    spots = []
    for n, variant in ((0, AGAINST), *((n, f"{n} shots") for n in SIZES)):
        if records := made.get((board, variant)):
            grid = np.array([record["points"] for record in records.values()])
            spots.append((n, *interval(grid)))
    return charts.Series(board, "pick", tuple(spots)) if len(spots) > 2 else None


def drawings(made: Whole) -> None:
    """Of each board its prompts, and the curves over the number of demonstrations."""
    lines = [one for board in (*LABELLED, *WRITTEN) if (one := curve(board, made))]
    if lines:
        _draw("curves", charts.curves(lines, "Score over the number of demonstrations", 2))
    for board in (*LABELLED, *WRITTEN):
        marks = []
        for variant in (*ZERO, *SHOWN):
            if records := made.get((board, variant)):
                score, low, high = interval(np.array([r["points"] for r in records.values()]))
                role: charts.Role = "pick" if variant == AGAINST else "could"
                seeds = tuple(r["score"] for r in records.values()) if len(records) > 1 else ()
                marks.append(charts.Mark(variant, role, score, low, high, seeds=seeds))
        if marks:
            _draw(board, charts.board(marks, f"{board}: prompts"))


def _draw(name: str, svg: Any) -> None:
    write_atomic(PAGE.parent / f"prompts-{name}.svg", charts.standalone(svg))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["run", *boards]:
            run(boards or [*LABELLED, *WRITTEN])
        case ["page"]:
            write("prompting.py", table(whole()), PAGE)
            drawings(whole())
        case _:
            raise SystemExit(__doc__)
