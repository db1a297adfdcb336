"""The linear heads: scikit-learn's answers at a tight tolerance, whatever the shape of the rows."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from nshot.methods import logistic as heads
from nshot.methods.features import ABSENT
from nshot.methods.logistic import Design, logistic

Rows = tuple[NDArray[np.float64], NDArray[np.int64]]


def rows(count: int, width: int, labels: int, seed: int = 0) -> Rows:
    """Rows of unit length around a mean far from zero, each label a little to a side of its own."""
    draw = np.random.default_rng(seed)
    sides = draw.standard_normal((labels, width))
    targets = np.arange(count) % labels
    matrix = 1 + sides[targets] / 2 + draw.standard_normal((count, width))
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True), targets


def theirs(matrix: object, targets: NDArray[np.int64], C: float) -> LogisticRegression:
    return LogisticRegression(C=C, max_iter=100_000, tol=1e-10).fit(matrix, targets)


def probabilities(
    matrix: NDArray[np.float64], weights: NDArray[np.float64], bias: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(softmax(matrix @ weights + bias, axis=1))


@pytest.mark.parametrize("C", [1.0, 10.0, 100.0])
@pytest.mark.parametrize(
    ("count", "width", "labels"), [(6, 20, 3), (60, 20, 2), (60, 20, 4), (30, 200, 5)]
)
def test_few_rows_are_answered_as_by_scikit_learn(
    count: int, width: int, labels: int, C: float
) -> None:
    matrix, targets = rows(count, width, labels)
    weights, bias = logistic(Design.of(matrix), targets, labels, C)
    expected = theirs(matrix, targets, C).predict_proba(matrix)
    np.testing.assert_allclose(probabilities(matrix, weights, bias), expected, atol=2e-4)


@pytest.mark.parametrize("C", [1.0, 10.0, 100.0])
@pytest.mark.parametrize("labels", [2, 7])
@pytest.mark.parametrize("spectrum", [1024, 10])
@pytest.mark.parametrize("sparse", [False, True])
def test_many_rows_in_float32_are_too(
    sparse: bool, spectrum: int, labels: int, C: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dense and counted, with the whole spectrum and without."""
    monkeypatch.setattr(heads, "SMALL", 0)
    monkeypatch.setattr(heads, "SPECTRUM", spectrum)
    matrix, targets = rows(600, 80, labels)
    if sparse:
        matrix = np.where(matrix > 0.15, matrix, 0)
    given = csr_matrix(matrix) if sparse else matrix
    weights, bias = logistic(Design.of(given), targets, labels, C)
    expected = theirs(matrix, targets, C).predict_proba(matrix)
    np.testing.assert_allclose(probabilities(matrix, weights, bias), expected, atol=0.02)


def test_two_labels_have_one_row_of_weights_as_scikit_learn_has() -> None:
    matrix, targets = rows(60, 20, 2)
    weights, bias = logistic(Design.of(matrix), targets, 2, 1.0)
    model = theirs(matrix, targets, 1.0)
    assert not weights[:, 0].any()
    np.testing.assert_allclose(weights[:, 1], model.coef_[0], atol=1e-3)
    np.testing.assert_allclose(bias, [0, model.intercept_[0]], atol=1e-3)


def test_a_label_without_rows_is_all_but_excluded_and_one_alone_is_sure() -> None:
    matrix, targets = rows(40, 20, 2)
    weights, bias = logistic(Design.of(matrix), 2 * targets, 4, 1.0)
    assert bias[1] == bias[3] == ABSENT
    assert not weights[:, [1, 3]].any()
    weights, bias = logistic(Design.of(matrix), np.full(40, 1), 3, 1.0)
    assert bias.tolist() == [ABSENT, 0, ABSENT]
    assert not weights.any()


@pytest.mark.parametrize("spectrum", [1024, 10])
def test_the_same_rows_give_the_same_bytes(spectrum: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "SPECTRUM", spectrum)
    matrix, targets = rows(200, 40, 5)
    first, second = (logistic(Design.of(matrix), targets, 5, 10.0)[0] for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_rows_that_are_all_alike_or_of_no_column_have_a_bias_only() -> None:
    targets = np.array([0, 0, 1])
    for matrix in (np.ones((3, 4)), csr_matrix((3, 0))):
        weights, bias = logistic(Design.of(matrix), targets, 2, 1.0)
        assert weights.shape == (matrix.shape[1], 2)
        assert bias[1] - bias[0] == pytest.approx(np.log(1 / 2), abs=1e-3)
