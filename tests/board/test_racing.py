"""The race: who goes on, who is put aside, who is finished for the verdict's sake."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from columns import boards, coins, column, few
from hypothesis import given
from hypothesis import strategies as st

from nshot.board.decide import Column, decide
from nshot.board.racing import (
    GOES_ON,
    MORE_STEPS,
    blocks,
    chance_before_test,
    draw_steps,
    hopeless,
    looks_of,
    race,
    race_draws,
)

N = 300


def level(rows: np.ndarray, right: float) -> np.ndarray:
    """The rows that are easiest, so that exactly this share is right."""
    points = np.zeros(len(rows))
    points[np.argsort(rows, kind="stable")[: round(right * len(rows))]] = 1
    return points


def heads(right: tuple[float, ...] = (0.8, 0.78, 0.7, 0.6), n: int = N) -> list[Column]:
    """Fast contenders that find much the same rows hard; the rows are in no order."""
    hard = np.random.default_rng(0).normal(0, 0.7, n)
    noise = np.random.default_rng(1).normal(0, 0.5, (len(right), n))
    return [column(f"head{m}", level(hard + noise[m], p), 1.0 + m) for m, p in enumerate(right)]


def slow(name: str, right: float, rows: int = N, seed: int = 2, **more: Any) -> Column:
    hard = np.random.default_rng(0).normal(0, 0.7, N)
    points = level(hard + np.random.default_rng(seed).normal(0, 0.5, N), right)[:rows]
    return column(name, points, **({"cost": 50.0, "fast": False} | more))


# -------------------------------------------------------------------------------- blocks, steps


@pytest.mark.parametrize(
    ("rows", "ends"),
    [(60, (60,)), (149, (149,)), (150, (100, 150)), (300, (100, 300)), (1000, (100, 300, 1000))],
)
def test_blocks_of_rows(rows: int, ends: tuple[int, ...]) -> None:
    assert blocks(rows) == ends


def test_blocks_end_where_a_group_does() -> None:
    groups = [i // 7 for i in range(400)]
    assert blocks(400, groups) == (105, 400)
    many = [i // 7 for i in range(1000)]
    assert blocks(1000, many) == (105, 301, 1000)
    assert all(many[end - 1] != many[end] for end in (105, 301))
    assert blocks(200, [0] * 180 + [1] * 20) == (200,)


def test_steps_of_draws() -> None:
    assert draw_steps(1000, 3) == ((1, 100), (1, 300), (2, 300), (3, 300), (3, 1000))
    assert draw_steps(80, 2) == ((1, 80), (2, 80))
    groups = [i // 7 for i in range(400)]
    assert draw_steps(400, 2, groups) == ((1, 105), (1, 400), (2, 400)), "groups stay whole"
    assert draw_steps(300, 3) == ((1, 100), (1, 300), (2, 300), (3, 300))


# ------------------------------------------------------------------------------- before any row


def test_who_is_far_behind_on_validation_rows_is_put_aside() -> None:
    head = coins("head", 0.85, 100).points[0]
    chances = [chance_before_test(coins("x", p, 100, seed=4).points[0], head) for p in (0.4, 0.8)]
    assert chances[0] < 0.05 < chances[1]
    assert chance_before_test(head, head) > 0.5, "five points may still come of its search"


def test_a_trial_ends_early_only_for_who_is_far_behind() -> None:
    head = np.ones(64)
    head[::7] = 0
    for rows, _ in looks_of(short=False):
        assert hopeless(np.zeros(rows), head)
        assert not hopeless(head[:rows] * (np.arange(rows) % 10 > 0), head)
    assert not hopeless(np.zeros(15), head), "nobody looks before 16 rows"


@pytest.mark.parametrize("short", [False, True])
def test_who_would_just_be_the_pick_is_lost_in_at_most_one_trial_of_twenty(short: bool) -> None:
    """All looks together. A short trial leaves more to come, so that it may be further behind."""
    rng, rows = np.random.default_rng(3), looks_of(short)[-1][0]
    behind = 0.05 - 0.02 + MORE_STEPS * short
    for right in (0.5, 0.8, 0.95):
        lost = [
            hopeless(own.astype(float), best.astype(float), short)
            for own, best in zip(
                rng.random((400, rows)) < right - behind, rng.random((400, rows)) < right,
                strict=True,
            )
        ]  # fmt: skip
        assert np.mean(lost) <= GOES_ON
    levels = [level for which in (False, True) for _, level in looks_of(which)]
    assert sum(levels) <= GOES_ON


def test_few_validation_rows_put_nobody_near_aside() -> None:
    head = np.ones(30)
    near = np.r_[np.zeros(3), np.ones(27)]
    assert chance_before_test(near, head) >= 0.05


# ------------------------------------------------------------------------------------- question 1


def test_the_hopeless_stop_and_the_near_go_on() -> None:
    columns = [*heads(), slow("bad", 0.4, 100, searched=False), slow("near", 0.82, 100)]
    s = race(columns, rows=N)
    assert s.pick == "head0"
    assert s.go == ("near",)
    assert s.chance["bad"] < 0.05 < s.chance["near"]
    assert set(s.chance) == {"bad", "near"}


def test_a_search_may_bring_five_points() -> None:
    """Seven points behind and dear: without a search it may come within reach, with one not."""
    dear = slow("dear", 0.74, searched=False)
    assert race([*heads(), dear], rows=N).chance["dear"] >= 0.05
    partial = slow("dear", 0.72, 299)
    assert race([*heads(), partial], rows=N).chance["dear"] < 0.05


def test_who_is_cheaper_needs_less() -> None:
    partial = slow("other", 0.79, 200)
    dear = race([*heads(), partial], rows=N).chance["other"]
    cheap = race([*heads(), replace(partial, cost=0.1)], rows=N).chance["other"]
    assert cheap > dear


def test_who_costs_the_same_only_has_to_be_better() -> None:
    partial = slow("other", 0.8, 200, cost=1.3)
    alike = race([*heads(), partial], rows=N).chance["other"]
    dear = race([*heads(), replace(partial, cost=9.0)], rows=N).chance["other"]
    cheap = race([*heads(), replace(partial, cost=0.1)], rows=N).chance["other"]
    assert dear < alike < cheap


def test_the_pick_itself_is_measured_to_the_end() -> None:
    s = race([*heads(), slow("best", 0.95, 100)], rows=N)
    assert (s.pick, s.go) == ("best", ("best",))


def test_what_the_wish_excludes_is_not_raced() -> None:
    s = race([*heads(), slow("best", 0.95, 100, allowed=False)], rows=N)
    assert (s.chance, s.go, s.blockers) == ({}, (), ())


def test_without_fast_contenders_the_first_block_is_compared_with_itself() -> None:
    s = race([slow("a", 0.9, 100), slow("b", 0.3, 100, seed=5)], rows=N)
    assert s.go == ("a",)
    assert s.chance["b"] < 0.05


def test_who_alone_keeps_the_verdict_open_is_finished_where_that_may_settle_it() -> None:
    """Nobody else is likely to be picked, but 100 rows leave room for more than five points."""
    fast, lora = heads((0.9, 0.6, 0.55)), slow("lora", 0.85, 100, seed=9)
    s = race([*fast, lora], rows=N, tried=30)
    assert s.chance["lora"] < 0.05
    assert decide([*fast, lora], tried=30).verdict == "cannot_tell"
    assert (s.go, s.blockers) == ((), ("lora",))
    tie = column("tie", coins("tie", 0.9, N).points, 0.5)
    assert race([*fast, tie, lora], rows=N, tried=30).blockers == (), "another keeps it open too"
    few_rows = [replace(c, points=c.points[:, : 40 if c.fast else 20]) for c in [*fast, lora]]
    assert race(few_rows, rows=40).blockers == (), "so few rows have no verdict"


@few
@given(columns=boards(), order=st.randoms(use_true_random=False))
def test_a_round_depends_on_nothing_but_what_was_measured(
    columns: list[Column], order: Any
) -> None:
    n = max(c.rows for c in columns) + 5
    groups = [i // 3 for i in range(n)]
    mixed = list(columns)
    order.shuffle(mixed)
    assert race(columns, rows=n, groups=groups) == race(mixed, rows=n, groups=groups)
    first, second = (race_draws(c, rows=n, draws=3, groups=groups) for c in (columns, mixed))
    assert first == second
    for s in (first, race(columns, rows=n)):
        names = {c.name for c in columns}
        assert {s.pick, *s.go, *s.blockers} <= names
        assert not (s.go and s.blockers)


# ------------------------------------------------------------------------------------- question 2


def drawn(name: str, right: float, draws: int, rows: int = N, **more: Any) -> Column:
    hard = np.random.default_rng(0).normal(0, 0.7, N)
    points = [
        level(hard + np.random.default_rng([s, *name.encode()]).normal(0, 0.5, N), right)
        for s in range(draws)
    ]
    return column(name, np.array(points)[:, :rows], **({"cost": 50.0, "fast": False} | more))


def quick() -> list[Column]:
    return [
        drawn(f"head{m}", p, 20, cost=1.0 + m, fast=True)
        for m, p in enumerate((0.8, 0.79, 0.7, 0.6))
    ]


def test_scouts_that_promise_nothing_get_no_search() -> None:
    scouts = [
        drawn("bad", 0.5, 1, 100, searched=False),
        drawn("near", 0.78, 1, 100, searched=False),
    ]
    s = race_draws([*quick(), *scouts], rows=N, draws=3)
    assert s.go == ("near",)
    assert s.gain["near"] > 0.002 > s.gain["bad"]


def test_gain_falls_as_a_contender_is_measured() -> None:
    gains = []
    for draws, rows in draw_steps(N, 3)[:-1]:
        s = race_draws([*quick(), drawn("x", 0.8, draws, rows)], rows=N, draws=3)
        gains.append(s.gain["x"])
    assert gains == sorted(gains, reverse=True)
    done = race_draws([*quick(), drawn("x", 0.8, 3)], rows=N, draws=3)
    assert done.gain == {}


def test_a_clear_leader_ends_the_race_early() -> None:
    fast = [drawn("head0", 0.95, 20, cost=1.0, fast=True), drawn("head1", 0.4, 20, fast=True)]
    s = race_draws([*fast, drawn("slow", 0.4, 1, 100)], rows=N, draws=3)
    assert (s.settled, s.go, s.blockers) == (True, (), ())


def test_the_pick_goes_on_where_it_is_settled_and_nobody_else_does() -> None:
    """What has not answered all rows could not be taken in the end."""
    fast = [drawn("head0", 0.5, 20, cost=1.0, fast=True), drawn("head1", 0.4, 20, fast=True)]
    s = race_draws([*fast, drawn("slow", 0.97, 2, 200), drawn("x", 0.6, 1, 100)], rows=N, draws=3)
    assert (s.pick, s.settled, s.go) == ("slow", True, ("slow",))


def test_who_knows_no_draws_still_has_rows_to_answer() -> None:
    prompt = drawn("zero_shot", 0.8, 1, 100, deterministic=True)
    assert race_draws([*quick(), prompt], rows=N, draws=3).gain["zero_shot"] > 0
    whole = drawn("zero_shot", 0.8, 1, deterministic=True)
    assert race_draws([*quick(), whole], rows=N, draws=3).gain == {}
