"""Proportional odds: the fit against scikit-learn, differences and known thresholds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression

from nshot.core.types import Label
from nshot.methods.fewshot.ordinal import Ordinal, _loss, proportional_odds
from nshot.predictors.ordinal_head import NEVER, level_logprobs
from toys import QUESTIONS, TASK, Bench, shots


def world(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, true weights, and levels cut at -2, 0 and 1.5."""
    rng = np.random.default_rng(seed)
    features, weights = rng.standard_normal((rows, 6)), rng.standard_normal(6)
    places = features @ weights + rng.logistic(size=rows)
    return features, weights, np.digitize(places, [-2, 0, 1.5])


def test_the_gradient_is_that_of_the_loss() -> None:
    features, _, levels = world(200)
    values = 0.3 * np.random.default_rng(1).standard_normal(9)
    error = check_grad(
        lambda v: _loss(v, features, levels, 5.0)[0],
        lambda v: _loss(v, features, levels, 5.0)[1],
        values,
    )
    assert error < 1e-4


def test_two_levels_are_a_logistic_regression() -> None:
    features, _, levels = world(300)
    high = (levels > 1).astype(int)
    weights, thresholds = proportional_odds(features, high, C=2.0)
    model = LogisticRegression(C=2.0, tol=1e-10, max_iter=5000).fit(features, high)
    np.testing.assert_allclose(weights, model.coef_[0], atol=1e-5)
    np.testing.assert_allclose(thresholds, -model.intercept_, atol=1e-5)


def test_with_many_rows_the_world_is_found_again() -> None:
    features, weights, levels = world(20_000)
    fitted, thresholds = proportional_odds(features, levels, C=1e6)
    np.testing.assert_allclose(fitted, weights, atol=0.08)
    np.testing.assert_allclose(thresholds, [-2, 0, 1.5], atol=0.08)


def test_the_probabilities_of_a_row_sum_to_one_far_out_too() -> None:
    chances = np.exp(level_logprobs(np.array([-800.0, -1.0, 0.0, 800.0]), np.array([-1.0, 0.5])))
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    assert chances[0, 0] == 1
    assert chances[3, 2] == 1


@pytest.mark.parametrize("absent", TASK.label_names)
def test_a_level_without_examples_has_no_probability(absent: str, tmp_path: Path) -> None:
    task = replace(TASK, kind="score", metric="kappa")
    given = shots()
    kept = tuple(e for e in given.labelled if e.label != absent)
    predictor = Ordinal().adapt(task, replace(given, labelled=kept), Bench(tmp_path))
    place = task.label_names.index(absent)
    assert {p.scores[place] for p in predictor.predict(QUESTIONS)} == {NEVER}


def test_the_answer_is_the_level_nearest_to_the_expected_one(tmp_path: Path) -> None:
    task = replace(TASK, kind="score", metric="kappa")
    for prediction in Ordinal().adapt(task, shots(), Bench(tmp_path)).predict(QUESTIONS):
        expected = np.exp(prediction.scores) @ np.arange(len(task.labels))
        assert prediction.answer == task.label_names[round(expected)]


def test_one_level_alone_is_certain(tmp_path: Path) -> None:
    given = shots()
    first = given.labelled[0].label
    kept = tuple(e for e in given.labelled if e.label == first)
    task = replace(TASK, kind="score", labels=(Label(first), Label("other")))
    predictor = Ordinal().adapt(task, replace(given, labelled=kept), Bench(tmp_path))
    assert {p.answer for p in predictor.predict(QUESTIONS)} == {first}
