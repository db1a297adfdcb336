"""Multiples and units beside figures."""

from __future__ import annotations

import pytest

from nshot.core.numbers import has_dots_between, may_have_dots_between, number
from nshot.core.units import unit


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$1.2M", 1.2e6), ("$800K", 8e5), ("12k", 12000), ("€3,5 mio".replace(",", "."), 3.5e6),
        ("1.2 million", 1.2e6), ("$2b", 2e9), ("3억", 3e8), ("3억 5천만원", 3.5e8),
        ("1만 5천", 15000), ("120만원", 1.2e6), ("5천원", 5000), ("2.5억", 2.5e8),
        ("1억2,500", 1e8 + 2500), ("3万円", 30000), ("(1,200)", -1200), ("($1.5k)", -1500),
    ],
)  # fmt: skip
def test_multiples_count(text: str, value: float) -> None:
    assert number(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5 m", 5), ("300 K", 300), ("12 kb", 12), ("3 조각", 3), ("7 g", 7), ("12 min", 12)],
)
def test_a_unit_is_no_multiple(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("one", "other"),
    [("$5", "5 USD"), ("12,000원", "₩12,000"), ("3 stars", "1 star"), ("2 mins", "2 minutes"),
     ("약 100", "100"), ("1.5e3 kg", "2 kilograms"), ("3억원", "500원"), ("$1.2M", "$800K")],
)  # fmt: skip
def test_one_unit_in_several_spellings(one: str, other: str) -> None:
    assert unit(one) == unit(other)


def test_units_differ() -> None:
    assert len({unit(text) for text in ("5 kg", "5 g", "$5", "€5", "5")}) == 5


def test_dots_between_thousands_are_told_by_a_column() -> None:
    assert has_dots_between(["1.234.567", "1.200", "950"])
    assert not has_dots_between(["1.234.567", "1.2"])
    assert not has_dots_between(["1.234", "2.345"])
    assert may_have_dots_between(["1.234", "2.345"])
    assert not may_have_dots_between(["1.234", "2.34"])
    assert not may_have_dots_between(["0.234", "0.345"])
