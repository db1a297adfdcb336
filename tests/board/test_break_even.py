"""From how many requests on one's own model is cheaper: by hand."""

from __future__ import annotations

import math

import pytest

from nshot.board.break_even import Line, crossed, crossing, in_words
from nshot.board.schema import BreakEven, Crossing


@pytest.mark.parametrize(
    ("own", "other", "requests"),
    [
        (Line(240, 0.012), Line(0, 0.092), 3000),  # 240 / 0.08
        (Line(0, 0.01), Line(0, 0.02), 0),
        (Line(5, 0.01), Line(10, 0.02), 0),
        (Line(10, 0.02), Line(0, 0.02), math.inf),
        (Line(1, 0.02), Line(2, 0.02), 0),
        (Line(10, 0.03), Line(0, 0.02), math.inf),
        (Line(0, 0.03), Line(10, 0.02), math.inf),  # less at first, never from a number on
        (Line(3, 0), Line(0, 0.0015), 2000),
    ],
)
def test_where_two_lines_cross(own: Line, other: Line, requests: float) -> None:
    n = crossing(own, other)
    assert n == pytest.approx(requests)
    if 0 < n < math.inf:
        assert own.total(n) == pytest.approx(other.total(n))
        assert own.total(n + 1) < other.total(n + 1)
        assert own.total(n - 1) > other.total(n - 1)


def test_the_range_is_of_the_draws_that_favour_either() -> None:
    own = [Line(200, 0.010), Line(240, 0.012), Line(280, 0.014)]
    other = [Line(0, 0.090), Line(0, 0.092), Line(0, 0.094)]
    made = crossed(own, other)
    assert made.requests == pytest.approx(240 / 0.080)
    assert made.low == pytest.approx(200 / (0.094 - 0.010))
    assert made.high == pytest.approx(280 / (0.090 - 0.014))
    sure = crossed(own[:1], other[:1])
    assert sure.low == sure.requests == sure.high


def test_never_and_a_range_without_an_end() -> None:
    never = crossed([Line(10, 0.5)], [Line(0, 0.1)])
    assert (never.requests, never.low, never.high) == (None, None, None)
    open_ended = crossed([Line(10, 0.1), Line(10, 0.1), Line(10, 0.3)], [Line(0, 0.2)])
    assert open_ended.requests == pytest.approx(100)
    assert open_ended.high is None


def pair(seconds: Crossing, money: Crossing | None = None, hour: float | None = None) -> BreakEven:
    return BreakEven(
        own="lora", other="few_shot @ gpt", own_score=0.8, other_score=0.82, seconds=seconds,
        money=money, hour=hour,
    )  # fmt: skip


def test_the_sentence_says_from_where_and_by_what_figures() -> None:
    seconds = crossed([Line(240, 0.012)], [Line(0, 0.092)])
    free = crossed([Line(0, 0)], [Line(0, 0.0005)])
    told = in_words(pair(seconds, free), "USD")
    assert told.startswith("lora (-2.0 points) is cheaper than few_shot @ gpt in time from about")
    assert "from about 3,000 requests on (4 min once and 12 s a 1,000 answers, against" in told
    assert "in money from the first request on (0 USD once and 0 USD a 1,000" in told
    assert "against 0 USD and 0.5 USD)" in told
    assert "this machine's time not counted" in told
    assert "not counted" not in in_words(pair(seconds, free, hour=0.4), "USD")
    never = crossed([Line(10, 0.5)], [Line(0, 0.1)])
    assert "at no number of requests" in in_words(pair(never))
    spread = crossed([Line(200, 0.01), Line(300, 0.01)], [Line(0, 0.11)])
    assert "from about 2,500 requests on (2,000 to 3,000 by the draws)" in in_words(pair(spread))
