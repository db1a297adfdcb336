"""Numbers as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.core.numbers import first_number, has_decimal_commas, number, with_points, written


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), (" -3.5 ", -3.5), ("1,234.50", 1234.5), ("$1,234", 1234), ("12 %", 12),
        ("₩12,000", 12000), ("12000원", 12000), ("USD 5.25", 5.25), ("4 stars", 4), ("1.5e3", 1500),
        (".5", 0.5), ("−7", -7), ("１２", 12), ("1 234", 1234), ("-$5", -5),
    ],
)  # fmt: skip
def test_a_number_beside_a_currency_or_a_unit(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "cheap", "1/2", "2024-01-01", "12 to 15", "3 of 4", "nan"])
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_what_is_written_is_read_again(value: float) -> None:
    assert number(written(value)) == pytest.approx(value, rel=1e-9)


@given(st.integers(-(10**9), 10**9))
def test_thousands_may_be_apart_by_commas(value: int) -> None:
    assert number(f"{value:,}") == value


def test_the_first_number_of_a_text() -> None:
    assert first_number("about 1,300 dollars, or 1,400") == 1300
    assert first_number("none at all") is None


def test_decimal_commas_are_told_by_a_column() -> None:
    assert has_decimal_commas(["1,5", "2"])
    assert has_decimal_commas(["1.234,5"])
    assert not has_decimal_commas(["1,234", "12,000.5", "3"])
    assert with_points("1.234,5") == "1234.5"
