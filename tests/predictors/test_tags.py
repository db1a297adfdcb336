"""Spans as tags of tokens, and back."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nshot.core.spans import Span
from nshot.models.base import TokenVectors
from nshot.predictors.tags import likeliest, tagged, tags

LABELS = ("LOC", "PER")
TEXT = "Kim met Ann Lee in York"


def words(text: str) -> TokenVectors:
    starts = [i for i, sign in enumerate(text) if sign != " " and (i == 0 or text[i - 1] == " ")]
    ends = [len(text.split(" ")[k]) + start for k, start in enumerate(starts)]
    return TokenVectors(np.zeros((len(starts), 1), np.float32), np.array(starts), np.array(ends))


def test_spans_of_whole_tokens_come_back() -> None:
    spans = [Span(0, 3, "PER"), Span(8, 11, "PER"), Span(12, 15, "PER"), Span(19, 23, "LOC")]
    numbers = tags(spans, LABELS, words(TEXT))
    assert numbers.tolist() == [3, 0, 3, 3, 0, 1]
    assert tagged(TEXT, numbers.tolist(), LABELS, words(TEXT)) == spans
    joined = tags([Span(8, 15, "PER")], LABELS, words(TEXT))
    assert joined.tolist() == [0, 0, 3, 4, 0, 0]
    assert tagged(TEXT, joined.tolist(), LABELS, words(TEXT)) == [Span(8, 15, "PER")]


def test_a_span_takes_the_tokens_it_has_a_part_of() -> None:
    assert tags([Span(1, 2, "PER")], LABELS, words(TEXT)).tolist() == [3, 0, 0, 0, 0, 0]


def test_space_that_a_token_holds_is_left_out() -> None:
    held = TokenVectors(np.zeros((2, 1), np.float32), np.array([0, 3]), np.array([3, 7]))
    assert tagged("Kim met", [0, 1], LABELS, held) == [Span(4, 7, "LOC")]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 4).flatmap(lambda n: arrays(float, (n, 5), elements=st.floats(-5, 5))))
def test_the_likeliest_of_all_sequences_that_begin_their_spans(logits: np.ndarray) -> None:
    """Against all sequences, one by one."""

    def sound(path: tuple[int, ...]) -> bool:
        pairs = zip((0, *path), path, strict=False)
        return all(tag % 2 or not tag or before in (tag - 1, tag) for before, tag in pairs)

    rows = range(len(logits))
    paths = [path for path in product(range(5), repeat=len(logits)) if sound(path)]
    best = max(sum(logits[i, path[i]] for i in rows) for path in paths)
    path = likeliest(logits)
    assert sound(tuple(path))
    assert np.isclose(sum(logits[i, path[i]] for i in rows), best)


def test_no_tokens_have_no_tags() -> None:
    assert likeliest(np.zeros((0, 5))) == []
