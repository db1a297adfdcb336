"""How much of a preference is a preference for length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nshot.core.types import Example, Input, Prediction
from nshot.metrics.lengths import LengthBias, length_bias

SCORES = st.lists(st.floats(-5, 5).map(lambda x: round(x, 3)), min_size=2, max_size=5)


def row(texts: tuple[str, ...], grades: tuple[float, ...], scores: tuple[float, ...]):
    example = Example("e", Input((("prompt", "p"),), answers=texts), grades=grades)
    return example, Prediction("", scores)


def bias(*rows) -> LengthBias:
    return length_bias([example for example, _ in rows], [prediction for _, prediction in rows])


def test_who_counts_characters_has_a_correlation_of_one():
    rows = [row(("a" * k, "b"), (1.0, 0.0), (float(k), 1.0)) for k in (2, 5, 9)]
    assert bias(*rows) == LengthBias(pytest.approx(1.0), 1.0, 1.0)
    turned = [row(("a" * k, "b"), (0.0, 1.0), (-float(k), -1.0)) for k in (2, 5, 9)]
    assert bias(*turned) == LengthBias(pytest.approx(-1.0), 0.0, 0.0)


def test_by_hand():
    """Lengths 4, 2 and 1, 3; scores 3, 1 and 2, 0: (1*1 + (-1)(-1) + (-1)(1) + (1)(-1)) / 4 = 0."""
    out = bias(
        row(("aaaa", "aa"), (1.0, 0.0), (3.0, 1.0)), row(("a", "aaa"), (1.0, 0.0), (2.0, 0.0))
    )
    assert out == LengthBias(pytest.approx(0.0), 0.5, 0.5)


def test_what_never_differs_has_none():
    assert bias(row(("aa", "bb"), (1.0, 0.0), (3.0, 1.0))) == LengthBias(None, None, None)
    assert bias(row(("aa", "b"), (1.0, 0.0), (1.0, 1.0))).correlation is None
    assert bias() == LengthBias(None, None, None)


@given(SCORES, st.floats(-100, 100), st.floats(0.1, 10))
def test_neither_a_prompt_s_own_level_nor_the_scale_counts(scores, level, scale):
    texts = tuple("a" * (k + 1) for k in range(len(scores)))
    grades = tuple(float(k) for k in range(len(scores)))
    one = bias(row(texts, grades, tuple(scores))).correlation
    moved = bias(row(texts, grades, tuple(scale * s + level for s in scores))).correlation
    if one is not None and np.ptp(scores) > 0.01:
        assert moved == pytest.approx(one, abs=1e-6)
        assert -1.000001 <= one <= 1.000001
