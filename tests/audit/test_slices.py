"""A slice made worse is seen; where nothing was made worse, alarms are as rare as stated."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nshot.audit.contract import Subject
from nshot.audit.estimates import held
from nshot.audit.luck import of_groups, of_means, of_pairs, of_shares
from nshot.audit.slices.audit import Slices, compared
from nshot.audit.slices.cutting import Slice, by_column, by_length, by_script
from nshot.core.types import Example, Input, Label, Prediction, Task
from nshot.data import load
from nshot.metrics.binomial import wilson
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.predictors.features import Encoded
from nshot.predictors.nearest import Nearest, class_means

LABELS = ("refund", "return", "lost", "late")
TASK = Task("tickets", "classify", labels=tuple(Label(name) for name in LABELS))
RNG = np.random.default_rng


def row(number: int, text: str, label: str) -> Example:
    return Example(f"r{number}", Input((("text", text),)), (label,))


def tickets(count: int, seed: int = 0) -> tuple[Example, ...]:
    """A third Korean, of many lengths."""
    rng = RNG(seed)
    words = {True: ["환불", "반품", "배송", "주문", "카드", "상자", "전화"],
             False: ["refund", "parcel", "card", "order", "box", "phone", "courier"]}  # fmt: skip
    rows = []
    for number in range(count):
        some = rng.choice(words[number % 3 == 0], size=rng.integers(3, 20))
        rows.append(row(number, " ".join(some), LABELS[int(rng.integers(4))]))
    return tuple(rows)


def answered(rows: tuple[Example, ...], right: np.ndarray) -> dict[str, Prediction]:
    """The right label where `right` says so, else the next one."""
    scores = tuple(math.log(p) for p in (0.7, 0.1, 0.1, 0.1))
    return {
        one.id: Prediction(one.label if good else LABELS[(LABELS.index(one.label) + 1) % 4], scores)
        for one, good in zip(rows, right, strict=True)
    }


def subject(rows: tuple[Example, ...], right: np.ndarray, **changes: object) -> Subject:
    whole = Subject("t", open_models(), TASK, rows=rows, predictions=answered(rows, right))
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_a_slice_made_worse_is_found_with_its_worst_rows() -> None:
    rows = tickets(240)
    korean = np.array([i % 3 == 0 for i in range(240)])
    right = RNG(1).random(240) < np.where(korean, 0.35, 0.85)
    result = Slices().run(subject(rows, right))
    first = result.alarms[0]
    assert first.about == "script: Korean"
    assert first.value is not None
    assert first.high is not None
    assert first.value < -0.3
    assert first.high < 0
    assert first.rows
    assert all(int(name[1:]) % 3 == 0 and not right[int(name[1:])] for name in first.rows)
    assert any(sheet.title == "Worst rows of script: Korean" for sheet in result.sheets)


def test_rows_that_fall_on_one_answer_are_told_of_with_the_answer() -> None:
    """Every Korean message is answered 'late': the report says so by itself."""
    rows = tickets(240)
    whole = subject(rows, np.ones(240, dtype=bool))
    fallen = {f"r{i}": Prediction("late", (-3.0, -3.0, -3.0, -0.2)) for i in range(0, 240, 3)}
    result = Slices().run(replace(whole, predictions={**whole.predictions, **fallen}))
    sentence = next(one.sentence for one in result.alarms if "one answer" in one.about)
    assert sentence.startswith("script: Korean: every row answered 'late', which is right for")
    assert "on one answer" in result.summary


def test_a_model_that_knows_one_answer_is_said_once() -> None:
    rows = tickets(120)
    every = {one.id: Prediction("late", (-3.0, -3.0, -3.0, -0.2)) for one in rows}
    result = Slices().run(replace(subject(rows, np.ones(120, dtype=bool)), predictions=every))
    falls = [one for one in result.findings if "one answer" in one.about]
    assert [one.about for one in falls] == ["one answer, rows: all"]


def test_clean_tasks_raise_alarms_no_more_often_than_stated() -> None:
    """200 tasks without a worse slice, fifteen slices each: 5 % may have an alarm."""
    rng, alarms = RNG(2), 0
    for _ in range(200):
        rows, share = int(rng.integers(60, 400)), rng.uniform(0.5, 0.95)
        right = (rng.random(rows) < share).astype(np.float64)
        slices = [Slice("s", str(i), rng.random(rows) < rng.uniform(0.1, 0.6)) for i in range(15)]
        alarms += any(cut.is_worse for cut in compared(slices, right, None))
    assert alarms <= 18  # 10 expected at most; more than 18 by luck once in a hundred


def test_without_multiplicity_the_same_tasks_would_raise_far_more() -> None:
    """The control: each slice by itself at 5 %."""
    rng, alarms = RNG(2), 0
    for _ in range(60):
        right = (rng.random(300) < 0.7).astype(np.float64)
        slices = [Slice("s", str(i), rng.random(300) < 0.4) for i in range(15)]
        alarms += any(cut.gap.p < 0.05 for cut in compared(slices, right, None))
    assert alarms > 18


def test_groups_are_redrawn_whole() -> None:
    """Twelve authors with luck of their own: by rows half would be an alarm, by groups few are."""
    rng, by_rows, by_groups = RNG(3), 0, 0
    groups = np.repeat(np.arange(12), 20)
    inside = np.isin(groups, (0, 1, 2, 3, 4, 5))
    for _ in range(60):
        share = np.clip(rng.normal(0.7, 0.2, size=12), 0.05, 0.95)[groups]
        right = (rng.random(240) < share).astype(np.float64)
        by_rows += _shares(right, inside) < 0.05
        by_groups += of_groups(right, inside, groups).p < 0.05
    assert by_rows >= 9
    assert by_groups <= 8


def _shares(right: np.ndarray, inside: np.ndarray) -> float:
    hits, others = int(right[inside].sum()), int(right[~inside].sum())
    return of_shares(hits, int(inside.sum()), others, int((~inside).sum())).p


def test_the_numbers_of_the_papers() -> None:
    # Newcombe 1998, table II, method 10: 56/70 against 48/80, 9/10 against 3/10.
    first, second = of_shares(56, 70, 48, 80), of_shares(9, 10, 3, 10)
    assert (first.low, first.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert (second.low, second.high) == pytest.approx((0.1705, 0.8090), abs=5e-5)
    # Fisher's tea: 1 of 4 against 3 of 4 by one side is 17/70.
    assert of_shares(1, 4, 3, 4).p == pytest.approx(17 / 70)
    # Holm by hand: .01 x 4, .02 x 3, .03 x 2, .9.
    assert held([0.9, 0.02, 0.01, 0.03]) == pytest.approx([0.9, 0.06, 0.04, 0.06])
    # Wilson 1927 for 0 of 10: z^2 / (n + z^2).
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=5e-5)
    # McNemar by hand: 3 against 0 is (1/2)^3.
    pair = of_pairs(np.array([True] * 3 + [False] * 7), np.zeros(10, dtype=bool))
    assert (pair.value, pair.p) == (pytest.approx(0.3), pytest.approx(0.125))


def test_points_that_are_no_hits_are_shuffled() -> None:
    points = RNG(4).random(80)
    inside = np.arange(80) < 30
    assert of_means(points, inside).p > 0.01
    worse = np.where(inside, points - 0.3, points)
    one = of_means(worse, inside)
    assert one.p < 0.001
    assert one.high < 0
    assert of_means(worse, inside) == one


def test_slices_are_cut_by_what_rows_are() -> None:
    rows = tickets(60)
    assert {one.name for one in by_script(rows)} == {"Latin letters", "Korean"}
    assert sum(one.rows for one in by_length(rows)) == 60
    days = [f"2026-{1 + i % 12:02}-{1 + i % 28:02}" for i in range(60)]
    times = list(by_column("sent", days, is_named=False))
    assert times[0].name.startswith("2026-01-01 to 2026-")
    assert sum(one.rows for one in times) == 60
    assert not list(by_column("name", [f"n{i}" for i in range(60)], is_named=False))
    assert [one.name for one in by_column("c", ["de", "kr", ""] * 20, is_named=False)] == [
        "de",
        "kr",
    ]


def test_one_row_and_an_absent_column_are_said_and_the_rest_goes_on() -> None:
    rows = tickets(60)
    cells = {"country": {"r0": "fr", **{f"r{i}": "de" for i in range(1, 60)}}}
    whole = subject(rows, np.ones(60, dtype=bool), columns=cells, slices=("country", "age"))
    result = Slices().run(whole)
    assert "no column 'age' in the rows' file: there are country" in result.notes
    assert "country: fr has 1 row: too few to say anything of it" in result.notes
    assert not result.alarms
    assert result.findings


def test_few_rows_are_refused_with_the_number() -> None:
    rows = tickets(10)
    reason = Slices().why_not(subject(rows, np.ones(10, dtype=bool)))
    assert reason == "10 labelled rows: a slice and the rest have 8 each"


@pytest.mark.embedded
def test_an_english_encoder_on_the_support_tickets_is_told_of() -> None:
    """MiniLM cannot read Korean: its nearest means give most Korean messages one label."""
    place = Path(__file__).parents[2] / "examples" / "support-tickets"
    loaded = load(place)
    models = open_models()
    source = Encoded(models, resolve("all-minilm-l6-v2", "encoder"))
    names = loaded.task.label_names
    shots = [row for name in names for row in loaded.train if row.label == name][::2]
    vectors = source.read([row.input for row in shots]).matrix
    targets = np.array([names.index(row.label) for row in shots])
    predictor = Nearest(loaded.task, source, class_means(vectors, targets, len(names)))
    rows = (loaded.test or ())[:160]
    result = Slices().run(Subject("t", models, loaded.task, predictor, rows=rows))
    about = [one.about for one in result.alarms]
    assert "script: Korean" in about
    assert "one answer, script: Korean" in about
    assert not any("Latin" in one for one in about)
