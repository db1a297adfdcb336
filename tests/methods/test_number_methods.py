"""Methods that answer numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lent import Lent
from sklearn.linear_model import Ridge as Theirs

from nshot.core.numbers import number
from nshot.core.types import Prediction, Scale, Shots
from nshot.methods import TABLE
from nshot.methods.fewshot.knn import KNN
from nshot.methods.fewshot.ridge import Ridge, ridge
from nshot.methods.peft.lora import LoRA
from nshot.methods.prompt.zero_shot import ZeroShot
from nshot.methods.trivial.average import Average
from nshot.models import open_models
from nshot.models.base import Completion
from nshot.models.catalog import resolve
from nshot.models.fake.fake_engine import FakeModels
from nshot.predictors import load
from nshot.predictors.prompted import Prompted
from tiny import tiny_llama
from toys import QUESTIONS, TASK, Bench, examples

PRICES = replace(TASK, kind="number", labels=(), scale=Scale(5.0, 3.0), answer_name="Price")
SHOTS = Shots(tuple(replace(e, targets=(str(i * i / 4),)) for i, e in enumerate(examples())))
VALUES = np.array([float(e.targets[0]) for e in SHOTS.labelled])


def numbers(predictions: list[Prediction]) -> list[float]:
    return [float(one.answer) for one in predictions]


def test_the_average_is_the_median_or_the_mean(tmp_path: Path) -> None:
    for of, value in (("median", np.median(VALUES)), ("mean", VALUES.mean())):
        predictor = Average(of=of).adapt(PRICES, SHOTS, Bench(tmp_path))
        assert numbers(predictor.predict(QUESTIONS)) == pytest.approx([value] * len(QUESTIONS))


@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
def test_ridge_is_scikit_learns(alpha: float) -> None:
    rng = np.random.default_rng(0)
    features, values = rng.standard_normal((50, 8)), rng.standard_normal(50)
    weights, bias = ridge(features, values, alpha)
    theirs = Theirs(alpha=alpha).fit(features, values)
    np.testing.assert_allclose(weights, theirs.coef_, atol=1e-9)
    assert bias == pytest.approx(float(theirs.intercept_))


def test_no_answer_leaves_the_range_of_the_labelled_numbers(tmp_path: Path) -> None:
    predictor = Ridge(alpha=1e-9).adapt(PRICES, SHOTS, Bench(tmp_path))
    answers = numbers(predictor.predict(QUESTIONS))
    assert min(answers) >= VALUES.min()
    assert max(answers) <= VALUES.max()


def test_one_neighbour_of_a_shot_is_the_shot(tmp_path: Path) -> None:
    predictor = KNN(k=1).adapt(PRICES, SHOTS, Bench(tmp_path))
    asked = [example.input for example in SHOTS.labelled]
    assert numbers(predictor.predict(asked)) == pytest.approx(VALUES.tolist())


def test_several_neighbours_give_their_mean(tmp_path: Path) -> None:
    predictor = KNN(k=len(VALUES)).adapt(PRICES, SHOTS, Bench(tmp_path))
    expected = [VALUES.mean()] * len(QUESTIONS)
    assert numbers(predictor.predict(QUESTIONS)) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["average", "ridge", "knn"])
def test_saved_and_loaded_it_answers_the_same(name: str, tmp_path: Path) -> None:
    predictor = TABLE[name]().adapt(PRICES, SHOTS, Bench(tmp_path))
    predictor.save(tmp_path / "saved")
    again = load(tmp_path / "saved", FakeModels())
    assert again.task == PRICES
    assert again.predict(QUESTIONS) == predictor.predict(QUESTIONS)


@pytest.mark.parametrize(
    ("text", "answer"), [(" about 1,300 dollars", "1300"), ("5", "5"), ("cheap", "")]
)
def test_of_what_a_model_writes_the_first_number_counts(
    text: str, answer: str, tmp_path: Path
) -> None:
    predictor = ZeroShot().adapt(PRICES, SHOTS, Bench(tmp_path))
    assert isinstance(predictor, Prompted)
    assert predictor._heard(QUESTIONS[0], Completion(text, 3, 2, True)).answer == answer


def test_a_tuned_model_writes_numbers(tmp_path: Path) -> None:
    base = resolve(str(tiny_llama(tmp_path / "llama", context=512)), "lm")
    bench = Lent(open_models(), base, tmp_path)
    predictor = LoRA(learning_rate=5e-3, epochs=12).adapt(PRICES, SHOTS, bench)
    for prediction in predictor.predict(QUESTIONS):
        assert prediction.answer == "" or number(prediction.answer) is not None
