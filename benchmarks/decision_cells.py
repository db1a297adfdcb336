"""What benchmarks/decision.py measures: cells of boards, each a few figures, kept as they come.

A cell is a name, how many boards it takes in full and in the tests, and a function of the sources
and a number of boards. Its seeds are the numbers of its boards: more boards contain the fewer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np

import decision_race as races
import decision_trials as trials
from decision_worlds import Pool, Texts, fitted_once, made_up, photographs, texts, worlds
from nshot.board.column import Column, Question
from nshot.board.decide import decide
from nshot.core.files import write_atomic

Figures: TypeAlias = dict[str, float]
SETS = ("sst2", "ag_news", "sms_spam", "tweet_emotion")
UNEVEN = ("sms_spam", "tweet_emotion")
"""Sets with rare labels: there macro-F1 is not accuracy."""


@dataclass
class Sources:
    """The real answers that boards are made of, from the data sets; made-up ones without these."""

    data: Path | None
    sizes: tuple[int, ...] = (60, 200, 1000)

    @cached_property
    def texts(self) -> dict[str, Texts]:
        """The sets as vectors; none without data."""
        return {name: texts(self.data, name) for name in SETS} if self.data else {}

    @cached_property
    def some(self) -> list[Texts]:
        """Fewer rows of each set, for what needs their inner products."""
        return [t.some() for t in self.texts.values()]

    @cached_property
    def pools(self) -> list[Pool]:
        """Heads fitted once on so many rows of each set."""
        real = [fitted_once(t, size) for t in self.texts.values() for size in self.sizes]
        return real or [made_up(seed) for seed in range(8)]

    @cached_property
    def drawn(self) -> list[Pool]:
        """The same with six draws of 16 of each label beside."""
        large = [size for size in self.sizes if size > 100]
        real = [fitted_once(t, size, draws=6) for t in self.texts.values() for size in large]
        return real or [made_up(seed, draws=6) for seed in range(8)]

    @cached_property
    def high(self) -> list[Pool]:
        """Pools on which heads are nearly always right."""
        return [p for p in self.pools if p.name.startswith("sms")] or self.pools

    @cached_property
    def uneven(self) -> list[Pool]:
        """Pools with rare labels."""
        return [p for p in self.pools if p.name.split()[0] in UNEVEN] or self.pools

    @cached_property
    def coins(self) -> Pool:
        """Crops of photographs."""
        return photographs(self.data) if self.data else made_up(0, 1500, groups=46)


@dataclass(frozen=True)
class Cell:
    """What is measured together; `figures` of so many boards."""

    name: str
    full: int
    quick: int
    figures: Callable[[Sources, int], Figures]


def _boards(
    kind: str, n: int, way: str = "now", k: int = 12, of: str = "pools"
) -> Callable[[Sources, int], Figures]:
    def figures(sources: Sources, boards: int) -> Figures:
        procedure = getattr(trials, way)
        return trials.boards(worlds(getattr(sources, of), k, boards, kind), n, procedure)

    return figures


def _coins(count: int, way: str, metric: str = "accuracy") -> Callable[[Sources, int], Figures]:
    return lambda sources, boards: trials.grouped(sources.coins, count, boards, way, metric)


def _macro(metric: str) -> Callable[[Sources, int], Figures]:
    return lambda sources, boards: {
        "differences": trials.macro_differences(sources.uneven, 150, boards, metric)
    }


def _folds(rows: int) -> Callable[[Sources, int], Figures]:
    return lambda sources, boards: _flat(trials.folds(sources.some, rows, boards))


def _forecast(n: int, factor: int) -> Callable[[Sources, int], Figures]:
    def figures(sources: Sources, boards: int) -> Figures:
        said, fact = trials.forecast_and_fact(worlds(sources.pools, 12, boards), n, factor)
        return {"forecast": said, "fact": fact}

    return figures


def _looks(spend: bool) -> Callable[[Sources, int], Figures]:
    def figures(sources: Sources, boards: int) -> Figures:
        of = worlds(sources.pools, 12, boards, "equal")
        return {"dropped": trials.dropped(of, (100, 200, 400), spend)}

    return figures


def _race(kind: str, n: int) -> Callable[[Sources, int], Figures]:
    def figures(sources: Sources, boards: int) -> Figures:
        large = [p for p in sources.pools if p.labelled > 100]
        return _flat(races.race(worlds(large, 12, boards, kind), n))

    return figures


def _draws(kind: str, n: int) -> Callable[[Sources, int], Figures]:
    return lambda sources, boards: _flat(races.race_of_draws(kind, n, boards))


def _flat(ways: Mapping[str, Figures]) -> Figures:
    return {f"{way}.{name}": value for way, of in ways.items() for name, value in of.items()}


def seconds(question: Question, repeats: int) -> Figures:
    """Processor seconds of one whole decision of 35 contenders on 5,000 rows, the quickest."""
    rng = np.random.default_rng(0)
    draws = [1 if question == 1 else 20 if m < 8 else 3 for m in range(35)]
    columns = [
        Column(f"{m:02}", (rng.random((s, 5000)) < 0.6 + m / 100).astype(float), 1.0, fast=s == 20)
        for m, s in enumerate(draws)
    ]
    took = []
    for _ in range(repeats):
        start = time.process_time()
        decide(columns, question=question)
        took.append(time.process_time() - start)
    return {"seconds": min(took)}


CELLS = {
    cell.name: cell
    for cell in (
        *(Cell(f"real {n}", 600, 60, _boards("real", n)) for n in (60, 100, 300, 1000)),
        *(Cell(f"real {n} drawn", 500, 60, _boards("real", n, of="drawn")) for n in (100, 300)),
        *(
            Cell(f"real {n} before", 500, 60, _boards("real", n, "before", of="drawn"))
            for n in (100, 300, 1000)
        ),
        Cell("real 1000 drawn", 500, 20, _boards("real", 1000, of="drawn")),
        *(Cell(f"30 methods {n}", 400, 200, _boards("real", n, k=30)) for n in (60, 100)),
        *(Cell(f"equal {n}", 1000, 80, _boards("equal", n)) for n in (60, 100, 300)),
        Cell("trap 300", 800, 80, _boards("trap", 300)),
        Cell("rare 50", 600, 80, _boards("rare", 50, of="high")),
        Cell("rare 50 bare", 600, 80, _boards("rare", 50, "no_floors", of="high")),
        *(
            Cell(f"coins {count} {way}", 400, 50, _coins(count, way))
            for count in (8, 20)
            for way in ("now", "rows", "normal")
        ),
        *(Cell(f"coins {count} {way}", 400, 20, _coins(count, way)) for count in (3, 40)
          for way in ("now", "rows")),
        Cell("coins 12 macro-F1", 100, 12, _coins(12, "now", "macro_f1")),
        Cell("macro-F1", 200, 30, _macro("macro_f1")),
        Cell("macro-F1 of accuracy", 200, 30, _macro("accuracy points")),
        *(Cell(f"folds {n}", 300, quick, _folds(n)) for n, quick in ((60, 4), (120, 30), (300, 4))),
        Cell("graded", 600, 100, lambda sources, boards: trials.graded(boards)),
        Cell("forecast 100 x 3", 300, 80, _forecast(100, 3)),
        Cell("forecast 300 x 3", 300, 20, _forecast(300, 3)),
        Cell("looks", 800, 50, _looks(True)),
        Cell("looks at 5 % each", 800, 50, _looks(False)),
        *(
            Cell(f"race {kind} {n}", 300, 30, _race(kind, n))
            for kind, n in (("hopeless", 300), ("search", 300))
        ),
        *(
            Cell(f"race {kind} {n}", 300, 4, _race(kind, n))
            for kind, n in (("hopeless", 1000), ("real", 300), ("real", 1000))
        ),
        *(
            Cell(f"draws {kind} {n}", 200, quick, _draws(kind, n))
            for kind, n, quick in (
                ("normal", 200, 30), ("equal", 300, 20), ("trap", 300, 4), ("cheap", 200, 4),
                ("dear", 200, 4), ("search", 200, 4), ("normal", 1000, 4),
            )
        ),
        Cell("seconds", 5, 2, lambda sources, repeats: seconds(1, repeats)),
        Cell("seconds of draws", 5, 2, lambda sources, repeats: seconds(2, repeats)),
    )
}  # fmt: skip


@dataclass
class Store:
    """Figures by cell and number of boards, kept in a file as they come; none without a file."""

    sources: Sources
    share: float | None = None
    file: Path | None = None
    known: dict[str, Figures] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.file and self.file.exists():
            self.known = json.loads(self.file.read_text(encoding="utf-8"))

    def boards(self, name: str) -> int:
        """Boards of a cell: the share of the full number, or the number of the tests."""
        cell = CELLS[name]
        return cell.quick if self.share is None else max(round(cell.full * self.share), 2)

    def __getitem__(self, name: str) -> Figures:
        key = f"{name} | {self.boards(name)}"
        if key not in self.known:
            self.known[key] = CELLS[name].figures(self.sources, self.boards(name))
            if self.file:
                write_atomic(self.file, json.dumps(self.known, indent=1, sort_keys=True))
        return self.known[key]
