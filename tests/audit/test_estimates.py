"""Figures against formulas by hand, and intervals that hold as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from nshot.audit.estimates import Figure, difference, estimate, held, share


def shares(values: np.ndarray, groups: np.ndarray | None = None, neutral: float | None = 0.5):
    parts = np.stack([values, np.ones(len(values))], axis=1).astype(np.float64)
    places = np.arange(len(values)) if groups is None else groups
    return Figure("share", "all", parts, places, share, neutral=neutral)


def test_the_jackknife_of_a_mean_is_its_textbook_error() -> None:
    """Without groups: t * s / sqrt(n) around the mean."""
    values = np.array([0.1, 0.9, 0.4, 0.3, 0.8, 0.35, 0.2, 0.7] * 5)
    one = estimate(Figure("m", "all", np.stack([values, np.ones(40)], axis=1), np.arange(40),
                          share, -np.inf, np.inf, 0.5))  # fmt: skip
    error = values.std(ddof=1) / 40**0.5
    assert one.value == pytest.approx(values.mean())
    assert one.high - one.value == pytest.approx(2.022691 * error, rel=1e-5)  # t of 39 at .975
    assert one.p == pytest.approx(ttest_1samp(values, 0.5).pvalue)


def test_rows_of_a_group_that_are_all_alike_count_once() -> None:
    values = np.repeat(np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 0]), 20)
    alone, grouped = estimate(shares(values)), estimate(shares(values, np.repeat(range(10), 20)))
    assert grouped.high - grouped.low > 4 * (alone.high - alone.low)
    assert (grouped.rows, grouped.groups) == (200, 10)


@pytest.mark.parametrize("value", [0, 1])
def test_rows_that_are_all_alike_are_not_sure(value: int) -> None:
    one = estimate(shares(np.full(30, value)))
    assert one.value == value
    assert 0.05 < one.high - one.low < 0.2
    assert 0 <= one.low <= one.high <= 1


def test_one_group_says_nothing() -> None:
    one = estimate(shares(np.array([1, 0, 1]), np.zeros(3, dtype=int)))
    assert (one.low, one.high, one.p) == (0.0, 1.0, 1.0)


def test_a_difference_is_of_pairs() -> None:
    """By hand: the paired variance of d, and 2 / n^2 more."""
    before = np.array([1, 0, 1, 0, 1, 1, 0, 0, 1, 0] * 4)
    after = before.copy()
    after[:4] = 1
    d = after - before
    change = difference(shares(before), shares(after))
    error = (d.var(ddof=1) / 40 + 2 / 40**2) ** 0.5
    assert change.value == pytest.approx(2 / 40)
    assert change.high - change.value == pytest.approx(2.022691 * error, rel=1e-5)


def test_the_same_answers_differ_by_nothing() -> None:
    values = np.array([1, 0, 1, 1] * 10)
    change = difference(shares(values), shares(values))
    assert change.value == 0
    assert change.p == 1.0
    with pytest.raises(ValueError, match="other rows"):
        difference(shares(values), shares(values, np.zeros(40, dtype=int)))


def test_holm_by_hand() -> None:
    """Of .01, .04, .03: 3 * .01, then 2 * .03, then not below that."""
    assert held([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert held([]) == []
    assert held([0.9, 0.8]) == [1.0, 1.0]


def test_the_interval_holds_the_truth_19_times_in_20_and_rows_alone_do_not() -> None:
    """40 groups of 5 rows with a leaning each: true share .5."""
    random = np.random.default_rng(0)
    groups, inside, naive = np.repeat(np.arange(40), 5), 0, 0
    for _ in range(200):
        leaning = np.repeat(random.beta(1, 1, 40), 5)
        values = (random.random(200) < leaning).astype(int)
        by_groups, by_rows = estimate(shares(values, groups)), estimate(shares(values))
        inside += by_groups.low <= 0.5 <= by_groups.high
        naive += by_rows.low <= 0.5 <= by_rows.high
    assert inside >= 183
    assert naive < 175


def test_of_200_adaptations_that_changed_nothing_few_raise_an_alarm() -> None:
    """Eight figures of 60 rows in 20 groups; answers flip both ways alike. Held: 5 % of them."""
    random, alarms = np.random.default_rng(1), 0
    groups = np.repeat(np.arange(20), 3)
    for _ in range(200):
        ps = []
        for _ in range(8):
            before = (random.random(60) < np.repeat(random.beta(4, 4, 20), 3)).astype(int)
            flips = random.random(60) < 0.25
            after = np.where(flips, random.integers(0, 2, 60), before)
            before = np.where(flips, random.integers(0, 2, 60), before)
            ps.append(difference(shares(before, groups), shares(after, groups)).p)
        alarms += min(held(ps)) < 0.05
    assert alarms <= 16


def test_an_adaptation_that_moved_one_figure_of_eight_is_seen() -> None:
    random, seen = np.random.default_rng(2), 0
    for _ in range(50):
        ps = []
        for moved in (1, 0, 0, 0, 0, 0, 0, 0):
            before = random.integers(0, 2, 60)
            after = np.where(random.random(60) < 0.6, 1, before) if moved else before
            ps.append(difference(shares(before), shares(after)).p)
        seen += held(ps)[0] < 0.05
    assert seen >= 48
