"""Spans as answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.core.spans import Span, crossing, spans_of, splits_a_character, trimmed, written


@st.composite
def texts_with_spans(draw: st.DrawFn) -> tuple[str, tuple[Span, ...]]:
    text = draw(st.text(max_size=30))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    names = st.sampled_from(["name", "자리", 'a "b"'])
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    return text, tuple(Span(start, end, draw(names)) for start, end in pairs)


@given(texts_with_spans())
def test_an_answer_holds_the_spans_and_their_pieces(case: tuple[str, tuple[Span, ...]]) -> None:
    text, spans = case
    answer = written(text, reversed(spans))
    assert spans_of(answer) == spans
    assert crossing(spans) is None


@pytest.mark.parametrize("answer", ["", "no list", "[1]", "{}", '[{"start": 1}]', "null", "3"])
def test_what_is_no_list_of_spans_has_none(answer: str) -> None:
    assert spans_of(answer) == ()


def test_spans_that_share_a_character_cross() -> None:
    outer, inner, after = Span(0, 9, "a"), Span(4, 6, "b"), Span(9, 12, "a")
    assert crossing([after, inner, outer]) == (outer, inner)
    assert crossing([after, outer]) is None


@pytest.mark.parametrize(
    ("text", "at", "splits"),
    [("cafe\u0301 x", 4, True), ("cafe\u0301 x", 5, False), ("caf\u00e9", 3, False),
     ("\U0001f469\u200d\U0001f680", 1, True), ("\U0001f469\u200d\U0001f680", 2, True),
     ("ab", 0, False), ("ab", 2, False)],
)  # fmt: skip
def test_an_offset_may_split_a_character(text: str, at: int, splits: bool) -> None:
    assert splits_a_character(text, at) == splits


def test_white_space_at_the_ends_goes() -> None:
    assert trimmed("  The Eagle, a", Span(0, 11, "name")) == Span(2, 11, "name")
    assert trimmed("a   b", Span(1, 4, "name")) == Span(4, 4, "name")
