"""How scores become probabilities: against closed forms and scikit-learn; what never changes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from nshot.core.serial import from_data, to_data
from nshot.core.types import Example, Input, Label, Prediction, Task
from nshot.predictors import calibration
from nshot.predictors.calibration import (
    ISOTONIC,
    LEAST,
    Calibration,
    calibration_of,
    isotonic,
    temperature,
    thresholds,
)
from nshot.predictors.scores import classified, log_softmax

TASK = Task("문의", "classify", (Label("refund"), Label("배송"), Label("로그인")))
Pairs = list[tuple[Example, Prediction]]


def drawn(rows: int, heat: float, seed: int = 0, power: float = 1.0) -> Pairs:
    """Rows whose labels follow true logits; the scores are these, `heat` times as far apart."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (rows, 3))
    targets = (np.exp(log_softmax(logits)).cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)
    logits = -(np.abs(logits - logits.max(axis=1, keepdims=True)) ** power)
    predictions = classified(TASK, log_softmax(logits * heat), [0] * rows)
    names = TASK.label_names
    return [
        (Example(str(i), Input((("text", f"{i} 번"),)), (names[target],)), one)
        for i, (target, one) in enumerate(zip(targets, predictions, strict=True))
    ]


def arrays(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    scores = np.array([one.scores for _, one in pairs])
    return scores, np.array([TASK.label_names.index(e.label) for e, _ in pairs])


# ---------------------------------------------------------------------------- the temperature


def test_two_kinds_of_row_have_a_closed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two labels, every score ±1 apart, 80 of 100 right: without the prior sigma(1/T) = .8."""
    scores = log_softmax(np.tile([1.0, 0.0], (100_000, 1)))
    targets = np.array([0] * 80_000 + [1] * 20_000)
    assert temperature(scores, targets) == pytest.approx(1 / np.log(0.8 / 0.2), rel=1e-4)


@pytest.mark.parametrize("rows", [30, 300])
@pytest.mark.parametrize("heat", [0.3, 1.0, 4.0])
def test_it_is_the_lowest_point_of_the_loss(rows: int, heat: float) -> None:
    scores, targets = arrays(drawn(rows, heat))

    def loss(inverse: float) -> float:
        right = log_softmax(scores * inverse)[np.arange(rows), targets]
        return float(-right.sum() + inverse - np.log(inverse))

    best = minimize_scalar(loss, bounds=(0.02, 50), method="bounded", options={"xatol": 1e-10})
    assert temperature(scores, targets) == pytest.approx(1 / best.x, rel=1e-4)


def test_the_true_temperature_is_found() -> None:
    for heat in (0.5, 1.0, 3.0):
        assert temperature(*arrays(drawn(20_000, heat))) == pytest.approx(heat, rel=0.05)


def test_all_right_and_all_wrong_have_a_finite_one() -> None:
    scores, _ = arrays(drawn(60, 1.0))
    best = scores.argmax(axis=1)
    assert 0.02 <= temperature(scores, best) < 1
    assert 1 < temperature(scores, (best + 1) % 3) <= 50
    even = np.full((60, 3), np.log(1 / 3))
    assert temperature(even, best) == pytest.approx(1.0), "scores that say nothing stay"
    impossible = np.where(np.arange(3) == best[:, None], 0.0, -np.inf)
    assert 0.02 <= temperature(impossible, best) <= 50


# ------------------------------------------------------------------------- isotonic regression


def test_the_steps_are_those_of_scikit_learn() -> None:
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(1)
    sure = np.round(rng.uniform(0.3, 1, 500), 2)  # many ties
    right = rng.random(500) < sure**2
    ours = isotonic(sure, right)
    theirs = IsotonicRegression(y_min=1 / 502, y_max=501 / 502).fit(sure, right)
    points, heights = np.array(ours).T
    grid = np.linspace(0.3, 1, 400)
    assert np.interp(grid, points, heights) == pytest.approx(theirs.predict(grid.clip(0.3, 1)))


def test_five_rows_by_hand() -> None:
    """1 0 over .5 .6 pool to a half; no value comes nearer to 0 and 1 than a seventh."""
    sure = np.array([0.4, 0.5, 0.6, 0.7, 0.7])
    right = np.array([False, True, False, True, True])
    points, heights = zip(*isotonic(sure, right), strict=True)
    assert points == (0.4, 0.5, 0.6, 0.7)
    assert heights == pytest.approx((1 / 7, 0.5, 0.5, 6 / 7))


def test_steps_are_taken_only_where_rows_they_were_not_fitted_on_gain() -> None:
    straight = calibration_of(TASK, drawn(600, 2.0))
    bent = calibration_of(TASK, drawn(1500, 3.0, power=2.0))
    few = calibration_of(TASK, drawn(ISOTONIC - 1, 3.0, power=2.0))
    assert straight is not None
    assert (straight.kind, straight.knots) == ("temperature", ())
    assert bent is not None
    assert bent.kind == "isotonic"
    assert len(bent.knots) > 2
    assert few is not None
    assert few.kind == "temperature"


# ------------------------------------------------------------------------- what never changes

SCORES = st.lists(
    st.lists(st.floats(-60, 0, allow_nan=False), min_size=3, max_size=3), min_size=1, max_size=12
)
KNOTS = st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.002, 0.998)), min_size=1, max_size=6)


@given(SCORES, st.floats(0.02, 50), st.one_of(st.just([]), KNOTS))
@settings(max_examples=300, deadline=None)
def test_answers_stay_and_probabilities_sum_to_one(
    rows: list[list[float]], heat: float, knots: list[tuple[float, float]]
) -> None:
    rising = tuple(zip(*(sorted({one[i] for one in knots}) for i in (0, 1)), strict=False))
    kind = "isotonic" if rising else "temperature"
    before = classified(TASK, np.array(rows), [7] * len(rows))
    after = Calibration(kind, 100, heat, rising).of(TASK, before)  # type: ignore[arg-type]
    for then, now in zip(before, after, strict=True):
        assert (now.answer, now.tokens_in) == (then.answer, then.tokens_in)
        assert np.exp(now.scores).sum() == pytest.approx(1, abs=1e-9)
        assert max(now.scores) == now.scores[TASK.label_names.index(now.answer)]
        for i, j in itertools.permutations(range(3), 2):
            if then.scores[i] < then.scores[j]:
                assert now.scores[i] <= now.scores[j] + 1e-9, "the labels' order stays"


@given(SCORES, st.floats(0.1, 10))
@settings(max_examples=100, deadline=None)
def test_a_row_is_calibrated_by_itself(rows: list[list[float]], heat: float) -> None:
    whole = Calibration("isotonic", 100, heat, ((0.3, 0.2), (0.9, 0.95)))
    together = whole.logprobs(np.array(rows))
    singly = [whole.logprobs(np.array([row]))[0] for row in rows]
    assert together == pytest.approx(np.array(singly), abs=1e-12)


def test_the_surer_answer_stays_the_surer_one() -> None:
    sure = np.linspace(0.34, 0.999, 200)
    scores = np.log(np.stack([sure, (1 - sure) / 2, (1 - sure) / 2], axis=1))
    for fitted in (
        Calibration("temperature", 100, 3.0),
        Calibration("isotonic", 100, 0.7, ((0.3, 0.4), (0.6, 0.4), (0.9, 0.8))),
    ):
        top = fitted.logprobs(scores).max(axis=1)
        assert np.all(np.diff(top) >= -1e-12)


def test_the_calibrated_probability_comes_true_on_other_rows() -> None:
    for power in (1.0, 2.0):
        fitted = calibration_of(TASK, drawn(3000, 4.0, power=power))
        assert fitted is not None
        scores, targets = arrays(drawn(20_000, 4.0, seed=9, power=power))
        right = scores.argmax(axis=1) == targets

        def gap(top: np.ndarray, right: np.ndarray = right) -> float:
            parts = np.array_split(np.argsort(top), 15)
            return float(np.mean([abs(top[one].mean() - right[one].mean()) for one in parts]))

        assert gap(np.exp(scores.max(axis=1))) > 0.08
        assert gap(np.exp(fitted.logprobs(scores).max(axis=1))) < 0.02


# ------------------------------------------------------------------------------ thresholds


def test_thresholds_by_hand() -> None:
    """The lowest with so many right of the rows over it and of one more that was wrong."""
    sure = np.concatenate([np.full(40, 0.97), np.full(40, 0.8342), np.full(20, 0.61)])
    right = np.concatenate([np.ones(40), np.ones(34), np.zeros(6), np.zeros(20)]).astype(bool)
    # 40 of 41 = .976; 74 of 81 = .914; 74 of 101 = .733
    assert thresholds(sure, right) == ((0.7, 0.0), (0.8, 0.83), (0.9, 0.83), (0.95, 0.97))


def test_nothing_is_reached_by_few_rows_or_by_chance() -> None:
    assert thresholds(np.linspace(0.5, 0.9, 19), np.ones(19, dtype=bool)) == ()
    wrong = np.zeros(50, dtype=bool)
    assert thresholds(np.linspace(0.5, 0.9, 50), wrong) == ()


@given(st.lists(st.tuples(st.floats(0.001, 1), st.booleans()), min_size=1, max_size=80))
@settings(max_examples=200, deadline=None)
def test_what_stands_over_a_threshold_is_so_accurate(rows: list[tuple[float, bool]]) -> None:
    sure, right = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    for accuracy, threshold in thresholds(sure, right):
        kept = right[sure >= threshold]
        assert len(kept) >= calibration.ANSWERS
        assert kept.sum() >= accuracy * (len(kept) + 1) - 1e-9


# --------------------------------------------------------------------- what cannot be calibrated


def test_too_few_rows_say_so() -> None:
    fitted = calibration_of(TASK, drawn(LEAST - 1, 2.0))
    assert fitted is not None
    assert (fitted.kind, fitted.rows) == ("none", LEAST - 1)
    assert fitted.reason == "at least 30 validation rows are needed, and it has 29"
    rows = [one for _, one in drawn(3, 2.0)]
    assert fitted.of(TASK, rows) == rows


def test_answers_without_scores_say_so_and_stay() -> None:
    written = [(example, Prediction(example.label)) for example, _ in drawn(50, 1.0)]
    fitted = calibration_of(TASK, written)
    assert fitted is not None
    assert (fitted.kind, fitted.reason) == ("none", "its answers have no scores")
    nowhere = Prediction("refund", (-np.inf, -np.inf, -np.inf))
    mixed = [Prediction(""), nowhere, *(one for _, one in drawn(2, 1.0))]
    after = Calibration("temperature", 50, 2.0).of(TASK, mixed)
    assert after[:2] == mixed[:2]
    assert after[2].scores != mixed[2].scores
    assert calibration_of(Task("t", "generate"), []) is None


def test_json_holds_it_to_the_bit() -> None:
    for pairs in (drawn(40, 2.0), drawn(1500, 3.0, power=2.0), drawn(3, 1.0)):
        fitted = calibration_of(TASK, pairs)
        assert from_data(Calibration, to_data(fitted)) == fitted
