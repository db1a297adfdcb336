"""ROC and precision over recall, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from nshot.metrics.ranking import precision_recall, roc

rows = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40).filter(
    lambda pairs: len({positive for _, positive in pairs}) == 2
)


@settings(deadline=None, max_examples=60)
@given(rows)
def test_areas_are_scikit_learns(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in pairs], dtype=np.float64)
    positive = np.array([is_positive for _, is_positive in pairs])
    assert roc(scores, positive).area == pytest.approx(roc_auc_score(positive, scores))
    curve = precision_recall(scores, positive)
    assert curve.area == pytest.approx(average_precision_score(positive, scores))
    precision, recall, _ = precision_recall_curve(positive, scores)
    np.testing.assert_allclose(curve.x, recall[:-1][::-1])
    np.testing.assert_allclose(curve.y, precision[:-1][::-1])


def test_a_perfect_score_and_an_upside_down_one() -> None:
    positive = np.array([True, True, False, False])
    scores = np.array([4.0, 3.0, 2.0, 1.0])
    assert roc(scores, positive).area == precision_recall(scores, positive).area == 1
    assert roc(-scores, positive).area == 0
    assert roc(scores, positive).x.tolist() == [0, 0, 0, 0.5, 1]
