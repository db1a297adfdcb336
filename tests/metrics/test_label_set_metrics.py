"""Several labels a row, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from nshot.core.label_sets import joined, labels_of
from nshot.core.types import Example, Input, Label, Prediction, Task
from nshot.metrics import metric_of, misfits, points, score

LABELS = ("anger", "joy", "sad ness")
TASK = Task("t", "multilabel", tuple(map(Label, LABELS)), metric="micro_f1")
Pairs = list[tuple[set[str], set[str]]]
sets = st.sets(st.sampled_from(LABELS))
pairs = st.lists(st.tuples(sets, sets), min_size=2, max_size=30)


def statistics(metric: str, answers: Pairs) -> np.ndarray:
    made = metric_of(TASK, metric)
    rows = [Example(str(i), Input(), tuple(sorted(right))) for i, (right, _) in enumerate(answers)]
    return np.array([
        made.statistics(row, Prediction(joined(TASK, answer)))
        for row, (_, answer) in zip(rows, answers, strict=True)
    ])  # fmt: skip


def indicators(answers: Pairs) -> tuple[np.ndarray, np.ndarray]:
    right, said = (
        np.array([[name in pair[k] for name in LABELS] for pair in answers], dtype=int)
        for k in (0, 1)
    )
    return right, said


@settings(deadline=None, max_examples=60)
@given(pairs)
def test_micro_and_macro_f1_and_subset_accuracy_are_scikit_learns(answers: Pairs) -> None:
    right, said = indicators(answers)
    value = {name: score(metric_of(TASK, name), statistics(name, answers))
             for name in ("micro_f1", "macro_f1", "subset_accuracy")}  # fmt: skip
    micro = f1_score(right, said, average="micro", zero_division=1.0)
    assert value["micro_f1"] == pytest.approx(micro, abs=1e-12)
    if (right | said).any():
        each = f1_score(right, said, average=None, zero_division=np.nan)
        assert value["macro_f1"] == pytest.approx(np.nanmean(each), abs=1e-12)
    assert value["subset_accuracy"] == pytest.approx(accuracy_score(right, said), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(pairs)
def test_points_are_one_a_row_with_the_score_as_their_mean(answers: Pairs) -> None:
    for name in ("micro_f1", "macro_f1", "subset_accuracy"):
        rows = statistics(name, answers)
        made = metric_of(TASK, name)
        each = points(made, rows)
        assert each.shape == (len(answers),)
        assert each.mean() == pytest.approx(score(made, rows), abs=1e-9)


@given(sets)
def test_an_answer_is_read_as_it_was_written(labels: set[str]) -> None:
    assert set(labels_of(joined(TASK, labels))) == labels
    assert joined(TASK, labels) == joined(TASK, sorted(labels, reverse=True))


def test_an_answer_that_is_no_label_costs_precision() -> None:
    row = Example("1", Input(), ("joy",))
    assert metric_of(TASK, "micro_f1").statistics(row, Prediction("joy | zeal")) == (1.0, 2.0, 1.0)


def test_the_metrics_are_for_tasks_of_several_labels() -> None:
    rows = [Example("1", Input(), ("joy",))]
    single = Task("t", "classify", TASK.labels, metric="micro_f1")
    assert "not for tasks of kind classify" in misfits(single, (), rows)[0].found
    assert misfits(TASK, ("macro_f1", "subset_accuracy"), rows) == []
    (fault,) = misfits(TASK, ("accuracy",), rows)
    assert "micro_f1" in fault.expected
