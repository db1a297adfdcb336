"""The table of labels where rows may have several."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from nshot.board.details import by_label
from nshot.core.label_sets import joined
from nshot.core.types import Cost, Example, Input, Label, Measurement, Prediction, Task

TASK = Task("t", "multilabel", tuple(map(Label, "abc")), metric="micro_f1")
ROWS = [({"a"}, {"a", "b"}), ({"a", "b"}, {"b"}), (set[str](), {"a"}), ({"b"}, set[str]())]


def test_precision_recall_and_f1_of_each_label_are_scikit_learns() -> None:
    examples = {str(i): Example(str(i), Input(), tuple(right)) for i, (right, _) in enumerate(ROWS)}
    measurement = Measurement(
        "job", "knn", {}, "fewshot", "trained", None, "", None, 0, tuple(examples),
        tuple(Prediction(joined(TASK, answer)) for _, answer in ROWS), (), Cost(), Cost(),
    )  # fmt: skip
    table = by_label(TASK, measurement, examples)
    right, said = (np.array([[n in row[k] for n in "abc"] for row in ROWS]) for k in (0, 1))
    theirs = precision_recall_fscore_support(right, said, zero_division=0.0)
    for place, one in enumerate(table[:2]):
        values = (one.precision, one.recall, one.f1, one.occurring)
        np.testing.assert_allclose(values, [kind[place] for kind in theirs])
    assert (table[2].label, table[2].occurring, table[2].answered) == ("c", 0, 0)
    assert (table[2].precision, table[2].recall, table[2].f1) == (None, None, None)
