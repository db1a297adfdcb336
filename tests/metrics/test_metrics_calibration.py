"""Calibration error, Brier score and shares: by hand, by simulation, and whole groups."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.metrics.calibration import (
    bins,
    brier,
    calibration_error,
    mean,
    reliability,
    share,
)


def world(rows: int, heat: float, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """(what is said, what comes true) of answers that are `heat` times too sure, in logits."""
    truth = 1 / (1 + np.exp(-np.abs(rng.normal(0, 2, rows))))
    said = 1 / (1 + ((1 - truth) / truth) ** heat)
    return said, truth


# ------------------------------------------------------------------------------- by hand


def test_the_brier_score_by_hand() -> None:
    """(.7 - 1)^2 + .2^2 + .1^2 = .14; .7^2 + (.2 - 1)^2 + .1^2 = 1.14; a sure right answer 0."""
    logprobs = np.log([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [1.0, 1e-300, 1e-300]])
    assert brier(logprobs, np.array([0, 1, 0])) == pytest.approx([0.14, 1.14, 0.0])


def test_two_bins_by_hand() -> None:
    """Of 20 rows two bins: ten at .6 with 9 right, ten at .9 with 5 right.

    Gaps .3 and -.4; the variance of a mean of ten 0s and 1s is p (1 - p) / 9: .01 and .025 / .9.
    """
    said = np.repeat([0.6, 0.9], 10)
    right = np.array([True] * 9 + [False] + [True] * 5 + [False] * 5)
    squares = (0.3**2 - 0.09 / 9 + 0.4**2 - 0.25 / 9) / 2
    error = calibration_error(said, right)
    assert error is not None
    assert error.value == pytest.approx(squares**0.5)
    assert error.low < error.value < error.high
    first, second = reliability(said, right)
    assert (first.rows, first.probability, first.right.value) == (10, pytest.approx(0.6), 0.9)
    assert (second.rows, second.probability, second.right.value) == (10, pytest.approx(0.9), 0.5)


def test_a_share_is_wilsons() -> None:
    """8 of 10: Wilson 1927, eq. 5 with z = 1.96: .490 to .943."""
    hits = np.array([True] * 8 + [False] * 2 + [True] * 5)
    among = np.array([True] * 10 + [False] * 5)
    assert share(hits, among) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    many = np.array([True] * 800 + [False] * 200)
    ends = share(many, np.ones(1000, dtype=bool))
    assert ends == pytest.approx((0.8, 0.7741, 0.8236), abs=1e-4)


def test_all_none_and_nothing() -> None:
    ones = np.ones(20, dtype=bool)
    assert share(ones, ones) == pytest.approx((1.0, 0.8389, 1.0), abs=1e-3)
    assert share(~ones, ones) == pytest.approx((0.0, 0.0, 0.1611), abs=1e-3)
    assert share(ones, ~ones) == (0.0, 0.0, 1.0)
    assert mean(np.full(5, 0.4)) == (0.4, 0.4, 0.4)


def test_the_mean_is_students() -> None:
    from scipy import stats

    values = np.random.default_rng(0).uniform(0, 1, 30)
    ends = stats.t.interval(0.95, 29, values.mean(), stats.sem(values))
    assert mean(values) == pytest.approx((values.mean(), *ends))


# ------------------------------------------------------------------------------- the bins


@given(st.lists(st.floats(0, 1), max_size=400))
def test_bins_hold_ten_rows_and_equal_probabilities_together(said: list[float]) -> None:
    values = np.array(said)
    place = bins(values)
    if len(said) < 20:
        assert place is None
        return
    assert place is not None
    assert np.bincount(place).min() >= 10
    assert place.max() < 15
    order = np.argsort(values, kind="stable")
    assert np.all(np.diff(place[order]) >= 0)
    for value in set(said):
        assert len(set(place[values == value])) == 1


@given(st.permutations(range(60)))
def test_the_order_of_rows_changes_nothing(order: list[int]) -> None:
    rng = np.random.default_rng(3)
    said, truth = world(60, 2.0, rng)
    right = rng.random(60) < truth
    turned = np.array(order)
    expected, error = calibration_error(said, right), calibration_error(said[turned], right[turned])
    assert error == pytest.approx(expected, abs=1e-12)


def test_one_probability_for_all_is_one_bin() -> None:
    error = calibration_error(np.full(100, 0.5), np.arange(100) < 80)
    assert error is not None
    assert error.value == pytest.approx((0.3**2 - 0.16 / 99) ** 0.5)
    assert calibration_error(np.full(19, 0.5), np.ones(19, dtype=bool)) is None
    assert reliability(np.full(19, 0.5), np.ones(19, dtype=bool)) == ()


# ------------------------------------------------------------------------- what it is true of


@pytest.mark.parametrize("heat", [1.0, 2.0, 4.0])
def test_its_interval_holds_the_truth(heat: float) -> None:
    """Of 300 rows, 300 times; where nothing is wrong the plain error of the bins is 9 points."""
    rng = np.random.default_rng(4)
    said, truth = world(200_000, heat, rng)
    parts = np.array_split(np.argsort(said), 200)
    gaps = [(said[one] - truth[one]).mean() for one in parts]
    exact = float(np.mean(np.square(gaps))) ** 0.5
    held, values = 0, []
    for _ in range(300):
        said, truth = world(300, heat, rng)
        error = calibration_error(said, rng.random(300) < truth)
        assert error is not None
        held += error.low <= exact + 1e-9 <= error.high + 1e-9
        values.append(error.value)
    assert held >= 0.92 * 300
    assert np.mean(values) == pytest.approx(exact, abs=0.025)


def test_copies_of_a_row_count_once() -> None:
    """Five copies of each of 100 rows: by groups the ends are those of 100 rows, not of 500."""
    rng = np.random.default_rng(5)
    said, truth = world(100, 2.0, rng)
    right = rng.random(100) < truth
    groups = np.repeat(np.arange(100), 5)
    once = share(right, np.ones(100, dtype=bool))
    copies = np.repeat(right, 5), np.ones(500, dtype=bool)
    assert share(*copies, groups) == pytest.approx(once, abs=1e-2), "but for n - 1"
    assert share(*copies).high - share(*copies).low < 0.6 * (once.high - once.low)
    values = rng.uniform(0, 1, 100)
    assert mean(np.repeat(values, 5), groups) == pytest.approx(mean(values))
    alone = calibration_error(np.repeat(said, 5), np.repeat(right, 5), groups)
    plain = calibration_error(np.repeat(said, 5), np.repeat(right, 5))
    assert alone is not None
    assert plain is not None
    assert alone.high - alone.low > 1.5 * (plain.high - plain.low)


def test_one_group_says_nothing_of_others() -> None:
    values = np.random.default_rng(6).uniform(0, 1, 30)
    assert mean(values, np.zeros(30, dtype=int))[1:] == (0.0, 2.0)
