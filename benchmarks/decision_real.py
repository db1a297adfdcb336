"""The decision on boards resampled from runs of nshot's own: before and after, on four data sets.

    python benchmarks/decision_real.py [--runs runs/decision-real] [--boards 300] [--write]

Two runs a set, of the fast methods on both embedded encoders: question 1 (1,200 labelled rows,
1,000 test rows) and question 2 (16 a label, five draws) on the same rows. A board is n of the test
rows, drawn with replacement; its truth is what each contender scores on all of them. `before`
measures three draws, confirms the pick on two fresh ones and delivers it fitted on all rows, with
the procedure of `decision_before.py`; `after` decides on what is delivered. Runs and boards are
kept: what was killed goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import decision_before
from nshot import compare
from nshot.board.column import Column, Floats
from nshot.board.decide import decide
from nshot.board.schema import Board
from nshot.core.files import write_atomic
from table import ROOT, data_folder, line, read, write

SETS = ("sst2", "banking77", "nsmc", "korean_hate")
METHODS = ("majority", "tfidf_lr", "label_similarity", "nearest_mean", "knn", "linear_probe",
           "baseline")  # fmt: skip
ENCODERS = ("all-minilm-l6-v2", "multilingual-e5-small")
TRAIN, TEST, SHOTS, DRAWS, CONFIRMED = 1200, 1000, 16, 3, 2
ROWS = (100, 300, 1000)


@dataclass(frozen=True)
class Figures:
    """Of all boards of a cell: shares, and points of accuracy."""

    coverage: float
    """The stated interval holds what the delivered model scores."""
    regret: float
    settled: float
    leaning: float
    wrong: float
    """Settled, and another is more than five points better."""
    width: float


@dataclass(frozen=True)
class Matrices:
    """Points of the same methods on the same test rows: (K, n) as delivered, (K, draws, n)."""

    delivered: Floats
    drawn: Floats
    cost: Floats
    fixed: NDArray[np.bool_]


def sample(name: str, into: Path) -> tuple[Path, Path]:
    """Train and test files of a set; labels keep their shares."""
    folder = data_folder() / name
    held = "dev" if name == "korean_hate" else "test"
    paths = []
    for part, count in (("train", TRAIN), (held, TEST)):
        rows = read(folder / f"{part}.jsonl")
        if part == "dev":  # 471 rows: the rest comes from the end of the training file
            rows += read(folder / "train.jsonl")[-(TEST - len(rows)) :]
        if part == "train" and held == "dev":  # those that were taken for the test
            rows = rows[: len(rows) - TEST]
        random.Random(0).shuffle(rows)
        path = into / f"{'train' if part == 'train' else 'test'}.jsonl"
        body = [json.dumps({"text": r["text"], "label": r["label"]}, ensure_ascii=False)
                for r in rows[:count]]  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, "\n".join(body) + "\n")
        paths.append(path)
    return paths[0], paths[1]


def measured(name: str, runs: Path) -> tuple[Matrices, dict[str, float]]:
    """Both runs of a set, and their seconds; what was done is not done again."""
    train, test = sample(name, runs / name)
    boards, seconds = {}, {}
    two = {"shots": (SHOTS,), "seeds": DRAWS + CONFIRMED}
    for question, more in (("one", {}), ("two", two)):
        start = time.perf_counter()
        result = compare(
            train, test=test, text="text", label="label", methods=METHODS, encoder=ENCODERS,
            out=runs / name / question, **more,  # type: ignore[arg-type]
        )  # fmt: skip
        clock = runs / name / f"{question}.seconds"
        if not clock.exists():
            write_atomic(clock, f"{time.perf_counter() - start:.1f}")
        boards[question], seconds[question] = result.board, float(clock.read_text())
    return matrices(boards["one"], boards["two"]), seconds


def matrices(one: Board, two: Board) -> Matrices:
    """The points of both runs, rows and methods in one order."""
    places = {name: place for place, name in enumerate(two.points.ids)}
    order = [places[name] for name in one.points.ids]
    whole = [n for n, row in one.points.rows.items() if len(row.points[0]) == len(order)]
    names = sorted({*whole} & {*two.points.rows})
    drawn = []
    for name in names:
        points = two.points.rows[name].array[:, order]
        drawn.append(np.broadcast_to(points, (DRAWS + CONFIRMED, points.shape[1]))
                     if len(points) == 1 else points)  # fmt: skip
    rows = {row.name: row for row in one.contest}
    cost = [(rows[n].build_seconds or 0) + 10 * (rows[n].use_seconds_per_1000 or 0) for n in names]
    fixed = [two.points.rows[name].deterministic for name in names]
    delivered = [one.points.rows[name].array[0] for name in names]
    return Matrices(np.array(delivered), np.array(drawn), np.array(cost), np.array(fixed))


def columns(points: Sequence[Floats], of: Matrices, deterministic: bool = True) -> list[Column]:
    """One column a method, named by its number."""
    return [
        Column(f"{i:03d}", p, of.cost[i], deterministic=deterministic and bool(of.fixed[i]))
        for i, p in enumerate(points)
    ]


def outcomes(of: Matrices, n: int, boards: int) -> Iterator[tuple[str, int, float, float, str]]:
    """(procedure, pick, low, high, verdict) of each board of `n` rows, both procedures in turn."""
    total = of.delivered.shape[1]
    for number in range(boards):
        rng = np.random.default_rng([number, n])
        rows = rng.integers(0, total, n)
        after = decide([Column(f"{i:03d}", p[None, rows], of.cost[i])
                        for i, p in enumerate(of.delivered)])  # fmt: skip
        yield ("after", int(after.pick), after.corrected_low, after.corrected_high, after.verdict)
        draws = rng.permutation(DRAWS + CONFIRMED)
        drawn = of.drawn[:, draws][:, :, rows]
        first = [d[:1] if of.fixed[i] else d[:DRAWS] for i, d in enumerate(drawn)]

        def fresh(pick: int, drawn: Floats = drawn) -> Floats | None:
            return None if of.fixed[pick] else drawn[pick][DRAWS:]

        before = decision_before.decide(columns(first, of), fresh)
        yield ("before", before.pick, before.low, before.high, before.verdict)


def figures(of: Matrices, n: int, boards: int) -> Mapping[str, Figures]:
    """Both procedures on the same boards; the truth is of the models as delivered."""
    truth = of.delivered.mean(axis=1)
    best = float(truth.max())
    cells: dict[str, list[tuple[float, ...]]] = {"before": [], "after": []}
    for procedure, pick, low, high, verdict in outcomes(of, n, boards):
        lost = best - float(truth[pick])
        settled = verdict == "settled"
        cells[procedure].append(
            (low <= truth[pick] <= high, 100 * lost, settled, verdict == "leaning",
             settled and lost > 0.05 + 1e-9, 100 * (high - low))
        )  # fmt: skip
    return {name: Figures(*np.mean(rows, axis=0).tolist()) for name, rows in cells.items()}


def cell(name: str, of: Matrices, n: int, boards: int, runs: Path) -> Mapping[str, Figures]:
    """The figures of a set at n rows, from their file where they were made already."""
    path = runs / name / f"figures-{n}-{boards}.json"
    if not path.exists():
        made = figures(of, n, boards)
        write_atomic(path, json.dumps({key: asdict(value) for key, value in made.items()}))
    return {key: Figures(**body) for key, body in json.loads(path.read_text()).items()}


def table(sets: Sequence[str], runs: Path, boards: int) -> str:
    """All of it, as Markdown."""
    head = ("set", "test rows", "procedure", "interval holds the delivered model", "points lost",
            "settled", "leaning", "wrongly settled", "width, points", "run, s")  # fmt: skip
    rows = [line(*head), "|--|--:|--|" + "--:|" * 7]
    for name in sets:
        of, seconds = measured(name, runs)
        for n in ROWS:
            for procedure, f in cell(name, of, n, boards, runs).items():
                run = seconds["two" if procedure == "before" else "one"]
                rows.append(
                    line(name, f"{n:,}", procedure, f"{100 * f.coverage:.0f} %", f"{f.regret:.1f}",
                         f"{100 * f.settled:.0f} %", f"{100 * f.leaning:.0f} %",
                         f"{100 * f.wrong:.1f} %", f"{f.width:.1f}", f"{run:.0f}")
                )  # fmt: skip
        print("\n".join(rows[-2 * len(ROWS) :]), flush=True)
    return "\n".join(rows)


def main() -> None:
    """Measure what is not there yet, print the table, put it on the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "decision-real")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--boards", type=int, default=300)
    parser.add_argument("--write", action="store_true", help="put the table into the docs")
    options = parser.parse_args()
    text = table(options.sets, options.runs.resolve(), options.boards)
    if options.write:
        write("decision_real.py", text)


if __name__ == "__main__":
    main()
