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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
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
OTHERS, OTHER_ROWS = ("ag_news", "banking77", "klue_nli", "korean_hate", "sms_spam"), 400
"""The sets that in-context tuning learns from, and rows of each; none is a board it answers."""
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
    "patterns, full": {"method": "pattern_tuning", "learn": "weights"},
}
"""Row of the table -> method."""
MAIN = ("lora", "full", "patterns")
"""What is measured before all others."""
IN_CONTEXT: Mapping[str, Mapping[str, Any]] = {
    "few_shot": {"method": "few_shot", "n": 4},
    "in_context_tuning": {"method": "in_context_tuning", "n": 4},
}
"""The same examples before and after a training on other tasks."""
ABSENT = ("sst2", "tweet_emotion", "nsmc")
"""Boards of which the other tasks hold no row."""


@dataclass(frozen=True)
class Board:
    """A task, its train rows and the test rows that every cell answers."""

    task: Task
    train: tuple[Example, ...]
    test: tuple[Example, ...]

    def drawn(self, seed: int, background: tuple[Example, ...] = ()) -> Shots:
        """The shots of a draw, with the rows of other tasks."""
        labelled = draw(self.train, SHOTS, seed, self.task.label_names).labelled
        return Shots(labelled, background=background)


@dataclass(frozen=True)
class Cell:
    """One method on one draw of one board."""

    board: str
    variant: str
    seed: int

    @property
    def file(self) -> str:
        """What its record is called."""
        return f"{self.board}.{self.variant.replace(', ', '-')}.{self.seed}.json"

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return FOLDER / self.file


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


def some_rows(sets: Sequence[str], data: Path) -> tuple[Example, ...]:
    """Some rows of each of these sets, which is a group."""
    made: list[Example] = []
    for name in sets:
        every = rows(data / name / "train.jsonl", "Text")
        some = random.Random(name).sample(every, OTHER_ROWS)
        made += [replace(row, id=f"{name}:{row.id}", group=name) for row in some]
    return tuple(made)


def rows(path: Path, field: str) -> list[Example]:
    """The rows of a file of texts, or of premises with hypotheses, and labels."""
    made = [Example("", fields(row, field), (row["label"],)) for row in read(path)]
    return [
        Example(name, row.input, row.targets)
        for name, row in zip(content_ids(made), made, strict=True)
    ]


def fields(row: Mapping[str, str], field: str) -> Input:
    """The texts of a row."""
    if "text" in row:
        return Input(((field, row["text"]),))
    return Input((("Premise", row["premise"]), ("Hypothesis", row["hypothesis"])))


def cells(boards: Sequence[str]) -> Iterator[Cell]:
    """What is to be measured: the main comparison first, seed after seed on every board."""
    others = [(one,) for one in (*VARIANTS, *IN_CONTEXT) if one not in MAIN]
    for variants, seed, board in product((MAIN, *others), SEEDS, boards):
        for variant in variants:
            if variant in VARIANTS or board in ABSENT:
                yield Cell(board, variant, seed)


def run(boards: Sequence[str]) -> None:
    """Measure the cells that are not there."""
    data, models, base = data_folder(), open_models(), resolve(None, "lm")
    background = some_rows(OTHERS, data)
    FOLDER.mkdir(parents=True, exist_ok=True)
    tasks = {name: load(name, data) for name in boards}
    for cell in cells(boards):
        if not cell.path.exists():
            record = measure(cell, tasks[cell.board], background, models, base)
            write_atomic(cell.path, json.dumps(record, ensure_ascii=False) + "\n")
            print(cell.path.stem, record.get("score", record.get("failed")), flush=True)


def measure(
    cell: Cell, board: Board, background: tuple[Example, ...], models: Any, base: Any
) -> dict[str, Any]:
    """Adapt and answer: points by test row, and what it took; or the reason of a failure."""
    spec = {**VARIANTS, **IN_CONTEXT}[cell.variant]
    record: dict[str, Any] = {"board": cell.board, "variant": cell.variant, "seed": cell.seed,
                              "spec": spec, "model": Path(base.name).name}  # fmt: skip
    shots = board.drawn(cell.seed, background)
    return record | adapt_and_answer(spec, shots, cell.seed, board, models, base)


def adapt_and_answer(
    spec: Mapping[str, Any], shots: Shots, seed: int, board: Board, models: Any, base: Any
) -> dict[str, Any]:
    """What one method makes of these shots: points by test row, seconds, tokens; or why not."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Workbench(models, base, Path(folder), seed, shelf=Shelf())
        start = time.process_time()
        try:
            predictor = TABLE.build(spec).adapt(board.task, shots, bench)
        except NshotError as error:
            return {"failed": str(error)}
        built = time.process_time()
        answers = predictor.predict([row.input for row in board.test])
        answered = time.process_time()
    points = [float(one.answer == row.label) for one, row in zip(answers, board.test, strict=True)]
    return {
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
    """The tables of what is whole, and what is not there."""
    made = whole()
    parts = [
        table(VARIANTS, ("lora", "full"), made),
        "**Tuning to learn in context**: the same four examples before and after a training on"
        f" {len(OTHERS)} other sets ({', '.join(OTHERS)}; {OTHER_ROWS} rows of each).",
        table(IN_CONTEXT, ("few_shot",), made),
        missing(made),
    ]
    return "\n\n".join(part for part in parts if part)


Whole = Mapping[tuple[str, str], Mapping[int, Mapping[str, Any]]]
"""(board, variant) -> seed -> record."""


def table(variants: Iterable[str], against: Sequence[str], made: Whole) -> str:
    """The rows of these methods, board by board."""
    heads = ["data", "method", "draws", "score, %", *(f"less `{name}`" for name in against)]
    heads += ["build s", "answer s", "tokens"]
    lines = [line(*heads), "|---|---" + "|--:" * (len(heads) - 2) + "|"]
    pairs = [(board, variant) for board in BOARDS for variant in variants]
    lines += [_row(*pair, against, made) for pair in pairs if pair in made]
    return "\n".join(lines) if len(lines) > 2 else "None of these is measured yet."


def missing(made: Whole) -> str:
    """How many cells are not there, and which rows have none."""
    every = list(cells(list(BOARDS)))
    count = sum(cell.seed in made.get((cell.board, cell.variant), {}) for cell in every)
    if count == len(every):
        return ""
    rows = dict.fromkeys((cell.board, cell.variant) for cell in every)
    none = [f"`{variant}` on {board}" for board, variant in rows if (board, variant) not in made]
    text = f"{count} cells of {len(every)} are measured: a whole row has {len(SEEDS)} draws."
    return text + (f" Not measured at all: {', '.join(none)}." if none else "")


def _row(board: str, variant: str, against: Sequence[str], made: Whole) -> str:
    records = made[board, variant]
    mine = np.array([record["points"] for record in records.values()])
    gaps = []
    for other in against:
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
