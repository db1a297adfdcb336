"""The decision rule on boards whose truth is known: what must hold, the rule as it was beside it.

    python benchmarks/decision.py [--share S] [--write]

Boards are made of what real methods answered to the data sets (NSHOT_DATA): decision_worlds.py.
`--share` takes that share of the boards (0.05: a quick look); `--write` puts the tables into
docs/decision.md. Figures are kept in .bench/decision.json as they come: a run that was stopped goes
on where it was. One core; every figure is seeded. The tests hold the same claims on fewer boards.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from decision_cells import Figures, Sources, Store
from nshot.core.files import write_atomic
from table import ROOT, data_folder, line

PAGE = ROOT / "docs" / "decision.md"
KEPT = ROOT / ".bench" / "decision.json"
BEGIN, END = "<!-- simulated: begin -->", "<!-- simulated: end -->"


@dataclass(frozen=True)
class Claim:
    """What must hold of a cell: `see` gives what was seen of its figures, and whether it holds.

    It is given how far chance may take a share of these boards, in units of sqrt(p(1-p)): 0 where
    there are many.
    """

    what: str
    bound: str
    cell: str
    see: Callable[[Figures, float], tuple[str, bool]]
    quick: bool = True
    """Can it be seen on the few boards of the tests?"""
    real: bool = False
    """Does it need the data sets?"""

    def on(self, store: Store) -> tuple[str, bool]:
        """What a store shows of it; on the few boards of the tests chance has room."""
        few = store.share is None
        chance = 1.645 / math.sqrt(store.boards(self.cell)) if few else 0.0
        return self.see(store[self.cell], chance)


def share(value: float) -> str:
    """98.2 %."""
    return f"{100 * value:.1f} %"


def _spread(bound: float) -> float:
    return math.sqrt(bound * (1 - bound))


def at_least(
    what: str, bound: float, cell: str, figure: str, control: bool = False, **more: bool
) -> Claim:
    """A share that must not be lower; of a control, that must be, chance or not."""

    def see(f: Figures, chance: float) -> tuple[str, bool]:
        value, room = f[figure], chance * _spread(bound)
        return share(value), value < bound if control else value >= bound - room

    return Claim(what, f"{'<' if control else '≥'} {100 * bound:.3g} %", cell, see, **more)


def at_most(
    what: str, bound: float, cell: str, figure: str, control: bool = False, **more: bool
) -> Claim:
    """A share that must not be higher; of a control, that must be, chance or not."""

    def see(f: Figures, chance: float) -> tuple[str, bool]:
        value, room = f[figure], chance * _spread(bound)
        return share(value), value > bound if control else value <= bound + room

    return Claim(what, f"{'>' if control else '≤'} {100 * bound:.3g} %", cell, see, **more)


def _race_keeps(kind: str, fewer: float, points: float) -> Claim:
    """Of what measuring everything settles, so much less, and at most so many points worse."""

    def see(f: Figures, chance: float) -> tuple[str, bool]:
        lost = f["everything.settled"] - f["race.settled"]
        worse = f["race.regret"] - f["everything.regret"]
        seen = (
            f"settled {f['race.settled']:.2f} ({f['everything.settled']:.2f}), regret "
            f"{100 * f['race.regret']:.2f} ({100 * f['everything.regret']:.2f}) points, "
            f"{f['race.seconds']:.2f}x the seconds"
        )
        return seen, lost <= fewer + chance * _spread(fewer) and 100 * worse <= points + chance

    what = f"Race, dear methods {kind}: against everything measured"
    bound = f"settled -{fewer:g}, regret +{points:g} points"
    return Claim(what, bound, f"race {kind} 300", see)


def _forecast(cell: str) -> Claim:
    def see(f: Figures, chance: float) -> tuple[str, bool]:
        seen = f"{f['forecast']:.2f} said, {f['fact']:.2f} happened"
        return seen, abs(f["forecast"] - f["fact"]) <= 0.12 + chance / 2

    what = f"'Settled' of open boards at three times the rows ({cell.split()[1]} now)"
    return Claim(what, "within .12", cell, see)


def _seconds(cell: str, bound: float) -> Claim:
    def see(f: Figures, chance: float) -> tuple[str, bool]:
        return f"{f['seconds']:.2f} s", f["seconds"] < bound

    what = "of one fit each" if cell == "seconds" else "of 3 and 20 draws"
    return Claim(f"35 contenders {what} on 5,000 rows: one core", f"< {bound:g} s", cell, see)


CLAIMS: tuple[Claim, ...] = (
    *(
        at_least(
            f"Twelve equal methods, {n} rows: a given one stays in the set", 0.93, f"equal {n}",
            "kept",
        )
        for n in (60, 100, 300)
    ),
    at_most("One 5.1 points ahead of eleven, 300 rows: wrongly settled", 0.05, "trap 300", "wrong"),
    at_most("One at .985, the rest at .93, 50 rows: wrongly settled", 0.05, "rare 50", "wrong"),
    at_most("The same without the floors (must be seen to fail)", 0.08, "rare 50 bare", "wrong",
            control=True),
    *(
        at_least(
            f"Real boards, {n} rows: the interval of the pick holds what is delivered", 0.94,
            f"real {n}", "covers",
        )
        for n in (60, 100, 300)
    ),
    at_least("The interval of the rule as it was (must be seen to fail)", 0.75, "real 300 before",
             "covers", control=True),
    *(
        at_least(f"Real boards of 30 methods, {n} rows: the interval", 0.94, f"30 methods {n}",
                 "covers", quick=n == 60)
        for n in (60, 100)
    ),
    at_least("One around the lowered score alone, 60 rows (must be seen to fail)", 0.92,
             "30 methods 60", "simple", control=True, real=True),
    *(
        at_least(f"Coins, {count} photographs, drawn whole: the interval of the pick", 0.93,
                 f"coins {count} now", "covers", real=True)
        for count in (8, 20)
    ),
    *(
        at_least(f"The same by rows alone, {count} photographs (must be seen to fail)", 0.5,
                 f"coins {count} rows", "covers", control=True, real=True)
        for count in (8, 20)
    ),
    at_least("Normal instead of Student's t, 8 photographs: differences (must be seen to fail)",
             0.86, "coins 8 normal", "differences", control=True, quick=False, real=True),
    at_least("Differences in macro-F1, 150 rows: intervals", 0.92, "macro-F1", "differences",
             real=True),
    at_least("The same from the accuracy's points (must be seen to fail)", 0.7,
             "macro-F1 of accuracy", "differences", control=True, quick=False, real=True),
    at_least("The same, against the 92 % above (must be seen to fail)", 0.85,
             "macro-F1 of accuracy", "differences", control=True, real=True),
    at_least("Folds of 120 rows, five, three times: the interval of the pick", 0.94, "folds 120",
             "now.covers", real=True),
    at_least("The rule as it was (must be seen to fail)", 0.94, "folds 120", "before.covers",
             control=True, quick=False, real=True),
    at_least("Graded points, 60 rows: intervals", 0.93, "graded", "cover"),
    _forecast("forecast 100 x 3"),
    at_most("Three looks: a given one of twelve equal methods is lost", 0.08, "looks", "dropped"),
    at_most("The same at 5 % each (must be seen to fail)", 0.08, "looks at 5 % each", "dropped",
            control=True, quick=False),
    _race_keeps("hopeless", 0.05, 0.2),
    _race_keeps("search", 0.05, 0.2),
    at_most("Race where a dear method needs its search: wrongly settled", 0.05, "race search 300",
            "race.wrong"),
    at_most("What defaults do taken for what it can do (must be seen to fail)", 0.08,
            "race search 300", "naive.wrong", control=True),
    at_least("Draws, twelve equal methods, 300 rows: a given one stays", 0.9, "draws equal 300",
             "everything.kept"),
    at_least("Draws, 200 rows: the interval of the pick", 0.93, "draws normal 200", "race.covers",
             quick=False),
    _seconds("seconds", 1),
    _seconds("seconds of draws", 3),
)  # fmt: skip


# -------------------------------------------------------------------------------------- tables


def claims(store: Store) -> tuple[str, bool]:
    """What must hold, and whether all of it does."""
    lines, fine = ["| what must hold | bound | seen | |", "|---|---|---|---|"], True
    for claim in CLAIMS:
        seen, holds = claim.on(store)
        lines.append(line(claim.what, claim.bound, seen, "holds" if holds else "**missed**"))
        print(lines[-1], flush=True)
        fine &= holds
    return "\n".join(lines), fine


def _figures(f: Figures, prefix: str = "") -> tuple[str, ...]:
    """Covers, points lost, settled / leaning / cannot tell, wrongly settled, set, seen."""
    of = {name.removeprefix(prefix): value for name, value in f.items() if name.startswith(prefix)}
    settled, leaning = of["settled"], of["leaning"]
    verdicts = (settled, leaning, max(1 - settled - leaning, 0))
    return (
        f"{of['covers']:.2f}",
        f"{100 * of['regret']:.1f}",
        " / ".join(f"{100 * v:.0f}" for v in verdicts),
        f"{100 * of['wrong']:.1f}",
        f"{of['size']:.1f}",
        f"{100 * of['seen']:.0f}" if of["seen"] < 1 else "none",
    )


_HEAD = (
    "interval of the pick holds the delivered model",
    "points lost to the best delivered",
    "settled / leaning / cannot, %",
    "wrongly settled, %",
    "methods in the set",
    "difference seen 4 times in 5, points",
)


def _table(first: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    head = (*first, *_HEAD)
    return "\n".join([line(*head), line(*["--"] * len(head)), *(line(*row) for row in rows)])


def real(store: Store) -> str:
    """Question 1 on real boards, the rule as it was beside it."""

    def rows() -> Iterator[tuple[str, ...]]:
        for n in (100, 300, 1000):
            yield f"{n:,}", "as it was, 3 draws", *_figures(store[f"real {n} before"])
            yield f"{n:,}", "**now**", *_figures(store[f"real {n} drawn"])

    return _table(("test rows", "procedure"), rows())


def grouped(store: Store) -> str:
    """Whole photographs, drawn anew."""

    def rows() -> Iterator[tuple[str, ...]]:
        for count in (3, 8, 20, 40):
            for way, name in (("rows", "rows alone"), ("now", "**whole groups**")):
                yield str(count), name, *_figures(store[f"coins {count} {way}"])

    return _table(("photographs", "takes as luck"), rows())


def folds(store: Store) -> str:
    """No test file: five folds, three times; what is delivered is fitted on all rows."""

    def rows() -> Iterator[tuple[str, ...]]:
        for n in (60, 120, 300):
            yield str(n), "as it was", *_figures(store[f"folds {n}"], "before.")
            yield str(n), "**now**", *_figures(store[f"folds {n}"], "now.")

    return _table(("labelled rows", "procedure"), rows())


def race(store: Store) -> str:
    """Question 1: seconds in the share of measuring everything."""

    def rows() -> Iterator[tuple[str, ...]]:
        for kind, n in (("hopeless", 300), ("hopeless", 1000), ("real", 300), ("real", 1000),
                        ("search", 300)):  # fmt: skip
            f = store[f"race {kind} {n}"]
            for way, name in (("everything", "everything"), ("race", "**race**")):
                yield kind, f"{n:,}", name, f"{f[f'{way}.seconds']:.2f}", *_figures(f, f"{way}.")

    return _table(("dear methods", "test rows", "plan", "seconds"), rows())


def draws(store: Store) -> str:
    """Question 2: seconds in the share of the plan as it was."""
    kinds = (("normal", 200), ("normal", 1000), ("cheap", 200), ("dear", 200), ("search", 200),
             ("trap", 300), ("equal", 300))  # fmt: skip
    ways = {"before": "as it was", "everything": "now, everything", "race": "**now, raced**"}

    def rows() -> Iterator[tuple[str, ...]]:
        for kind, n in kinds:
            f = store[f"draws {kind} {n}"]
            for way, name in ways.items():
                yield kind, f"{n:,}", name, f"{f[f'{way}.seconds']:.2f}", *_figures(f, f"{way}.")

    return _table(("board", "test rows", "rule and plan", "seconds"), rows())


def page(store: Store) -> tuple[str, bool]:
    """All tables, and whether every claim holds."""
    table, fine = claims(store)
    parts = [
        table,
        "**Question 1, real boards.** Each model fitted once on all labelled rows, and delivered;"
        " the rule as it was measured it on three draws of 16 of each label.",
        real(store),
        "**Groups.** Crops of coins; whole photographs drawn anew. Up to five groups the interval"
        " is for more rows of these groups, which this counts against it.",
        grouped(store),
        "**Folds.**",
        folds(store),
        "**The race of question 1.** `hopeless`: the dear ones 6 to 25 points behind; `search`: one"
        " is best, and ten points worse before its search.",
        race(store),
        "**Question 2.** Made-up boards of twelve, six of them slow.",
        draws(store),
    ]
    return "\n\n".join(parts), fine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of the boards of each cell")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/decision.md")
    asked = parser.parse_args()
    folder = data_folder()
    if not folder.is_dir():
        parser.error(f"no data sets at {folder}: set NSHOT_DATA")
    KEPT.parent.mkdir(exist_ok=True)
    store = Store(Sources(folder), asked.share, KEPT)
    text, fine = page(store)
    if asked.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        boards = f"Boards a figure: {store.boards('trap 300')} and so on, share {asked.share:g}."
        write_atomic(PAGE, f"{before}{BEGIN}\n{boards}\n\n{text}\n{END}{rest.split(END)[1]}")
    else:
        print(text)
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
