"""Measurements as rows of the board."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nshot.board.details import confusion, details
from nshot.board.reduce import Entry, Facts, Searching, draw_scores, matrix, reduce, row_of, shown
from nshot.board.schema import Estimate, Machine, Mistake, Trial
from nshot.core.types import (
    Cost,
    Example,
    Input,
    Label,
    Measurement,
    Prediction,
    Split,
    Task,
)
from nshot.methods import TABLE

TASK = Task("t", "classify", (Label("a"), Label("b")))
KNN = TABLE.build({"method": "knn"})


def measured(right: str, draw: int = 0, shots: int | None = 4, seconds: float = 1.0) -> Measurement:
    """``10`` answers row 0 rightly and row 1 wrongly; rows are labelled a, b, a, b..."""
    truth = ["ab"[i % 2] for i in range(len(right))]
    said = [t if r == "1" else "ba"["ab".index(t)] for t, r in zip(truth, right, strict=True)]
    return Measurement(
        job=f"j{draw}", method="knn", spec={"method": "knn"}, rung="fewshot", form="trained",
        parent=None, fingerprint="f", shots=shots, draw=draw,
        ids=tuple(f"r{i}" for i in range(len(right))),
        predictions=tuple(Prediction(answer) for answer in said),
        statistics=tuple((float(r),) for r in right),
        build=Cost(seconds, spent_seconds=0.5, peak_bytes=7, trained_params=3, disk_bytes=9),
        use=Cost(seconds=0.02, tokens_in=40, tokens_out=4), train_score=0.9, notes=("cut",),
    )  # fmt: skip


def test_a_row_says_what_was_measured() -> None:
    entry = Entry(KNN, measurements={4: [measured("1110", 0), measured("1100", 1, seconds=3.0)]})
    entry.searching[4] = Searching(10.0, 0.25)
    entry.trials = (Trial(settings={"k": 1}, score=0.5, chosen=True),)
    entry.spec = {"method": "knn", "k": 1}
    row = row_of(entry, TASK, [4], {4: {"knn": Estimate(score=0.625, low=0.3, high=0.9)}})
    assert (row.status, row.score, row.per_seed) == ("ok", 0.625, (0.75, 0.5))
    assert (row.low, row.high) == (0.3, 0.9)
    assert row.build_seconds == 12.0, "the median adaptation and one search"
    assert row.build_money == 0.25, "what the search paid for answers"
    assert row.spent_seconds == pytest.approx(11.04)
    assert row.use_seconds_per_1000 == pytest.approx(5.0)
    assert row.tokens_per_request == 11.0
    assert (row.trained_params, row.disk_bytes, row.build_peak_bytes) == (3, 9, 7)
    assert row.settings == {"k": 1}
    assert row.notes == ("cut",), "once, though both draws say it"


def test_the_score_of_a_row_put_aside_is_carried_to_all_rows() -> None:
    """On the 40 rows that were easier for the fast one it is right as often as that one."""
    right = "1" * 36 + "0" * 4 + "10" * 30
    examples = tuple(
        Example(f"r{i}", Input((("text", "x"),)), ("ab"[i % 2],)) for i in range(len(right))
    )
    facts = Facts(TASK, Split((), examples, "file", "f"), (None,), 1, question=1)
    whole = Entry(KNN, measurements={None: [measured(right, shots=None)]})
    first = Entry(
        TABLE.build({"method": "lora"}),
        aside="put aside after 40 of 100 test rows",
        measurements={None: [measured(right[:40], shots=None)]},
    )
    board = reduce(facts, [whole, first])
    row = board.row("lora")
    assert (row.status, row.test_rows, row.per_seed) == ("aside", 40, (0.9,))
    assert 0.66 <= row.score < 0.8, "the fast one has .9 on these rows and .66 on all"
    assert row.low < row.score < row.high
    assert board.row("knn").score == pytest.approx(0.66)


def test_a_row_stands_at_the_largest_size_and_has_a_curve() -> None:
    entry = Entry(
        KNN,
        measurements={4: [measured("10")], None: [measured("11", shots=None)], 8: [measured("11")]},
    )
    row = row_of(entry, TASK, [4, 8, None])
    assert row.score == 1.0
    assert [(p.shots, p.score) for p in row.curve] == [(4, 0.5), (8, 1.0), ("all", 1.0)]


@pytest.mark.parametrize(("failed", "status"), [(True, "failed"), (False, "skipped")])
def test_a_row_without_a_measurement_has_nulls_and_a_reason(failed: bool, status: str) -> None:
    row = row_of(Entry(KNN, failed=failed, reason="because"), TASK, [4])
    assert (row.status, row.reason, row.score) == (status, "because", None)
    assert (row.per_seed, row.curve, row.build_seconds) == ((), (), None)


def test_the_learning_curve_is_of_the_first_draw_in_few_points() -> None:
    curve = {"train": [float(i) for i in range(130)], "validation": [[0, 2.5], [130, 1.5]]}
    drawn = [replace(measured("10", i), extra={"learning_curve": curve}) for i in (1, 2)]
    row = row_of(Entry(KNN, measurements={4: drawn}), TASK, [4]).learning_curve
    assert row.validation == ((0, 2.5), (130, 1.5))
    assert row.train[0] == (3, 1.0)
    assert row.train[-1] == (130, 129.0)
    assert len(row.train) == 44
    untrained = row_of(Entry(KNN, measurements={4: [measured("10")]}), TASK, [4])
    assert untrained.learning_curve is None


def test_a_policy_that_was_stopped_early_keeps_its_rounds() -> None:
    rounds = {"reward": [0.1, 0.4], "kl": [0.0, 31.0]}
    curve = {"train": [], "validation": [], "rounds": rounds}
    one = replace(measured("10"), extra={"learning_curve": curve})
    row = row_of(Entry(KNN, measurements={4: [one]}), TASK, [4]).learning_curve
    assert row.rounds == {"reward": (0.1, 0.4), "kl": (0.0, 31.0)}
    assert row.train == ()


def facts_of(task: Task = TASK, count: int = 2) -> Facts:
    rows = tuple(Example(f"r{i}", Input(), ("ab"[i % 2],)) for i in range(count))
    return Facts(task, Split((), rows, "file", "f"), (4,), 1)


def test_points_are_in_one_order_whatever_order_they_were_answered_in() -> None:
    one, other = measured("10"), measured("01", 1)
    turned = replace(other, ids=other.ids[::-1], statistics=other.statistics[::-1])
    points = matrix(Entry(KNN, measurements={4: [one, turned]}), 4, facts_of())
    assert points.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_draws_that_are_the_same_to_the_row_are_one_draw() -> None:
    same = Entry(KNN, measurements={4: [measured("10", 0), measured("10", 1)]})
    assert matrix(same, 4, facts_of()).shape == (1, 2)
    assert draw_scores(same, 4, TASK) == [0.5, 0.5]


def test_macro_f1_points_average_to_the_score() -> None:
    task = Task("t", "classify", TASK.labels, metric="macro_f1")
    two = measured("11")
    statistics = ((1.0, 0.0, 1.0, 0.0, 1.0, 0.0), (0.0, 0.0, 1.0, 0.0, 0.0, 1.0))
    entry = Entry(KNN, measurements={4: [replace(two, statistics=statistics)]})
    assert np.mean(matrix(entry, 4, facts_of(task))) == pytest.approx(
        draw_scores(entry, 4, task)[0]
    )


def test_what_stands_beside_is_the_mean_over_draws() -> None:
    draws = [
        replace(measured("10", i), extra={"beside": {"vote": s}}) for i, s in ((0, 0.5), (1, 1))
    ]
    row = row_of(Entry(KNN, measurements={4: draws}), TASK, [4])
    assert row.beside == {"vote": 0.75}


def test_confusion_counts_every_answer_and_those_that_are_no_label() -> None:
    one = measured("1101")
    examples = {
        key: Example(key, Input(), (label,)) for key, label in zip(one.ids, "abab", strict=True)
    }
    seen = confusion(TASK, one, examples)
    assert (seen.labels, seen.answers) == (("a", "b"), ("a", "b"))
    assert seen.counts == ((1, 1), (0, 2))
    mute = replace(one, predictions=(Prediction(""), *one.predictions[1:]))
    seen = confusion(TASK, mute, examples)
    assert seen.answers == ("a", "b", "(no label)")
    assert seen.counts == ((0, 1, 1), (0, 2, 0))


@pytest.mark.parametrize(
    ("method", "parameters", "share"),
    [("lora", 600, 0.005), ("full", 3, 1.0), ("lora", 0, None), ("knn", 600, None),
     ("lm_probe", 600, None), ("zero_shot", 600, None)],
)  # fmt: skip
def test_the_share_is_of_the_language_model_where_it_is_what_is_trained(
    method: str, parameters: int, share: float | None
) -> None:
    entry = Entry(
        TABLE.build({"method": method}),
        parameters=parameters,
        measurements={4: [measured("10")]},
    )
    row = row_of(entry, TASK, [4])
    assert (row.trained_params, row.trained_share) == (3, share)


def test_sizes_as_json_has_them() -> None:
    assert (shown(4), shown(None)) == (4, "all")


def test_mistakes_of_a_ranking_are_the_rows_whose_best_answer_is_not_first() -> None:
    task = Task("pairs", "rank", metric="pair_accuracy")
    row = Example("x", Input((("text", "say"),), answers=("good", "bad")), grades=(1.0, 0.0))
    examples = (replace(row, id="r0"), replace(row, id="r1"))
    drawn = replace(
        measured("10"),
        predictions=(Prediction("good", (0.9, 0.1)), Prediction("bad", (0.2, 0.8))),
    )
    facts = Facts(task, Split((), examples, "file", "f"), (4,), 1)
    shown = details(facts, Entry(KNN, measurements={4: [drawn]}), Machine(), "nshot", (0.0, 1.0))
    assert shown.mistakes == (
        Mistake(id="r1", text="say", expected="good", answer="bad", score=0.8),
    )
    assert shown.confusion is None
