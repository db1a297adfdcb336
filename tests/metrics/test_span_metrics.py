"""F1 of spans, by hand and by the definition that seqeval shares with conlleval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.spans import Span, written
from nshot.core.types import Example, Input, Prediction, Task
from nshot.metrics import metric_of, points, score

TASK = Task("t", "spans", metric="span_f1")
TEXT = "The Eagle is a cheap pub near Cafe Sicilia in the city centre"
EAGLE, PUB, CAFE = Span(0, 9, "name"), Span(21, 24, "type"), Span(30, 42, "near")
spans = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 3), st.sampled_from("ab")), max_size=4
).map(lambda parts: [Span(8 * at, 8 * at + length, name) for at, length, name in parts])
answers = st.lists(st.tuples(spans, spans), min_size=2, max_size=8)


def statistics(metric: str, rows: list[tuple[list[Span], list[Span]]]) -> np.ndarray:
    made = metric_of(TASK, metric)
    return np.array([
        made.statistics(Example("x", Input(), (written(TEXT, right),)),
                        Prediction(written(TEXT, answered)))
        for right, answered in rows
    ])  # fmt: skip


def test_exact_by_hand() -> None:
    """Of five spans two are answered right, one is too short, one has a wrong label, one is missed;
    one answer has no span under it: 2 right, 5 answered, 5 occurring."""
    rows = [
        ([EAGLE, PUB, CAFE], [EAGLE, Span(21, 24, "food"), Span(35, 42, "near")]),
        ([EAGLE, PUB], [EAGLE, Span(15, 20, "price")]),
    ]
    assert score(metric_of(TASK), statistics("span_f1", rows)) == pytest.approx(2 * 2 / 10)


def test_overlap_by_hand() -> None:
    """Characters: 9 of `The Eagle` and 7 of `Cafe Sicilia` are right; 9 + 3 + 12 occur, 9 + 3 + 7
    are marked."""
    rows = [([EAGLE, PUB, CAFE], [EAGLE, Span(21, 24, "food"), Span(35, 42, "near")])]
    value = score(metric_of(TASK, "overlap_f1"), statistics("overlap_f1", rows))
    assert value == pytest.approx(2 * 16 / (24 + 19))


@settings(deadline=None, max_examples=100)
@given(answers)
def test_exact_is_the_f1_of_the_sets_of_all_rows(
    rows: list[tuple[list[Span], list[Span]]],
) -> None:
    right = {(i, s) for i, (spans, _) in enumerate(rows) for s in spans}
    answered = {(i, s) for i, (_, spans) in enumerate(rows) for s in spans}
    if not right or not answered:
        return
    precision, recall = (len(right & answered) / len(x) for x in (answered, right))
    expected = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    value = score(metric_of(TASK), statistics("span_f1", rows))
    assert value == pytest.approx(expected)
    whole = points(metric_of(TASK), statistics("span_f1", rows))
    assert whole.mean() == pytest.approx(value)


def test_nothing_to_mark_and_nothing_marked_is_right() -> None:
    assert score(metric_of(TASK), statistics("span_f1", [([], [])])) == 1.0
    assert score(metric_of(TASK), statistics("span_f1", [([], [EAGLE])])) == 0.0


def test_an_answer_that_is_no_list_marks_nothing() -> None:
    example = Example("x", Input(), (written(TEXT, [EAGLE]),))
    assert metric_of(TASK).statistics(example, Prediction("The Eagle")) == (0.0, 0.0, 1.0)
