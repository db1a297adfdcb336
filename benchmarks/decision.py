"""The decision rule on simulated boards whose truth is known: what must hold, and what was seen.

    python benchmarks/decision.py [--boards N] [--write]

`--boards` caps the boards of every simulation (a quick look); `--write` puts the table into
docs/decision.md. One core, no files read, every figure seeded.

Points are binary, from a probit model. Whether method m answers example i after draw s depends on a
latent that is .45 the example's difficulty, .15 what the method's family finds hard, .20 what the
method itself finds hard, .20 fresh noise (shares of variance). A draw moves a method's accuracy by
2 to 8 points (sd), 30% of that variance common to all methods; 30% of the methods know no draws.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from decision_before import (
    Contest,
    corrected,
    could_be_best,
    critical,
    decide,
    estimate,
    forecast_rows,
    intervals,
    picks,
    settled_to,
)
from nshot.board.decide import Column

Floats = NDArray[np.float64]
PAGE = Path(__file__).parents[1] / "docs" / "decision.md"
BEGIN, END = "<!-- simulated: begin -->", "<!-- simulated: end -->"


@dataclass(frozen=True)
class World:
    """A board and the truth behind it. `fresh` (K, 2, n) are draws nobody chose on."""

    columns: list[Column]
    truth: Floats
    fresh: Floats

    def first_rows(self, n: int) -> list[Column]:
        return [
            Column(c.name, c.points[:, :n], c.cost, c.deterministic, c.allowed)
            for c in self.columns
        ]


def rows_only(columns: list[Column]) -> Contest:
    """The board of a paired test on rows, as most people do it: the draws are taken for certain."""
    rows = np.array([c.points.mean(axis=0) for c in columns])
    board = estimate(columns)
    return replace(board, E=np.cov(rows) / board.n, s2=np.zeros(len(columns)))


def accuracies(kind: str, k: int, rng: np.random.Generator) -> Floats:
    """True accuracies of the four kinds of board, (k,)."""
    if kind == "equal":
        return np.full(k, 0.75)
    if kind == "close":
        return np.concatenate([[0.80, 0.79, 0.78, 0.77], rng.uniform(0.50, 0.74, k - 4)])
    if kind == "spread":
        return np.concatenate([[0.80], rng.uniform(0.55, 0.80, k - 1)])
    if kind == "normal":
        return np.clip(rng.normal(0.75, 0.06, k), 0.05, 0.95)
    if kind == "wide":
        return rng.uniform(0.55, 0.90, k)
    return np.full(k, 0.96)


def world(
    kind: str,
    k: int,
    n: int,
    draws: int,
    seed: int,
    sd: tuple[float, float] = (0.02, 0.08),
) -> World:
    """One simulated board of `k` methods; cost ranks correlate .5 with accuracy."""
    rng = np.random.default_rng([20240617, seed])
    accuracy = accuracies(kind, k, rng)
    fixed = rng.random(k) < 0.3
    spread = np.where(fixed, 0, rng.uniform(*sd, k))
    draw = np.sqrt(0.3) * rng.standard_normal(draws + 2) + np.sqrt(0.7) * rng.standard_normal(
        (k, draws + 2)
    )
    level = np.clip(accuracy[:, None] + spread[:, None] * draw, 0.01, 0.99)
    latent = np.sqrt(0.45) * rng.standard_normal(n)
    latent = latent + (np.sqrt(0.15) * rng.standard_normal((4, n)))[rng.integers(0, 4, k)]
    latent = latent + np.sqrt(0.20) * rng.standard_normal((k, n))
    noise = np.sqrt(0.20) * rng.standard_normal((k, draws + 2, n))
    points = (latent[:, None] + noise < ndtri(level)[:, :, None]).astype(np.float64)
    points[fixed] = points[fixed][:, :1]
    known = accuracy.std() or 1.0
    cost = 0.5 * (accuracy - accuracy.mean()) / known + np.sqrt(0.75) * rng.standard_normal(k)
    columns = [
        Column(f"m{m:02d}", points[m, : 1 if fixed[m] else draws], float(np.exp(cost[m])), fixed[m])
        for m in range(k)
    ]
    return World(columns, _clipped_mean(accuracy, spread), points[:, draws:])


def _clipped_mean(accuracy: Floats, spread: Floats) -> Floats:
    """Mean accuracy over draws once the draws are clipped into [.01, .99], (K,)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    level = np.clip(accuracy[:, None] + spread[:, None] * nodes, 0.01, 0.99)
    return np.asarray(level @ weights / weights.sum())


def worlds(
    boards: int,
    kind: str,
    k: int,
    n: int,
    draws: int,
    sd: tuple[float, float] = (0.02, 0.08),
    start: int = 0,
) -> Iterator[World]:
    return (world(kind, k, n, draws, start + b, sd) for b in range(boards))


def the_set(board: Contest, alpha: float = 0.05) -> NDArray[np.bool_]:
    return could_be_best(board.p, board.se, critical(alpha, len(board.p)))


def kept(
    boards: int,
    n: int = 300,
    of: Callable[[list[Column]], Contest] = estimate,
    draws: int = 3,
    sd: tuple[float, float] = (0.02, 0.08),
) -> tuple[float, float]:
    """(share of *equal* boards whose first method stays in the set, mean size of the set)."""
    sets = np.array([the_set(of(w.columns)) for w in worlds(boards, "equal", 12, n, draws, sd)])
    return float(sets[:, 0].mean()), float(sets.sum(axis=1).mean())


def covered(boards: int, kind: str, n: int, sd: tuple[float, float]) -> float:
    """Share of 95% intervals of single methods that hold the truth."""
    hits = []
    for w in worlds(boards, kind, 12, n, 3, sd):
        ends = intervals(estimate(w.columns))
        hits.append((ends[:, 0] <= w.truth) & (w.truth <= ends[:, 1]))
    return float(np.mean(hits))


def pick_score(
    boards: int, kind: str, k: int, n: int, confirm: bool
) -> tuple[float, float, float, float]:
    """(bias, coverage, bias uncorrected, width) of the pick's score at give-up 2, three draws."""
    rows = []
    for w in worlds(boards, kind, k, n, 3):
        board, z = estimate(w.columns), critical(0.05, k)
        pick = int(picks(board.p[None], the_set(board)[None], board, 0.02)[0])
        fresh = w.fresh[pick] if confirm else None
        _, score, low, high = corrected(board, pick, z, 0.02, fresh)
        truth = w.truth[pick]
        rows.append((score - truth, low <= truth <= high, board.p[pick] - truth, high - low))
    bias, coverage, naive, width = np.mean(np.array(rows, dtype=np.float64), axis=0)
    return float(bias), float(coverage), float(naive), float(width)


def regret(boards: int, n: int = 100, draws: int = 3) -> dict[str, tuple[float, float]]:
    """(accuracy lost to the true best, mean cost rank 0..1) of three ways to pick; K = 12."""
    rules = {"top score": 0.0, "give-up 2": 0.02, "cheapest in the set": 1.0}
    lost: dict[str, list[tuple[float, float]]] = {rule: [] for rule in rules}
    for w in worlds(boards, "normal", 12, n, draws):
        board = estimate(w.columns)
        rank = board.cost.argsort().argsort() / (len(board.p) - 1)
        for rule, give_up in rules.items():
            pick = picks(board.p[None], the_set(board)[None], board, give_up)[0]
            lost[rule].append((w.truth.max() - w.truth[pick], rank[pick]))
    return {rule: tuple(np.mean(pairs, axis=0).tolist()) for rule, pairs in lost.items()}


def forecast_and_fact(boards: int, factor: int = 5, delta: float = 0.08) -> tuple[float, float]:
    """Mean forecast of "settled" at `factor` * 60 rows, and how often it was so."""
    said, fact = [], []
    z = critical(0.05, 12)
    for w in worlds(boards, "normal", 12, 60 * factor, 3):
        said.append(forecast_rows(estimate(w.first_rows(60)), z, factor, 0.02, delta))
        board = estimate(w.columns)
        pick = picks(board.p[None], the_set(board)[None], board, 0.02)
        fact.append(settled_to(board.p[None], pick, board.se, z, board.allowed)[0] <= delta)
    return float(np.mean(said)), float(np.mean(fact))


def visible(boards: int, n: int, draws: int) -> float:
    """Mean difference that a board of 12 *normal* methods sees four times in five."""
    seen = [decide(w.columns).seen or 0.0 for w in worlds(boards, "normal", 12, n, draws)]
    return float(np.mean(seen))


def seconds(k: int = 30, draws: int = 5, n: int = 1000) -> float:
    """Processor seconds of one whole decision on an unsettled board."""
    columns = world("close", k, n, draws, seed=0).columns
    start = time.process_time()
    decide(columns)
    return time.process_time() - start


Row = tuple[str, str, str, bool]


def _set_rows(boards: Callable[[int], int]) -> Iterator[Row]:
    seen, size = kept(boards(2000))
    yield (
        "Twelve equal methods, 300 rows, 3 draws: one given method stays in the set",
        "≥ 92%",
        (f"{seen:.1%}, mean size {size:.1f}"),
        seen >= 0.92,
    )
    seen, size = kept(boards(2000), of=rows_only)
    yield (
        "The same by a paired test that ignores the draws (must be seen to fail)",
        "< 75%",
        (f"{seen:.1%}, mean size {size:.1f}"),
        seen < 0.75,
    )
    seen, size = kept(boards(1000), n=1000, of=rows_only)
    yield (
        "That test with 1,000 rows: more rows make it worse (must be seen)",
        "< 60%",
        (f"{seen:.1%}, mean size {size:.1f}"),
        seen < 0.60,
    )


def _interval_rows(boards: Callable[[int], int]) -> Iterator[Row]:
    seen = covered(boards(1000), "wide", 300, (0.02, 0.08))
    yield (
        "95% intervals, accuracy .55-.90, 300 rows, 3 draws: hold the truth",
        "93-97.5%",
        (f"{seen:.1%}"),
        0.93 <= seen <= 0.975,
    )
    seen = covered(boards(1000), "high", 60, (0.005, 0.02))
    yield (
        "The same, accuracy .96, 60 rows, draw sd .5-2 points",
        "≥ 93%",
        f"{seen:.1%}",
        (seen >= 0.93),
    )


def _score_rows(boards: Callable[[int], int]) -> Iterator[Row]:
    bias, coverage, naive, width = pick_score(boards(2000), "close", 12, 300, confirm=False)
    yield (
        "Score of the pick, four close methods of 12: bias",
        "within 1.2 points",
        (f"{100 * bias:+.1f} points"),
        abs(bias) <= 0.012,
    )
    yield (
        "Its interval holds the truth",
        "≥ 91%",
        (f"{coverage:.1%}, {100 * width:.0f} points wide"),
        coverage >= 0.91,
    )
    yield (
        "The same score uncorrected: bias (must be seen)",
        "≥ 2 points",
        (f"{100 * naive:+.1f} points"),
        naive >= 0.02,
    )
    bias, coverage, _, width = pick_score(boards(1000), "normal", 30, 1000, confirm=True)
    yield (
        "Score after two fresh draws, 30 methods, 1,000 rows: holds the truth",
        "≥ 88%",
        (f"{coverage:.1%}, {100 * width:.0f} points wide, bias {100 * bias:+.1f}"),
        coverage >= 0.88,
    )


def _pick_rows(boards: Callable[[int], int]) -> Iterator[Row]:
    lost = {rule: (100 * a, rank) for rule, (a, rank) in regret(boards(2000)).items()}
    top, ours, cheap = lost.values()
    yield (
        "Accuracy lost to the true best, 12 methods, 100 rows, 3 draws: give-up 2",
        ("≤ 1 point more than the top score"),
        f"{ours[0]:.1f} (top score {top[0]:.1f}); cost rank {ours[1]:.2f} ({top[1]:.2f})",
        (ours[0] <= top[0] + 1),
    )
    yield (
        "The same for the cheapest of the set (must be seen to lose)",
        "≥ 5 points",
        (f"{cheap[0]:.1f}; cost rank {cheap[1]:.2f}"),
        cheap[0] >= 5,
    )
    said, fact = forecast_and_fact(boards(1000))
    yield (
        "Forecast from 60 rows of 'settled to 8 points' at 300, against the fact",
        ("within .12"),
        f"{said:.2f} said, {fact:.2f} happened",
        abs(said - fact) <= 0.12,
    )
    took = seconds()
    yield (
        "One decision, 30 methods x 5 draws x 1,000 rows, one core",
        "< 2 s",
        f"{took:.2f} s",
        (took < 2),
    )


def _open_rows(boards: Callable[[int], int]) -> Iterator[Row]:
    """What a reader should know and no bound is set for."""
    once, _ = kept(boards(1000), draws=1)
    wild, _ = kept(boards(1000), draws=1, sd=(0.06, 0.12))
    yield (
        "One draw: one given of twelve equal methods stays in the set",
        "none",
        (f"{once:.1%}; {wild:.1%} if methods move 6-12 points where 5 is assumed"),
        True,
    )
    sizes = ((100, 3), (300, 3), (1000, 3), (300, 5), (300, 10))
    seen = [f"{n} x {s}: {100 * visible(boards(100), n, s):.0f}" for n, s in sizes]
    yield "Smallest difference seen reliably, rows x draws: points", "none", ", ".join(seen), True


def table(boards: Callable[[int], int]) -> tuple[str, bool]:
    """The Markdown table, and whether every bound holds."""
    lines = ["| what must hold | bound | seen | |", "|---|---|---|---|"]
    fine = True
    for part in (_set_rows, _interval_rows, _score_rows, _pick_rows, _open_rows):
        for what, bound, seen, holds in part(boards):
            lines.append(f"| {what} | {bound} | {seen} | {_mark(bound, holds)} |")
            print(lines[-1], flush=True)
            fine &= holds
    return "\n".join(lines), fine


def _mark(bound: str, holds: bool) -> str:
    return "" if bound == "none" else "holds" if holds else "**missed**"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boards", type=int, help="at most so many boards per simulation")
    parser.add_argument("--write", action="store_true", help="put the table into docs/decision.md")
    asked = parser.parse_args()
    text, fine = table(lambda full: min(full, asked.boards or full))
    if asked.write:
        page = PAGE.read_text(encoding="utf-8")
        head, rest = page.split(BEGIN)
        PAGE.write_text(
            f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8", newline="\n"
        )
    return 0 if fine else 1


if __name__ == "__main__":
    raise SystemExit(main())
