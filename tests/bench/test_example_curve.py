"""`nshot prompt shots`: the score over examples, and whether more of them pay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nshot.bench.example_curve import ExampleCurve, divide, example_curve, numbers
from nshot.board.example_curve import CurvePoint, gain
from nshot.core.errors import InputError
from nshot.core.types import Example, Task, group_of
from nshot.data import load
from nshot.methods.prompt.few_shot import FewShot
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.report.example_curve import drawing
from spine import jsonl, tickets


def rows(folder: Path) -> tuple[Task, tuple[Example, ...]]:
    """Tickets whose labels' names say nothing: only examples tell what they mean."""
    names = {"parcel": "one", "refund": "two", "로그인": "셋"}
    made = [{**row, "label": names[row["label"]]} for row in tickets(30)]
    loaded = load(jsonl(folder / "train.jsonl", made))
    return loaded.task, loaded.train


def test_the_interval_of_a_gain_is_that_of_rows_and_draws() -> None:
    """By hand: of 100 rows 60 turn right and 10 wrong, in two draws that are alike."""
    before = np.zeros((1, 100))
    before[0, 60:70] = 1.0
    after = np.zeros((2, 100))
    after[:, :60] = 1.0
    one = gain((0, before), (8, after))
    assert one.difference == pytest.approx(0.5)
    of_rows = np.var(np.r_[np.ones(60), -np.ones(10), np.zeros(30)], ddof=1) / 100
    # No draw differs: what is left of their luck is the assumption, 4 of 5 degrees of freedom.
    of_draws = 4 / 5 * 0.115**2 * 0.6 * 0.4 / 2
    freedom = (of_rows + of_draws) ** 2 / (of_rows**2 / 99 + of_draws**2 / 5)
    from scipy.special import stdtrit

    half = stdtrit(freedom, 0.975) * np.sqrt(of_rows + of_draws)
    assert (one.low, one.high) == (pytest.approx(0.5 - half), pytest.approx(0.5 + half))
    assert one.worth == "pays"
    assert gain((0, before), (8, before.repeat(2, axis=0))).worth == "cannot tell"
    assert gain((0, after[:1]), (8, before.repeat(2, axis=0))).worth == "harms"
    apart = after.copy()
    apart[1] = 0.0
    wide = gain((0, before), (8, apart))
    assert wide.high - wide.low > one.high - one.low, "draws that differ are luck too"
    assert gain((0, before), (8, after), [0] * 100).low == -1.0, "rows of one group tell nothing"


def test_numbers_double_up_to_the_last() -> None:
    assert numbers(32) == [0, 1, 2, 4, 8, 16, 32]
    assert numbers(6) == [0, 1, 2, 4, 6]
    assert numbers(1) == [0, 1]


def test_no_row_that_is_answered_is_shown_or_calibrates(tmp_path: Path) -> None:
    _, train = rows(tmp_path)
    grouped = [replace(row, group=f"g{at % 40}") for at, row in enumerate(train)]
    parts = divide(grouped, 8, 30)
    groups = [{group_of(row) for row in part}
              for part in (parts.pool, parts.calibrating, parts.answered)]  # fmt: skip
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    assert all(not row.targets for row in parts.calibrating)
    with pytest.raises(InputError, match="rows to measure on"):
        divide(train[:30], 8, 30)


def test_a_model_that_learns_from_examples_gains_and_its_curve_is_drawn(tmp_path: Path) -> None:
    task, train = rows(tmp_path)
    steps: list[str] = []

    def measured() -> ExampleCurve:
        return example_curve(
            task, train, open_models(), resolve("fake:scorer", "lm"), FewShot(), 3, 6, 40,
            lambda at, of, what: steps.append(what),
        )  # fmt: skip

    made = measured()
    assert [point.shown for point in made.points] == [0, 1, 2, 4, 6]
    assert [len(point.scores) for point in made.points] == [1, 3, 3, 3, 3]
    assert len(steps) == 13
    tokens = [point.tokens for point in made.points]
    assert tokens == sorted(tokens)
    ends, last = made.gains
    assert (ends.fewer, ends.more, last.fewer, last.more) == (0, 6, 4, 6)
    assert ends.difference == pytest.approx(made.points[-1].score - made.points[0].score)
    assert ends.worth == "pays"
    assert made == measured()
    svg = drawing(made.points, "문의 <tickets>")
    assert svg.startswith("<svg xmlns=")
    assert "문의 &lt;tickets&gt;" in svg
    assert svg.count("c-mark") >= 5
    assert drawing([CurvePoint(0, (0.5,), 10.0), CurvePoint(1, (0.4, 0.6), 20.0)], "x") != svg


def test_the_curve_ends_where_the_rows_do(tmp_path: Path) -> None:
    task, train = rows(tmp_path)
    made = example_curve(
        task, train[:48], open_models(), resolve("fake:scorer", "lm"), FewShot(), 2, 32, 24,
        lambda at, of, what: None,
    )  # fmt: skip
    assert made.points[-1].shown == 18
    assert made.notes == ("18 rows to draw from: no more than 18 shown",)
