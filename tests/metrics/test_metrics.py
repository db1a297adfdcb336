"""What a score is, against scikit-learn and by its properties."""

from __future__ import annotations

import re
import string
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from nshot.core.errors import InputError
from nshot.core.types import Check, Example, Grammar, Input, Label, Prediction, Task
from nshot.metrics import METRICS, MacroF1, metric_of, misfits, points, score

unhurried = settings(deadline=None, max_examples=50)
LABELS = ("a", "b", "c", "never")
TASK = Task("t", "classify", tuple(map(Label, LABELS)))


def said(answer: str) -> Prediction:
    return Prediction(answer)


def example(*targets: str) -> Example:
    return Example("x", Input(fields=(("text", "?"),)), targets)


def one(metric: str, targets: tuple[str, ...], answer: str) -> float:
    found = metric_of(Task("t", "generate", metric=metric))
    return score(found, np.array([found.statistics(example(*targets), said(answer))]))


answered = st.lists(
    st.tuples(st.sampled_from(LABELS[:3]), st.sampled_from([*LABELS, "no label", ""])), min_size=1
)


def stats_of(metric: str, pairs: list[tuple[str, str]]) -> tuple[object, np.ndarray]:
    found = metric_of(Task("t", "classify", TASK.labels, metric=metric))
    return found, np.array(
        [found.statistics(example(true), said(answer)) for true, answer in pairs]
    )


@unhurried
@given(answered)
def test_accuracy_is_the_share_of_right_answers(pairs: list[tuple[str, str]]) -> None:
    metric, statistics = stats_of("accuracy", pairs)
    assert score(metric, statistics) == pytest.approx(np.mean([t == a for t, a in pairs]))  # type: ignore[arg-type]


@unhurried
@given(answered)
def test_macro_f1_is_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    metric, statistics = stats_of("macro_f1", pairs)
    true, answers = zip(*pairs, strict=True)
    present = [label for label in LABELS if label in (*true, *answers)]
    theirs = f1_score(true, answers, labels=present, average="macro", zero_division=0)
    assert score(metric, statistics) == pytest.approx(theirs)  # type: ignore[arg-type]
    if {*answers} <= {*LABELS}:
        alone = f1_score(true, answers, average="macro", zero_division=0)
        assert score(metric, statistics) == pytest.approx(alone)  # type: ignore[arg-type]


@unhurried
@given(answered, st.sampled_from(["accuracy", "macro_f1"]))
def test_the_mean_of_the_points_is_the_score(pairs: list[tuple[str, str]], name: str) -> None:
    metric, statistics = stats_of(name, pairs)
    given_points = points(metric, statistics)  # type: ignore[arg-type]
    assert given_points.shape == (len(pairs),)
    assert given_points.mean() == pytest.approx(score(metric, statistics), abs=1e-9)  # type: ignore[arg-type]


@unhurried
@given(answered, st.randoms(use_true_random=False))
def test_points_follow_their_examples(pairs: list[tuple[str, str]], rng: object) -> None:
    order = list(range(len(pairs)))
    rng.shuffle(order)  # type: ignore[attr-defined]
    metric, statistics = stats_of("macro_f1", pairs)
    moved = points(metric, statistics[order])  # type: ignore[arg-type]
    assert moved == pytest.approx(points(metric, statistics)[order])  # type: ignore[arg-type]


def test_jackknife_points_are_what_an_example_adds() -> None:
    metric = MacroF1(("a", "b"))
    pairs = [("a", "a"), ("a", "b"), ("b", "b")]
    statistics = np.array([metric.statistics(example(t), said(a)) for t, a in pairs])
    right, wrong, other = points(metric, statistics)
    assert wrong < right
    assert wrong < other


@pytest.mark.parametrize(
    ("targets", "answer", "expected"),
    [
        (("Seoul",), "Seoul", 1.0),
        (("Seoul",), " seoul. ", 1.0),
        (("Seoul", "서울"), "서울", 1.0),
        (("ＡＢＣ",), "abc", 1.0),
        (("Seoul",), "Busan", 0.0),
        (("Seoul",), "", 0.0),
        (("Paris",), "(Paris)", 1.0),
        (("U.S.A.",), "the USA", 1.0),
        (("A",), "the", 0.0),
        (("A",), "", 0.0),
    ],
)
def test_exact_match_folds_what_does_not_count(
    targets: tuple[str, ...], answer: str, expected: float
) -> None:
    assert one("exact_match", targets, answer) == expected


@pytest.mark.parametrize(
    ("targets", "answer", "expected"),
    [
        (("the red rose",), "red rose", 1.0),
        (("Paris, France",), "France, Paris", 1.0),
        (("Paris",), "(Paris)", 1.0),
        (("부산, 서울",), "서울, 부산", 1.0),
        (("「서울」",), "서울。", 1.0),
        (("the big red rose",), "red rose", 2 * 2 / 5),
        (("red red rose",), "red rose rose", 2 * 2 / 6),
        (("a b", "c d"), "c d", 1.0),
        (("a",), "b", 0.0),
        (("a",), "", 0.0),
        (("...",), "?", 1.0),
    ],
)
def test_token_f1_is_that_of_bags_best_over_references(
    targets: tuple[str, ...], answer: str, expected: float
) -> None:
    assert one("token_f1", targets, answer) == pytest.approx(expected)


def official(prediction: str, truth: str) -> float:
    """F1 by the rules that SQuAD 2.0's evaluation script states, step by step."""

    def tokens(text: str) -> list[str]:
        text = "".join(sign for sign in text.lower() if sign not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    ours, theirs = tokens(prediction), tokens(truth)
    if not ours or not theirs:
        return float(ours == theirs)
    same = sum((Counter(ours) & Counter(theirs)).values())
    if not same:
        return 0.0
    precision, recall = same / len(ours), same / len(theirs)
    return 2 * precision * recall / (precision + recall)


PIECES = ["a", "the", "an", "Paris", "paris", "France", ",", ".", "(", ")", "'s", "-", "$5", "U.S."]
SPOKEN = st.lists(st.sampled_from([*PIECES, " ", " ", " "]), max_size=12).map("".join)


@unhurried
@given(SPOKEN, SPOKEN)
def test_token_f1_is_the_official_scripts(answer: str, target: str) -> None:
    """But for texts of nothing but articles, which it cannot tell apart."""
    assume(all(re.search("[ps5]", text.lower()) for text in (answer, target)))
    assert one("token_f1", (target,), answer) == pytest.approx(official(answer, target))


def test_token_f1_of_no_reference_is_nothing() -> None:
    assert one("token_f1", (), "x") == 0.0


def test_pair_accuracy_takes_any_of_the_best() -> None:
    metric = metric_of(Task("t", "rank", metric="pair_accuracy"))
    asked = Example("x", Input(answers=("p", "q", "r")), grades=(1.0, 2.0, 2.0))
    assert [metric.statistics(asked, said(answer)) for answer in "pqr"] == [(0.0,), (1.0,), (1.0,)]


def test_one_answer_compared_with_itself_is_not_right() -> None:
    task = Task("t", "rank", metric="pair_accuracy")
    alone = Example("x", Input(answers=("p",)), grades=(1.0,))
    assert metric_of(task).statistics(alone, said("p")) == (0.0,)
    pair = Example("y", Input(answers=("p", "q")), grades=(1.0, 0.0))
    assert misfits(task, (), (pair, pair)) == []
    (fault,) = misfits(task, (), (pair, alone))
    assert "needs two answers to choose from: 1 of 2 rows have it" in fault.found
    assert "preference and ranking" in fault.expected


def test_an_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean 'accuracy'"):
        metric_of(Task("t", "classify", metric="acuracy"))
    for name in METRICS:
        given = {"answer_format": Grammar("regex", "a"), "reward": (Check("exact_answer"),)}
        metric_of(Task("t", "classify", TASK.labels, metric=name, **given))


def test_nothing_answered_is_no_score_and_no_crash() -> None:
    for name in ("accuracy", "macro_f1"):
        metric = metric_of(Task("t", "classify", TASK.labels, metric=name))
        width = len(metric.statistics(example("a"), said("a")))
        assert metric.value(np.zeros(width), 0) == 0.0
        assert score(metric, np.array([])) == 0.0
