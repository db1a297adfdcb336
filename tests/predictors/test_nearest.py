from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nshot.core.errors import InputError
from nshot.core.types import Example
from nshot.methods.fewshot.knn import KNN
from nshot.methods.fewshot.nearest_mean import NearestMean
from nshot.predictors.base import Extends
from nshot.predictors.nearest import Nearest, Vote, class_means, cosines
from toys import QUESTIONS, TASK, Bench, ask, examples, shots

NEW = (
    Example("n1", ask("change my password"), ("password",)),
    Example("n2", ask("new password"), ("password",)),
)


def test_class_means_are_means_of_unit_vectors() -> None:
    vectors = np.array([[2.0, 0.0], [0.0, 3.0], [0.0, 1.0]])
    means = class_means(vectors, np.array([0, 0, 1]), 2)
    np.testing.assert_allclose(means, [[0.5, 0.5], [0.0, 1.0]])


def test_a_label_without_examples_has_no_direction() -> None:
    means = class_means(np.array([[1.0, 0.0]]), np.array([0]), 2)
    np.testing.assert_array_equal(means[1], [0.0, 0.0])
    assert np.isfinite(cosines(np.array([[1.0, 1.0]]), means)).all()


def test_a_new_class_leaves_the_old_prototypes_as_they_are(tmp_path: Path) -> None:
    old = NearestMean().adapt(TASK, shots(), Bench(tmp_path))
    assert isinstance(old, Nearest)
    assert isinstance(old, Extends)
    new = old.extend(NEW)
    assert new.task.label_names == (*TASK.label_names, "password")
    assert new.prototypes[:3].tobytes() == old.prototypes.tobytes()
    assert new.predict([ask("my password")])[0].answer == "password"
    before = [p.answer for p in old.predict(QUESTIONS)]
    assert [p.answer for p in new.predict(QUESTIONS)] == before


def test_a_vote_is_extended_too(tmp_path: Path) -> None:
    old = KNN(k=1).adapt(TASK, shots(), Bench(tmp_path))
    assert isinstance(old, Vote)
    new = old.extend(NEW)
    assert new.vectors[: len(old.vectors)].tobytes() == old.vectors.tobytes()
    assert new.predict([ask("change my password")])[0].answer == "password"


def test_a_known_label_cannot_be_added_again(tmp_path: Path) -> None:
    predictor = NearestMean().adapt(TASK, shots(), Bench(tmp_path))
    assert isinstance(predictor, Nearest)
    with pytest.raises(InputError, match="'refund' is known already"):
        predictor.extend(examples(1)[1:2])


def _vote(likeness: list[float], targets: list[int], k: int) -> list[float]:
    source = NearestMean  # Not asked: the votes are counted from given cosines.
    vote = Vote(TASK, source, np.zeros((len(targets), 2)), np.array(targets), k)  # type: ignore[arg-type]
    return vote._votes(np.array([likeness]))[0].tolist()


def test_the_majority_of_the_k_nearest_wins() -> None:
    votes = _vote([0.9, 0.5, 0.4, 0.3], [0, 1, 1, 2], k=3)
    assert np.argmax(votes) == 1
    assert votes[2] < 0.1


def test_equal_votes_go_to_the_nearest() -> None:
    assert np.argmax(_vote([0.5, 0.9, 0.4, 0.3], [2, 0, 0, 2], k=4)) == 0
    assert np.argmax(_vote([0.5, 0.4, 0.9, 0.3], [2, 0, 0, 2], k=2)) == 0


def test_more_neighbours_than_there_are_is_all_of_them(tmp_path: Path) -> None:
    few = replace(shots(1))
    answers = [p.answer for p in KNN(k=50).adapt(TASK, few, Bench(tmp_path)).predict(QUESTIONS)]
    assert answers == [
        p.answer for p in KNN(k=3).adapt(TASK, few, Bench(tmp_path)).predict(QUESTIONS)
    ]
