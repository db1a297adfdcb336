"""Labels that are likely wrong: confident learning.

Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR
2021, https://arxiv.org/abs/1911.00068.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nshot.core.types import Example, stratified_folds
from nshot.predictors.features import TfIdf

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
FOLDS = 5


class Suspect(NamedTuple):
    """A row whose label is doubted: its place, the likelier label, and by how much that is so."""

    place: int
    label: int
    margin: float


def suspects(probabilities: Floats, given: Ints) -> list[Suspect]:
    """The rows off the diagonal of the confident joint, the widest margin first.

    `probabilities` (rows, labels) out of fold, `given` (rows,) labels. The threshold of label j is
    the mean probability of j over the rows that have it (eq. 2); a row counts for the most probable
    label among those whose threshold it reaches (eq. 1); where that is another than its own, its
    own is doubted. The margin is the probability of the likelier one minus that of its own.
    """
    labels = probabilities.shape[1]
    thresholds = np.array(
        [
            probabilities[given == j, j].mean() if (given == j).any() else np.inf
            for j in range(labels)
        ]
    )
    reached = np.where(probabilities >= thresholds, probabilities, -1.0)
    best = reached.argmax(axis=1)
    doubted = (reached.max(axis=1) >= 0) & (best != given)
    some = [
        Suspect(int(i), int(best[i]), float(probabilities[i, best[i]] - probabilities[i, given[i]]))
        for i in np.flatnonzero(doubted)
    ]
    return sorted(some, key=lambda one: (-one.margin, one.place))


def out_of_fold(rows: Sequence[Example], names: Sequence[str]) -> Floats:
    """(rows, labels) probabilities of each row by a model that has not seen it nor its group.

    Logistic regression on counted words and letters: a plain model, so that nothing is learned by
    heart.
    """
    from sklearn.linear_model import LogisticRegression

    fold_of = stratified_folds(rows, FOLDS, 0)
    folds = np.array([fold_of[row.id] for row in rows])
    given = np.array([names.index(row.label) for row in rows])
    result = np.full((len(rows), len(names)), 1 / len(names))
    for fold in range(FOLDS):
        inside, outside = folds == fold, folds != fold
        if not inside.any() or len(set(given[outside])) < 2:
            continue
        source, known = TfIdf.fit_and_read([row.input.text for row in _of(rows, outside)])
        head = LogisticRegression(C=10, max_iter=300)
        head.fit(known, given[outside])
        queries = source.read([row.input for row in _of(rows, inside)]).matrix
        result[inside] = 0.0
        result[np.ix_(inside, head.classes_)] = head.predict_proba(queries)
    return result


def _of(rows: Sequence[Example], inside: NDArray[np.bool_]) -> list[Example]:
    return [row for row, one in zip(rows, inside, strict=True) if one]
