"""The one way in which a number becomes text."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.report.numbers import Style, at, figure, number, say, under


@pytest.mark.parametrize(
    ("value", "style", "words"),
    [
        (0.8149, "score", "81.5"), (1.0, "score", "100.0"), (0.0, "score", "0.0"),
        (0.012, "points", "+1.2"), (-0.2, "points", "−20.0"), (-0.0001, "points", "0.0"),
        (0.0, "seconds", "0 s"), (0.00042, "seconds", "0.42 ms"), (0.25, "seconds", "250 ms"),
        (9.21, "seconds", "9.21 s"), (61.04, "seconds", "61 s"), (127.0, "seconds", "2 min 07 s"),
        (1176.2, "seconds", "20 min"), (7200.0, "seconds", "2 h 00 min"),
        (412, "bytes", "412 B"), (7_398_400, "bytes", "7.06 MiB"), (1024, "bytes", "1 KiB"),
        (0, "count", "0"), (3080, "count", "3.08 k"), (1_843_200, "count", "1.84 M"),
        (0.00342564, "share", "0.34 %"), (1.0, "share", "100 %"), (1e-6, "share", "<0.01 %"),
        (412.4, "tokens", "412"), (12_000, "tokens", "12,000"),
        (None, "score", "–"),
    ],
)  # fmt: skip
def test_say(value: float | None, style: Style, words: str) -> None:
    assert say(value, style) == words


@given(st.floats(0, 1e12), st.sampled_from(["seconds", "bytes", "count", "tokens"]))
def test_never_in_exponent_form(value: float, style: Style) -> None:
    words = say(value, style)
    assert words[0].isdigit() or words.startswith("<")
    assert "e+" not in words
    assert "e-" not in words


@given(st.lists(st.text(), min_size=1, max_size=4), st.floats(0, 1))
def test_pointers_reach_any_key(keys: list[str], value: float) -> None:
    board: Any = value
    path = ""
    for key in reversed(keys):
        board = {key: board}
    for key in keys:
        path = under(path, key)
    assert at(board, path) == value


def test_pointers_into_nothing_are_none() -> None:
    board = {"a": [1, {"b": None}]}
    assert at(board, "/a/1/b") is None
    assert at(board, "/a/7") is None
    assert at(board, "/a/x") is None
    assert at(board, "/a/0/deeper") is None


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_what_is_no_number_is_a_dash(value: Any) -> None:
    assert "data-value" not in figure(value, "score")
    assert "–" in figure(value, "score")


def test_a_figure_carries_its_exact_value_and_place() -> None:
    drawn = number({"a": {"x": 1 / 3}}, "/a/x", "score")
    assert 'data-value="0.3333333333333333"' in drawn
    assert 'data-path="/a/x"' in drawn
    assert ">33.3<" in drawn
