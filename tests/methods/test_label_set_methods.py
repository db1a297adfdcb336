"""Methods that answer several labels a row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lent import Lent
from sklearn.linear_model import LogisticRegression

from nshot.core.label_sets import labels_of
from nshot.core.types import Example, Prediction, Shots, Task
from nshot.methods import TABLE
from nshot.methods.features import ABSENT
from nshot.methods.fewshot.knn import KNN
from nshot.methods.fewshot.linear_probe import LinearProbe
from nshot.methods.label_sets import indicators, thresholds
from nshot.methods.logistic import Design, independent
from nshot.methods.peft.lora import LoRA
from nshot.methods.prompt.few_shot import FewShot
from nshot.methods.prompt.zero_shot import ZeroShot
from nshot.methods.trivial.majority import Majority
from nshot.methods.trivial.tfidf_lr import TfIdfLR
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.models.fake.fake_engine import FakeModels
from nshot.predictors import load
from nshot.predictors.label_sets import AskedLabels
from nshot.prompts.questions import question_task, questions
from nshot.testing.contracts import check_predictor
from tiny import tiny_llama
from toys import QUESTIONS, TASK, Bench, ask

SETS = replace(TASK, kind="multilabel", metric="micro_f1")
FIRST, SECOND, THIRD = TASK.label_names


def rows(count: int) -> tuple[Example, ...]:
    """Texts that say in words which labels they have."""
    words = {FIRST: "the card", SECOND: "money back", THIRD: "환불"}
    made = []
    for i in range(count):
        labels = tuple(name for place, name in enumerate(TASK.label_names) if i >> place & 1)
        text = " and ".join(words[name] for name in labels) or "good morning"
        made.append(Example(f"r{i}", ask(f"{text}, number {i}"), labels))
    return tuple(made)


SHOTS = Shots(rows(32), tuple(replace(e, id=f"u{e.id}", targets=()) for e in rows(8)))


def test_independent_fits_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((60, 5))
    applies = (features @ rng.standard_normal((5, 3)) + rng.standard_normal((60, 3)) > 0.8) * 1.0
    weights, bias = independent(Design.of(features), applies, 3.0)
    for place in range(3):
        theirs = LogisticRegression(C=3.0, tol=1e-10, max_iter=2000)
        theirs.fit(features, applies[:, place])
        np.testing.assert_allclose(weights[:, place], theirs.coef_[0], atol=1e-3)
        assert bias[place] == pytest.approx(float(theirs.intercept_[0]), abs=1e-3)


def test_a_label_that_no_row_has_or_every_row_is_answered_so() -> None:
    features = np.random.default_rng(0).standard_normal((10, 3))
    applies = np.stack([np.zeros(10), np.ones(10), np.arange(10) % 2], axis=1)
    weights, bias = independent(Design.of(features), applies, 1.0)
    assert not weights[:, :2].any()
    assert bias[:2].tolist() == [ABSENT, -ABSENT]


def test_the_majority_answers_the_labels_with_the_best_micro_f1(tmp_path: Path) -> None:
    one = [Example(f"a{i}", ask(f"a {i}"), (FIRST,)) for i in range(6)]
    two = [Example(f"b{i}", ask(f"b {i}"), (SECOND, FIRST)) for i in range(3)]
    predictor = Majority().adapt(SETS, Shots((*one, *two)), Bench(tmp_path))
    (answer,) = predictor.predict(QUESTIONS[:1])
    assert labels_of(answer.answer) == (FIRST,), "2 * 9 / (9 + 12), with the second 2 * 12 / 30"
    assert np.exp(answer.scores[1]) == pytest.approx(1 / 3)


def test_one_threshold_serves_all_labels_and_macro_f1_has_one_each() -> None:
    many = rows(256)
    applies = indicators(SETS, many)
    probabilities = 0.1 + applies * np.array([0.15, 0.5, 0.8])
    same = thresholds(SETS, probabilities, many)
    assert len(set(same.tolist())) == 1
    assert 0.1 < same[0] <= 0.25
    own = thresholds(replace(SETS, metric="macro_f1"), probabilities, many)
    assert own[0] <= 0.25
    assert own[2] == pytest.approx(0.5)
    assert thresholds(SETS, probabilities[:5], many[:5]).tolist() == [0.5] * 3


@pytest.mark.parametrize("method", [TfIdfLR(), LinearProbe(), KNN(k=3)], ids=lambda m: m.name)
def test_heads_learn_sets_and_saved_they_answer_the_same(
    method: TfIdfLR | LinearProbe | KNN, tmp_path: Path
) -> None:
    predictor = method.adapt(SETS, SHOTS, Bench(tmp_path))
    answers = predictor.predict([row.input for row in SHOTS.labelled])
    pairs = zip(answers, SHOTS.labelled, strict=True)
    right = [set(labels_of(answer.answer)) == set(row.targets) for answer, row in pairs]
    assert sum(right) > len(right) / 2
    check_predictor(predictor, SETS, FakeModels(), tmp_path / "saved", QUESTIONS)


@pytest.mark.parametrize("name", ["majority", "zero_shot", "few_shot"])
def test_the_others_keep_the_predictors_contract(name: str, tmp_path: Path) -> None:
    predictor = TABLE[name]().adapt(SETS, SHOTS, Bench(tmp_path))
    check_predictor(predictor, SETS, FakeModels(), tmp_path / "saved", QUESTIONS)


def test_a_question_is_asked_for_each_row_and_label() -> None:
    asked = questions(SETS, SHOTS.labelled[:2])
    assert [one.label for one in asked] == ["no", "no", "no", "yes", "no", "no"]
    assert asked[3].input.fields[-1][1].endswith('"card arrival" (a card that has not come) apply?')
    assert {one.group for one in asked[:3]} == {"id:r0"}
    assert question_task(SETS).label_names == ("yes", "no")


def test_few_shot_shows_no_row_that_its_threshold_is_chosen_on(tmp_path: Path) -> None:
    predictor = FewShot(n=4).adapt(SETS, SHOTS, Bench(tmp_path))
    assert isinstance(predictor, AskedLabels)
    assert len(set(predictor.thresholds)) == 1
    zero = ZeroShot().adapt(SETS, SHOTS, Bench(tmp_path))
    assert isinstance(zero, AskedLabels)
    assert zero.thresholds == (0.5, 0.5, 0.5)


class _Yes:
    """Answers without scores, as a model that can only write."""

    task = question_task(SETS)

    def predict(self, inputs: list[object]) -> list[Prediction]:
        return [Prediction(("yes", "no", "")[i % 3], tokens_in=2) for i in range(len(inputs))]


def test_answers_without_scores_are_yes_or_not(tmp_path: Path) -> None:
    predictor = AskedLabels(SETS, _Yes(), (0.5,) * 3)  # type: ignore[arg-type]
    answers = predictor.predict(list(QUESTIONS[:2]))
    assert {one.answer for one in answers} == {FIRST}
    assert [one.tokens_in for one in answers] == [6, 6]


def test_lora_learns_to_say_which_labels_apply(tmp_path: Path) -> None:
    base = resolve(str(tiny_llama(tmp_path / "tiny", context=256)), "lm")
    models = open_models()
    bench = Lent(models, base, tmp_path / "job")
    method = LoRA(epochs=2, batch_size=8, learning_rate=3e-3)
    predictor = method.adapt(SETS, Shots(rows(24)), bench)
    assert isinstance(predictor, AskedLabels)
    predictor.save(tmp_path / "saved")
    inputs = list(QUESTIONS[:2])
    again = load(tmp_path / "saved", models)
    assert [a.answer for a in again.predict(inputs)] == [
        a.answer for a in predictor.predict(inputs)
    ]


def test_who_cannot_answer_sets_says_so() -> None:
    assert "multilabel" not in TABLE["setfit"].kinds
    assert "multilabel" not in TABLE["prompt_tuning"].kinds
    single: Task = replace(SETS, kind="classify")
    assert single.has_labels
