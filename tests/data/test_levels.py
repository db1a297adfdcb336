"""The order of levels, from their names."""

from __future__ import annotations

import random

import pytest

from nshot.data.levels import ordered

ORDERS = [
    ("1", "2", "3", "4", "5"),
    ("-1", "0", "1"),
    ("2", "9", "10"),
    ("1.5", "2", "10.25"),
    ("1 star", "2 stars", "5 stars"),
    ("1점", "2점", "3점"),
    ("P1", "P2", "P3"),
    ("low", "Medium", "HIGH"),
    ("none", "minor", "major", "critical"),
    ("strongly-disagree", "disagree", "neutral", "agree", "strongly agree"),
    ("부정", "중립", "긍정"),
    ("very_bad", "bad", "okay", "good", "excellent"),
    ("never", "sometimes", "always"),
    ("small", "medium", "large"),
]


@pytest.mark.parametrize("names", ORDERS)
def test_names_that_tell_are_put_in_order_whatever_theirs_was(names: tuple[str, ...]) -> None:
    mixed = list(names)
    random.Random(0).shuffle(mixed)
    assert ordered(mixed) == names
    assert ordered(names[::-1]) == names


@pytest.mark.parametrize(
    "names",
    [
        ("none", "offensive", "hate"),
        ("1", "1.0"),
        ("1-2", "3-4"),
        ("1 star", "2 points"),
        ("minor", "low"),
        ("refund", "login"),
        ("good", "2"),
    ],
)
def test_names_that_do_not_tell_have_none(names: tuple[str, ...]) -> None:
    assert ordered(names) is None
