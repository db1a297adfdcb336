"""Patterns that are trained beside lora and full, and tuning to learn from a context.

``python benchmarks/pattern_tuning.py run [BOARD ...]`` measures what is missing, one file a cell in
runs/pattern-tuning; ``python benchmarks/pattern_tuning.py page`` writes the table of
docs/results/prompts.md from the cells that are whole.

A cell is one method on one draw of 16 labelled rows a class (seeds 13, 21, 42, 87, 100, as in Gao
et al. 2021), answering 200 test rows that are the same in every cell of a board. Intervals of 95 %
are of 2,000 resamples of draws and test rows, both drawn anew, and differences are paired in both.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import NshotError
from nshot.core.files import write_atomic
from nshot.core.types import Example, Input, Label, Shots, Task
from nshot.data import draw, split
from nshot.data.loading import content_ids
from nshot.methods import TABLE
from nshot.models import open_models
from nshot.models.catalog import resolve
from table import ROOT, data_folder, line, read, write
from workbench import Shelf, Workbench

FOLDER = ROOT / "runs" / "pattern-tuning"
PAGE = ROOT / "docs" / "results" / "prompts.md"
SEEDS = (13, 21, 42, 87, 100)
SHOTS, TEST_ROWS, RESAMPLES = 16, 200, 2000
BOARDS: Mapping[str, tuple[str, str, str]] = {
    "sst2": ("sst2", "Review", "Sentiment"),
    "tweet_emotion": ("tweet_emotion", "Tweet", "Emotion"),
    "nsmc": ("nsmc", "Review", "Sentiment"),
    "banking10": ("banking77", "Query", "Intent"),
}
"""Board -> data set, what a prompt calls the text and the answer."""
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "lora": {"method": "lora"},
    "full": {"method": "full"},
    "patterns": {"method": "pattern_tuning"},
    "patterns, shown": {"method": "pattern_tuning", "demonstrations": 1},
    "patterns, full": {"method": "pattern_tuning", "weights": "full"},
}
"""Row of the table -> method."""


@dataclass(frozen=True)
class Board:
    """A task, its train rows and the test rows that every cell answers."""

    task: Task
    train: tuple[Example, ...]
    test: tuple[Example, ...]

    def drawn(self, seed: int) -> Shots:
        """The shots of a draw."""
        return Shots(draw(self.train, SHOTS, seed, self.task.label_names).labelled)


@dataclass(frozen=True)
class Cell:
    """One method on one draw of one board."""

    board: str
    variant: str
    seed: int

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return FOLDER / f"{self.board}.{self.variant.replace(', ', '-')}.{self.seed}.json"


def load(name: str, data: Path) -> Board:
    """A board; of BANKING77 ten intents, the same as in the other benchmarks."""
    folder, field, answer = BOARDS[name]
    train, test = (rows(data / folder / f"{part}.jsonl", field) for part in ("train", "test"))
    labels = sorted({row.label for row in test})
    if name == "banking10":
        labels = sorted(random.Random(0).sample(labels, 10))
        train, test = ([row for row in part if row.label in labels] for part in (train, test))
    task = Task(name, "classify", tuple(map(Label, labels)), field_names=((field, field),),
                answer_name=answer)  # fmt: skip
    cut = split(task, train, test, test_limit=TEST_ROWS)
    return Board(task, cut.train, cut.test)


def rows(path: Path, field: str) -> list[Example]:
    """The rows of a file of texts and labels."""
    made = [Example("", Input(((field, row["text"]),)), (row["label"],)) for row in read(path)]
    return [
        Example(name, row.input, row.targets)
        for name, row in zip(content_ids(made), made, strict=True)
    ]


def cells(boards: Sequence[str]) -> Iterator[Cell]:
    """What is to be measured: board after board, seed after seed, each with all methods."""
    for board in boards:
        for seed in SEEDS:
            for variant in VARIANTS:
                yield Cell(board, variant, seed)


def run(boards: Sequence[str]) -> None:
    """Measure the cells that are not there."""
    data, models, base = data_folder(), open_models(), resolve(None, "lm")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in boards:
        board = load(name, data)
        for cell in cells([name]):
            if not cell.path.exists():
                record = measure(cell, board, models, base)
                write_atomic(cell.path, json.dumps(record, ensure_ascii=False) + "\n")
                print(cell.path.stem, record.get("score", record.get("failed")), flush=True)


def measure(cell: Cell, board: Board, models: Any, base: Any) -> dict[str, Any]:
    """Adapt and answer: points by test row, and what it took; or the reason of a failure."""
    spec = VARIANTS[cell.variant]
    record: dict[str, Any] = {"board": cell.board, "variant": cell.variant, "seed": cell.seed,
                              "spec": spec, "model": Path(base.name).name}  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(models, base, Path(folder), cell.seed, shelf=Shelf())
        start = time.process_time()
        try:
            predictor = TABLE.build(spec).adapt(board.task, board.drawn(cell.seed), bench)
        except NshotError as error:
            return record | {"failed": str(error)}
        built = time.process_time()
        answers = predictor.predict([row.input for row in board.test])
        answered = time.process_time()
    points = [float(one.answer == row.label) for one, row in zip(answers, board.test, strict=True)]
    return record | {
        "score": float(np.mean(points)),
        "points": points,
        "build_seconds": built - start,
        "use_seconds": answered - built,
        "tokens": float(np.mean([one.tokens_in for one in answers])),
        "notes": bench.notes,
    }


# ------------------------------------------------------------------ the page


def whole() -> dict[tuple[str, str], dict[int, dict[str, Any]]]:
    """(board, variant) -> seed -> record, of the cells that are there and did not fail."""
    made: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for path in sorted(FOLDER.glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if "points" in record:
            place = made.setdefault((record["board"], record["variant"]), {})
            place[record["seed"]] = record
    return made


def interval(points: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean of (draws, rows), and the middle 95 % of means of draws and rows drawn anew."""
    rng = np.random.default_rng(0)
    means = []
    for _ in range(RESAMPLES):
        draws = rng.integers(len(points), size=len(points))
        some = rng.integers(points.shape[1], size=points.shape[1])
        means.append(points[np.ix_(draws, some)].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    return float(points.mean()), float(low), float(high)


def percent(values: tuple[float, float, float]) -> str:
    """A score with its interval."""
    mean, low, high = (f"{100 * value:.1f}" for value in values)
    return f"{mean} ({low} to {high})"


def points(values: tuple[float, float, float]) -> str:
    """A difference in points, bold where its interval leaves out zero."""
    text = "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * value for value in values))
    text = text.replace("-", "−")
    return f"**{text}**" if values[1] > 0 or values[2] < 0 else text


def page() -> str:
    """The table of what is whole, and what is not there."""
    made = whole()
    lines = [
        line("data", "method", "draws", "score, %", "less `lora`", "less `full`",
             "build s", "answer s", "tokens"),
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]  # fmt: skip
    pairs = [(board, variant) for board in BOARDS for variant in VARIANTS]
    lines += [_row(*pair, made[pair], made) for pair in pairs if pair in made]
    absent = [cell.path.stem for cell in cells(list(BOARDS)) if not _there(cell, made)]
    count = sum(map(len, made.values()))
    text = "\n".join(lines)
    if absent:
        text += f"\n\n{count} cells of {count + len(absent)} are measured."
        partly = [b for b in BOARDS if any(key[0] == b for key in made)]
        none = [b for b in BOARDS if b not in partly]
        some = [name for name in absent if name.split(".")[0] in partly]
        if some:
            text += f" Not measured: {', '.join(f'`{name}`' for name in some)}."
        if none:
            text += f" Of {', '.join(none)} nothing is."
    return text


def _there(cell: Cell, made: Mapping[tuple[str, str], Mapping[int, Any]]) -> bool:
    return cell.seed in made.get((cell.board, cell.variant), {})


def _row(
    board: str,
    variant: str,
    records: Mapping[int, dict[str, Any]],
    made: Mapping[tuple[str, str], Mapping[int, dict[str, Any]]],
) -> str:
    mine = np.array([record["points"] for record in records.values()])
    gaps = []
    for other in ("lora", "full"):
        theirs = made.get((board, other), {})
        both = [seed for seed in records if seed in theirs]
        pairs = [np.subtract(records[s]["points"], theirs[s]["points"]) for s in both]
        gaps.append(points(interval(np.array(pairs))) if both and variant != other else "–")
    means = [
        float(np.mean([record[key] for record in records.values()]))
        for key in ("build_seconds", "use_seconds", "tokens")
    ]
    costs = [f"{mean:.0f}" for mean in means]
    return line(board, f"`{variant}`", str(len(records)), percent(interval(mine)), *gaps, *costs)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["run", *boards]:
            run(boards or list(BOARDS))
        case ["page"]:
            write("pattern_tuning.py", page(), PAGE)
        case _:
            raise SystemExit(__doc__)
