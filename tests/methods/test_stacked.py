"""A head on a contender's probabilities: what it corrects, and from which rows it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lent import Lent

from deciding import Mind, deciding
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, Label, ModelRef, Prediction, Shots, Task
from nshot.methods import TABLE
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.predictors import load
from nshot.predictors.stacked import LOWEST, features

TASK = Task("t", "classify", (Label("a"), Label("b")))
WORDS = {"a": "apple", "b": "berry"}


def rows(count: int, start: int = 0) -> tuple[Example, ...]:
    """Apples are of label b and berries of a: the contrary of what a model would say."""
    return tuple(
        Example(f"{i}", Input((("text", f"{'apple' if i % 2 else 'berry'} no {i}"),)),
                ("ab"[i % 2],))
        for i in range(start, start + count)
    )  # fmt: skip


def test_what_an_endpoint_gets_wrong_alike_is_corrected(tmp_path: Path) -> None:
    method = TABLE.build(
        {"method": "stacked", "of": {"method": "decide", "price_in": 100.0}, "C": 10}
    )
    asked, encoder = rows(10, 100), resolve("fake:encoder", "encoder")
    with deciding(Mind(WORDS)) as service:
        bench = Lent(open_models(), service.ref(), tmp_path, encoder=encoder)
        predictor = method.adapt(TASK, Shots(rows(40)), bench)
        predictor.save(tmp_path / "saved")
        answers = predictor.predict([row.input for row in asked])
        again = load(tmp_path / "saved", open_models()).predict([row.input for row in asked])
        bare = predictor.of.predict([row.input for row in asked])  # type: ignore[attr-defined]
    assert [one.answer for one in answers] == [row.label for row in asked]
    assert not any(one.answer == row.label for one, row in zip(bare, asked, strict=True))
    assert [one.answer for one in again] == [one.answer for one in answers]
    assert all(one.money > 0 and one.seconds for one in answers), "the endpoint's bill stays"
    assert bench.parameters > 0


def test_features_are_vectors_and_log_probabilities_and_a_refusal_says_nothing() -> None:
    sure = Prediction("a", tuple(np.log([1 - 1e-9, 1e-9]).tolist()))
    made = features(TASK, [sure, Prediction("")], np.ones((2, 3)))
    assert made.shape == (2, 5)
    assert made[0, 3] - made[0, 4] == pytest.approx(-LOWEST)
    assert made[1].tolist() == [1, 1, 1, 0, 0]


def test_what_gives_no_probabilities_cannot_be_stacked(tmp_path: Path) -> None:
    method = TABLE.build({"method": "stacked", "of": {"method": "zero_shot"}})
    encoder = resolve("fake:encoder", "encoder")
    bench = Lent(open_models(), ModelRef("fake", "remote"), tmp_path, encoder=encoder)
    with pytest.raises(CannotAdapt, match="zero_shot gives no probabilities"):
        method.adapt(TASK, Shots(rows(12)), bench)
