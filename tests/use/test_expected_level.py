"""The expected level of an answer."""

from __future__ import annotations

import numpy as np
import pytest

from nshot.core.types import Label, Prediction, Task
from nshot.use.levels import expected_level


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("2 stars", "4 stars", "5 stars"), 0.5 * 2 + 0.25 * 4 + 0.25 * 5),
        (("low", "medium", "high"), 0.5 * 1 + 0.25 * 2 + 0.25 * 3),
    ],
)
def test_it_is_the_mean_weighted_by_the_probabilities(names, expected):
    task = Task("t", "score", tuple(map(Label, names)))
    prediction = Prediction(names[0], tuple(np.log([0.5, 0.25, 0.25]).tolist()))
    assert expected_level(task, prediction) == pytest.approx(expected)
