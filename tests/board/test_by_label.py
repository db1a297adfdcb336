"""The table of labels where rows may have several."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from nshot.board.details import by_label
from nshot.core.label_sets import joined
from nshot.core.spans import Span, written
from nshot.core.types import Cost, Example, Input, Label, Measurement, Prediction, Task

TASK = Task("t", "multilabel", tuple(map(Label, "abc")), metric="micro_f1")
ROWS = [({"a"}, {"a", "b"}), ({"a", "b"}, {"b"}), (set[str](), {"a"}), ({"b"}, set[str]())]


def measured(task: Task, answers: list[str]) -> Measurement:
    return Measurement(
        "job", "knn", {}, "fewshot", "trained", None, "", None, 0,
        tuple(str(i) for i in range(len(answers))), tuple(map(Prediction, answers)), (), Cost(),
        Cost(),
    )  # fmt: skip


def test_precision_recall_and_f1_of_each_label_are_scikit_learns() -> None:
    examples = {str(i): Example(str(i), Input(), tuple(right)) for i, (right, _) in enumerate(ROWS)}
    measurement = measured(TASK, [joined(TASK, answer) for _, answer in ROWS])
    table = by_label(TASK, measurement, examples)
    right, said = (np.array([[n in row[k] for n in "abc"] for row in ROWS]) for k in (0, 1))
    theirs = precision_recall_fscore_support(right, said, zero_division=0.0)
    for place, one in enumerate(table[:2]):
        values = (one.precision, one.recall, one.f1, one.occurring)
        np.testing.assert_allclose(values, [kind[place] for kind in theirs])
    assert (table[2].label, table[2].occurring, table[2].answered) == ("c", 0, 0)
    assert (table[2].precision, table[2].recall, table[2].f1) == (None, None, None)


def test_spans_count_one_by_one_and_are_right_where_all_three_are() -> None:
    task = Task("t", "spans", (Label("food"), Label("name")), metric="span_f1")
    text = "The Eagle sells pizza and Thai rice"
    right = written(text, [Span(0, 9, "name"), Span(16, 21, "food"), Span(26, 35, "food")])
    answer = written(text, [Span(0, 9, "name"), Span(16, 21, "name"), Span(26, 35, "food")])
    examples = {
        "0": Example("0", Input((("text", text),)), (right,)),
        "1": Example("1", Input((("text", text),)), ("[]",)),
    }
    food, name = by_label(task, measured(task, [answer, "no list"]), examples)
    assert (food.occurring, food.answered, food.right) == (2, 1, 1)
    assert (name.occurring, name.answered, name.right) == (1, 2, 1)
    assert (food.precision, food.recall) == (1.0, 0.5)
