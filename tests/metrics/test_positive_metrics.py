"""F1, precision and recall of the positive label, against scikit-learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from nshot.core.types import Example, Input, Label, Prediction, Task
from nshot.metrics import metric_of, misfits, points, score

TASK = Task("t", "classify", (Label("ham"), Label("spam")), positive="spam")
THEIRS = {"f1": theirs.f1_score, "precision": theirs.precision_score, "recall": theirs.recall_score}
pairs = st.lists(st.tuples(*[st.sampled_from(("ham", "spam"))] * 2), min_size=4)


def statistics(metric: str, answers: list[tuple[str, str]]) -> np.ndarray:
    made = metric_of(TASK, metric)
    rows = [(Example("i", Input(), (right,)), Prediction(answer)) for right, answer in answers]
    return np.array([made.statistics(*row) for row in rows])


@pytest.mark.parametrize("name", THEIRS)
@settings(deadline=None, max_examples=40)
@given(answers=pairs)
def test_they_are_scikit_learns(name: str, answers: list[tuple[str, str]]) -> None:
    made = statistics(name, answers)
    right, answered = zip(*answers, strict=True)
    expected = THEIRS[name](right, answered, pos_label="spam", zero_division=0)
    assert score(metric_of(TASK, name), made) == pytest.approx(expected, abs=1e-12)
    assert points(metric_of(TASK, name), made).mean() == pytest.approx(expected, abs=1e-9)


def test_an_answer_that_is_no_label_is_not_the_positive_one() -> None:
    assert statistics("f1", [("spam", "maybe")]).tolist() == [[0, 0, 1]]


def test_the_other_label_may_be_the_positive_one() -> None:
    ham = metric_of(replace(TASK, positive="ham"), "recall")
    rows = [ham.statistics(Example("i", Input(), ("ham",)), Prediction(a)) for a in ("ham", "spam")]
    assert score(ham, np.array(rows)) == 0.5


@pytest.mark.parametrize("name", THEIRS)
def test_without_a_positive_label_it_is_refused_with_what_to_type(name: str) -> None:
    (two,) = misfits(replace(TASK, metric=name, positive=None), (), ())
    assert two.do == "--positive spam"
    labels = (*TASK.labels, Label("other"))
    (three,) = misfits(replace(TASK, metric=name, positive=None, labels=labels), (), ())
    assert "the task has 3" in three.found
    assert "macro_f1" in three.do
    assert misfits(replace(TASK, metric=name), (), ()) == []
