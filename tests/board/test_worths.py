"""The worth of a prompt's parts: paired, in whole groups, and all intervals together at 95 %."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from nshot.board.ablation import worths


def test_one_part_is_students_interval_of_the_paired_differences() -> None:
    rng = np.random.default_rng(0)
    whole, without = rng.random(40), rng.random(40)
    (part,) = worths(whole, {"persona": without})
    reference = stats.ttest_rel(whole, without).confidence_interval(0.95)
    assert (part.low, part.high) == pytest.approx((reference.low, reference.high))
    assert part.difference == pytest.approx((whole - without).mean())
    assert part.without == pytest.approx(without.mean())


def test_a_part_that_is_worth_ten_points_pays_and_its_opposite_harms() -> None:
    rng = np.random.default_rng(1)
    base = rng.random(400)
    parts = worths(base, {"good": base - 0.1 + rng.normal(0, 0.1, 400),
                          "bad": base + 0.1 + rng.normal(0, 0.1, 400),
                          "idle": base + rng.normal(0, 0.1, 400)})  # fmt: skip
    assert [part.worth for part in parts] == ["pays", "harms", "cannot tell"]


def test_of_idle_parts_one_in_twenty_tables_calls_any_worth_something() -> None:
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(600):
        whole = rng.random(100) < 0.7
        without = {str(k): (rng.random(100) < 0.7).astype(float) for k in range(6)}
        wrong += any(p.worth != "cannot tell" for p in worths(whole.astype(float), without))
    assert wrong <= stats.binom.ppf(0.999, 600, 0.05)


def test_rows_of_a_group_count_as_one() -> None:
    rng = np.random.default_rng(3)
    apart = np.repeat(rng.normal(0.1, 0.3, 12), 20)
    groups = list(np.repeat(np.arange(12), 20))
    alone, grouped = (worths(apart, {"x": np.zeros(240)}, g)[0] for g in (None, groups))
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)
    (one,) = worths(apart, {"x": np.zeros(240)}, [0] * 240)
    assert (one.low, one.high) == (-1.0, 1.0)
