"""The race on boards whose truth and seconds are known: what it spends, and what that costs.

Question 1 as the bench runs it: fast contenders answer everything; a dear one first shows itself on
validation rows, then answers in blocks, built with its defaults where that takes no longer than its
search. Question 2: scouts, searches and draws.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import ndtri

import decision_before
from decision_trials import Result, mean, of_choice, result
from decision_worlds import DEAR, Floats, Ints, World
from nshot.board import racing
from nshot.board.column import LIFT, Bools, Column
from nshot.board.contest import estimate
from nshot.board.decide import Terms, choose

_SHOWN = 60
"""Seconds of search and build from which on validation rows are looked at first."""


@dataclass
class Bench:
    """What is measured so far of a world on these rows, and the seconds it took."""

    world: World
    rows: Ints
    naive: bool = False
    answered: Ints = field(init=False)
    searched: Bools = field(init=False)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        w, n = self.world, len(self.rows)
        self.answered = np.where(w.fast, n, 0)
        self.searched = w.fast.copy()
        self.seconds = float((w.search + w.build + w.use * n)[w.fast].sum())

    @property
    def slow(self) -> list[int]:
        """The dear ones, the quickest to build first."""
        first = self.world.build + self.world.use * min(len(self.rows), racing.FIRST)
        return sorted(np.flatnonzero(~self.world.fast).tolist(), key=lambda m: float(first[m]))

    def build(self, m: int, search: bool) -> None:
        """Build with its settings chosen, or with its defaults."""
        self.seconds += self.world.build[m] + self.world.search[m] * search
        self.searched[m] = search
        self.answered[m] = 0

    def answer(self, m: int, rows: int) -> None:
        """Answer the first rows, those that it has not answered."""
        self.seconds += self.world.use[m] * max(rows - int(self.answered[m]), 0)
        self.answered[m] = max(rows, int(self.answered[m]))

    def search(self, m: int) -> None:
        """Choose its settings; where they are its defaults, what was answered stays."""
        had = int(self.answered[m])
        if (self.world.default[m] == self.world.right[m]).all():
            self.seconds += self.world.search[m]
            self.searched[m] = True
            return
        self.build(m, search=True)
        self.answer(m, had)

    def columns(self) -> list[Column]:
        """What is measured, as the decision sees it."""
        w = self.world
        return [
            Column(
                f"{m:02}",
                (w.right if self.searched[m] else w.default)[m, self.rows[: self.answered[m]]][
                    None
                ],
                w.cost[m],
                fast=bool(w.fast[m]),
                searched=bool(self.searched[m]) or self.naive,
            )
            for m in np.flatnonzero(self.answered)
        ]

    def result(self) -> tuple[float, Result]:
        """Seconds, and the decision against the truth."""
        contest = estimate(self.columns())
        measured = np.array([int(name) for name in contest.names])
        choice = choose(contest, Terms(tried=self.world.k))
        result = of_choice(self.world.truth[measured], contest, choice)
        best = float(self.world.truth.max())
        own = float(self.world.truth[measured[choice.pick]])
        wrong = choice.verdict == "settled" and best - own > 0.05 + 1e-9
        return self.seconds, replace(result, regret=best - own, wrong=float(wrong))


def everything(world: World, rows: Ints) -> tuple[float, Result]:
    """Every contender searched, built and asked about every row."""
    bench = Bench(world, rows)
    for m in bench.slow:
        bench.build(m, search=True)
        bench.answer(m, len(rows))
    return bench.result()


def raced(world: World, rows: Ints, naive: bool = False) -> tuple[float, Result]:
    """The race of question 1.

    `naive` is a control: what a contender does with its defaults is taken for what it can do.
    """
    bench, n = Bench(world, rows, naive), len(rows)
    ends = racing.blocks(n)
    for m in bench.slow:
        if not _put_aside(bench, m):
            bench.build(m, search=bool(world.build[m] > world.search[m]))
            bench.answer(m, ends[0])
    for _ in range(3 * len(ends) * len(bench.slow)):
        standing = racing.race(bench.columns(), rows=n, tried=world.k)
        onward = standing.go or standing.blockers
        if not onward:
            break
        for m in map(int, onward):
            if not bench.searched[m] and not naive:
                bench.search(m)
            else:
                bench.answer(m, next(end for end in ends if end > bench.answered[m]))
    return bench.result()


def _put_aside(bench: Bench, m: int) -> bool:
    """Shown on validation rows by the first candidate of its search, a quarter of it: hopeless?"""
    w, held = bench.world, bench.world.validation
    if w.build[m] + w.search[m] <= _SHOWN or len(held) < 30:
        return False
    fast = np.flatnonzero(w.fast)
    head = fast[w.right[fast][:, held].mean(axis=1).argmax()]
    bench.seconds += w.search[m] / 4
    own = w.default[m, held] - (LIFT if bench.naive else 0)
    if racing.hopeless(own, w.right[head, held]):
        return True
    if w.build[m] > w.search[m]:
        bench.seconds -= w.search[m] / 4  # that candidate is part of the search that follows
    return False


def race(worlds: Iterable[tuple[int, World]], n: int) -> dict[str, dict[str, float]]:
    """Figures of measuring everything, of the race and of the naive one, on the same boards.

    `seconds` are in the share of measuring everything.
    """
    ways = {"everything": everything, "race": raced, "naive": lambda w, r: raced(w, r, naive=True)}
    kept: dict[str, list[tuple[float, Result]]] = {way: [] for way in ways}
    for seed, w in worlds:
        rows = w.rows(n, seed)
        for way, run in ways.items():
            kept[way].append(run(w, rows))
    return _shares(kept, "everything")


def _shares(kept: dict[str, list[tuple[float, Result]]], whole: str) -> dict[str, dict[str, float]]:
    """Mean figures of each way, its seconds in the share of those of one."""
    full = sum(seconds for seconds, _ in kept[whole])
    return {
        way: mean(r for _, r in done) | {"seconds": sum(s for s, _ in done) / full}
        for way, done in kept.items()
    }


# --------------------------------------------------------------------------------- question 2


@dataclass(frozen=True)
class DrawnWorld:
    """A board of question 2: `drawn` (K, S + 2, N), the last two draws are for confirmation.

    `default` (K, N) is draw 0 without a search.
    """

    drawn: tuple[Floats, ...]
    default: tuple[Floats, ...]
    truth: Floats
    cost: Floats
    fast: Bools
    still: Bools
    search: Floats
    build: Floats
    use: Floats


_FAST_DRAWS, _SLOW_DRAWS, _LATER = 20, 3, 0.15
"""Draws of fast and slow methods; seconds of a fast method's later draw, its vectors being kept."""


def drawn_world(kind: str, n: int, seed: int, k: int = 12) -> DrawnWorld:
    """Made-up boards of question 2.

    Points are binary from a probit model: .35 of the latent's variance is the row's difficulty, .10
    what a family finds hard, .15 the method's own, .15 the family's on this draw, .25 new. A draw
    moves a fast method by 2 to 6 points (sd), a slow one by 2 to 8, half of it with its family.
    `kind`: `normal` accuracies, `equal`, `trap` (a slow one 5.5 points ahead), `cheap` (a fast one
    ahead), `dear` (a slow one ahead), `search` (that one needs its search).
    """
    rng = np.random.default_rng([20250101, seed])
    fast = np.arange(k) < k // 2
    still = np.zeros(k, dtype=bool)
    still[[0, k // 2]] = True
    p = np.clip(rng.normal(0.74, 0.07, k), 0.2, 0.95)
    p[0] = 0.3
    leader = int(rng.integers(k // 2 + 1, k))
    if kind in ("equal", "trap"):
        p[:] = 0.75
    if kind in ("cheap", "dear", "search"):
        p[1:] = rng.uniform(0.55, 0.74, k - 1)
    ahead = {"trap": 0.805, "dear": 0.83, "search": 0.83}
    if kind in ahead:
        p[leader] = ahead[kind]
    elif kind == "cheap":
        p[2] = 0.80
    sd = np.where(fast, rng.uniform(0.02, 0.06, k), rng.uniform(0.02, 0.08, k))
    sd = np.where(still, 0, sd) * np.sqrt(p * (1 - p) / 0.1875)
    family = np.where(fast, np.arange(k) % 2, 2 + np.arange(k) % 2)
    draws = _FAST_DRAWS + 2
    common, own = rng.standard_normal((4, draws)), rng.standard_normal((k, draws))
    level = np.clip(p[:, None] + sd[:, None] * np.sqrt(0.5) * (common[family] + own), 0.01, 0.99)
    base = np.sqrt(0.35) * rng.standard_normal(n) + np.sqrt(0.15) * rng.standard_normal((k, n))
    base = base + np.sqrt(0.10) * rng.standard_normal((4, n))[family]
    of_draw = np.sqrt(0.15) * rng.standard_normal((4, draws, n))
    gain = np.where(fast | (rng.random(k) < 0.5), 0, np.abs(rng.normal(0, 0.04, k)))
    if kind == "search":
        gain[leader] = 0.10
    drawn, default = [], []
    for m in range(k):
        last = 1 if still[m] else (_FAST_DRAWS if fast[m] else _SLOW_DRAWS) + 2
        which = np.r_[0 : max(last - 2, 1), draws - 2 : draws] if last > 1 else np.zeros(1, int)
        latent = base[m] + of_draw[family[m]][which]
        noise = np.sqrt(0.25) * rng.standard_normal((len(which), n))
        drawn.append((latent + noise < ndtri(level[m, which])[:, None]).astype(np.float64))
        lower = ndtri(np.clip(level[m, 0] - gain[m], 0.01, 0.99))
        default.append(
            (latent[0] + noise[0] < lower).astype(np.float64) if gain[m] else drawn[m][0]
        )
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    truth = np.clip(p[:, None] + sd[:, None] * nodes, 0.01, 0.99) @ weights / weights.sum()
    dear = np.array(list(DEAR.values()), dtype=np.float64)[:, :4]
    dear = dear[np.arange(k - k // 2) % len(dear)]
    return DrawnWorld(
        drawn=tuple(drawn),
        default=tuple(default),
        truth=truth,
        cost=np.r_[90.0 + np.arange(k // 2), dear[:, 3] + np.arange(len(dear))],
        fast=fast,
        still=still,
        search=np.r_[np.full(k // 2, 1.5), dear[:, 0]],
        build=np.r_[np.full(k // 2, 0.4), dear[:, 1]],
        use=np.r_[np.full(k // 2, 0.01), dear[:, 2] / 80],
    )


@dataclass
class DrawBench:
    """What is measured of a world of draws: (draws, rows) of each, and the seconds it took."""

    world: DrawnWorld
    fast_draws: int = _FAST_DRAWS
    seconds: float = 0.0

    def __post_init__(self) -> None:
        w, n = self.world, self.world.drawn[0].shape[1]
        self.draws = np.where(w.fast, np.where(w.still, 1, self.fast_draws), 0)
        self.rows = np.where(w.fast, n, 0)
        self.searched = w.fast.copy()
        each = np.where(self.fast_draws > 3, _LATER + 4e-4 * n, w.build + w.use * n)
        first = w.search + w.build + w.use * n
        self.seconds = float((first + (self.draws - 1) * each)[w.fast].sum())

    def measure(self, m: int, draws: int, rows: int) -> None:
        """Bring a slow contender to so many draws on so many rows."""
        w, draws = self.world, 1 if self.world.still[m] else draws
        new = draws * rows - self.draws[m] * self.rows[m]
        self.seconds += float((draws - self.draws[m]) * w.build[m] + w.use[m] * new)
        self.draws[m], self.rows[m] = draws, rows

    def search(self, m: int) -> None:
        """Choose its settings; where they are its defaults, what was measured stays."""
        self.seconds += float(self.world.search[m])
        self.searched[m] = True
        if not np.array_equal(self.world.default[m], self.world.drawn[m][0]):
            rows = int(self.rows[m])
            self.draws[m] = self.rows[m] = 0
            self.measure(m, 1, rows)

    def columns(self) -> list[Column]:
        """What is measured, as the decision sees it."""
        w, table = self.world, []
        for m in np.flatnonzero(self.draws):
            points = w.drawn[m][: self.draws[m]] if self.searched[m] else w.default[m][None]
            table.append(
                Column(
                    f"{m:02}",
                    points[:, : self.rows[m]],
                    w.cost[m],
                    bool(w.still[m]),
                    fast=bool(w.fast[m]),
                    searched=bool(self.searched[m]),
                )
            )
        return table

    def result(self, before: bool = False) -> tuple[float, Result]:
        """Seconds, and the decision against the truth; a pick of few draws is confirmed."""
        w, table = self.world, self.columns()
        n = len(w.drawn[0][0])

        def fresh(m: int) -> Floats | None:
            if w.still[m] or (self.draws[m] >= 5 and not before):
                return None
            self.seconds += float(2 * (w.build[m] + w.use[m] * n))
            return w.drawn[m][-2:]

        if before:
            d = decision_before.decide(table, fresh)
            ends = (d.low, d.high)
            return self.seconds, result(
                w.truth, d.pick, d.inside, d.verdict, ends, d.score, ends, d.seen
            )
        contest = estimate(table, question=2)
        terms = Terms(question=2, tried=len(w.truth))
        pick = choose(contest, terms).pick
        points = {c.name: c.points for c in table}
        choice = choose(contest, terms, points, fresh(pick))
        return self.seconds, of_choice(w.truth, contest, choice)


def before_drawn(world: DrawnWorld) -> tuple[float, Result]:
    """The rule and the plan as they were: three draws of everything."""
    bench = DrawBench(world, fast_draws=3)
    return _all_drawn(bench).result(before=True)


def now_drawn(world: DrawnWorld) -> tuple[float, Result]:
    """Today's rule, everything measured, twenty draws of what is fast."""
    return _all_drawn(DrawBench(world)).result()


def _all_drawn(bench: DrawBench) -> DrawBench:
    n = len(bench.world.drawn[0][0])
    for m in np.flatnonzero(~bench.world.fast):
        bench.seconds += float(bench.world.search[m])
        bench.searched[m] = True
        bench.measure(int(m), _SLOW_DRAWS, n)
    return bench


def raced_drawn(world: DrawnWorld) -> tuple[float, Result]:
    """The race of question 2: a scout of each slow one, then searches and draws by their gain."""
    bench, n = DrawBench(world), len(world.drawn[0][0])
    steps = racing.draw_steps(n, _SLOW_DRAWS)
    at = {int(m): 0 for m in np.flatnonzero(~world.fast)}
    for m in at:
        bench.measure(m, *steps[0])
    for _ in range((2 * len(steps) + 2) * len(at)):
        table = bench.columns()
        standing = racing.race_draws(table, rows=n, draws=_SLOW_DRAWS, tried=len(world.truth))
        onward = standing.go or standing.blockers
        if not onward:
            break
        for m in map(int, onward):
            if not bench.searched[m]:
                bench.search(m)
            else:
                at[m] += 1
                bench.measure(m, *steps[at[m]])
    return bench.result()


def race_of_draws(kind: str, n: int, boards: int, start: int = 0) -> dict[str, dict[str, float]]:
    """Figures of the rule as it was, of today's and of the race, on the same boards."""
    ways = {"before": before_drawn, "everything": now_drawn, "race": raced_drawn}
    kept: dict[str, list[tuple[float, Result]]] = {way: [] for way in ways}
    for seed in range(start, start + boards):
        w = drawn_world(kind, n, seed)
        for way, run in ways.items():
            kept[way].append(run(w))
    return _shares(kept, "before")
