"""A cheap method and a dear one in a row: where the threshold lies, and what it keeps."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lent import Lent

import nshot
from nshot.core.errors import CannotAdapt
from nshot.core.types import Example, Input, Label, ModelRef, Prediction, Shots, Task
from nshot.methods import TABLE
from nshot.methods.compose.cascade import (
    EVERYTHING,
    Cascade,
    _Validation,
    best_threshold,
    sure_threshold,
)
from nshot.methods.contract import Brief, Rates
from nshot.models import open_models
from nshot.predictors.cascade import Cascade as Answering
from spine import command, jsonl, stay_here, tickets

TASK = Task("t", "classify", (Label("a"), Label("b")))
RNG = np.random.default_rng(0)


def worlds(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A calibrated cheap part, and a dear one that is right nine times in ten."""
    sure = RNG.uniform(0.5, 1, rows)
    return sure, RNG.uniform(size=rows) < sure, RNG.uniform(size=rows) < 0.92


def test_the_best_threshold_passes_on_what_the_dear_part_does_better() -> None:
    sure = np.array([0.9, 0.8, 0.6, 0.5, -1.0])
    cheap = np.array([1, 1, 0, 1, 0])
    dear = np.array([1, 1, 1, 1, 1])
    assert best_threshold(sure, cheap, dear) == (0.8, 1.0)
    assert best_threshold(sure, cheap * 0, dear) == (EVERYTHING, 1.0)
    assert best_threshold(sure, cheap, dear * 0)[0] == 0.5
    assert best_threshold(sure, cheap * 0 + 1, dear)[0] == 0.5, "what has no answer is passed on"


def test_a_target_accuracy_is_kept_on_new_rows_in_nineteen_of_twenty_worlds() -> None:
    missed, passed = 0, []
    for _ in range(300):
        threshold = sure_threshold(*worlds(300), accuracy=0.85)
        sure, cheap, dear = worlds(20_000)
        right = np.where(sure >= threshold, cheap, dear).mean()
        missed += right < 0.85
        passed.append((sure < threshold).mean())
    assert missed / 300 < 0.05 + 2 * math.sqrt(0.05 * 0.95 / 300)
    assert np.mean(passed) < 0.9, "and something is saved"


def test_a_target_that_nothing_shows_leaves_the_dear_part_alone() -> None:
    assert sure_threshold(*worlds(50), accuracy=0.99) == math.inf
    with_few = sure_threshold(np.array([0.9]), np.array([True]), np.array([True]), 0.9)
    assert with_few == math.inf


class _Says:
    """Answers every input alike, and knows how it was asked."""

    def __init__(self, answer: str, p: float, seconds: float | None = None) -> None:
        self.task = TASK
        scores = (p, 1 - p) if answer == "a" else (1 - p, p)
        self.one = Prediction(answer, tuple(np.log(scores).tolist()), 3, 1, seconds=seconds,
                              money=0.1 if seconds else 0.0)  # fmt: skip
        self.count = 0

    def predict(self, inputs: list[Input]) -> list[Prediction]:
        self.count += len(inputs)
        return [self.one for _ in inputs]


def test_what_is_passed_on_costs_both_and_is_marked() -> None:
    cheap, dear = _Says("a", 0.7), _Says("b", 0.9, seconds=2.0)
    (one,) = Answering(TASK, cheap, dear, 0.8).predict([Input((("text", "x"),))])  # type: ignore[arg-type]
    assert (one.answer, one.passed_on, one.tokens_in, one.money) == ("b", True, 6, 0.1)
    assert one.seconds is not None
    assert one.seconds >= 2
    (kept,) = Answering(TASK, cheap, dear, 0.7).predict([Input()])  # type: ignore[arg-type]
    assert (kept.answer, kept.passed_on, kept.seconds) == ("a", False, None)
    assert dear.count == 1


def test_it_is_compared_delivered_and_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stay_here(monkeypatch)
    train = jsonl(tmp_path / "t.jsonl", tickets(14))
    test = jsonl(tmp_path / "u.jsonl", tickets(20, "t"))
    parts = {"cheap": {"method": "tfidf_lr"}, "dear": {"method": "nearest_mean"}}
    result = nshot.compare(
        train, test=test, methods=[Cascade(**{k: TABLE.build(v) for k, v in parts.items()})],  # type: ignore[arg-type]
        encoder="fake:encoder", out=tmp_path / "r",
    )  # fmt: skip
    row = result.board.row("cascade:tfidf_lr+nearest_mean")
    assert row.status == "ok", row.reason
    assert row.score is not None
    assert row.score > 0.9
    assert row.passed_on is not None
    assert 0 <= row.passed_on.value <= 1
    assert any("threshold" in note for note in row.notes)
    assert any("passed on to the dear part" in note for note in row.notes)
    assert (tmp_path / "r" / "winner").exists()
    assert command(["predict", str(tmp_path / "r"), test, "-o", str(tmp_path / "a.jsonl")]) == 0
    assert command(["check", str(tmp_path / "r")]) == 0
    words = ["compare", train, "--test", test, "--methods", "cascade", "--encoder", "fake:encoder",
             "--set", 'cascade.cheap={"method": "tfidf_lr"}', "--set", "cascade.accuracy=0.999",
             "--set", 'cascade.dear={"method": "knn"}', "--out", str(tmp_path / "c")]  # fmt: skip
    assert command(words) == 0
    assert "cascade:tfidf_lr+knn" in capsys.readouterr().out


def test_a_budget_is_the_highest_threshold_that_it_pays_for() -> None:
    sure = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    none, all_right = np.zeros(5), np.ones(5)
    assert best_threshold(sure, none, all_right, limit=0.7) == (0.7, 0.4)
    assert best_threshold(sure, all_right, all_right, limit=0.7) == (0.5, 1.0), "nothing to gain"
    cascade = _budgeted(0.45)
    rows = _Validation(sure, none, all_right)
    assert cascade._limit(rows) == 0.7, "two of five rows"
    in_money = _budgeted(5.0, budget_of="money")
    assert in_money._limit(rows._replace(costs=(1.0, 10.0))) == 0.7, "1 + 0.4 times 10"
    with pytest.raises(CannotAdapt, match="its budget is 5"):
        in_money._limit(rows._replace(costs=(6.0, 10.0)))


def _budgeted(budget: float, **more: Any) -> Cascade:
    parts = {"cheap": {"method": "tfidf_lr"}, "dear": {"method": "person", "seconds": 30}}
    made = TABLE.build({"method": "cascade", **parts, "budget": budget, **more})
    assert isinstance(made, Cascade)
    return made


def test_a_share_of_the_rows_goes_to_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay_here(monkeypatch)
    train = jsonl(tmp_path / "t.jsonl", tickets(20))
    test = jsonl(tmp_path / "u.jsonl", tickets(20, "t"))
    result = nshot.compare(
        train, test=test, methods=[_budgeted(0.12)], out=tmp_path / "r",
    )  # fmt: skip
    row = result.board.row("cascade:tfidf_lr+person")
    assert row.status == "ok", row.reason
    assert row.passed_on is not None
    assert row.passed_on.low <= 0.12
    notes = " ".join(row.notes)
    assert "within a budget of 0.12 of the rows" in notes
    assert command(["predict", str(tmp_path / "r"), test, "-o", str(tmp_path / "a.jsonl")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    held = [line for line in lines if line["abstained"]]
    assert len(held) == round(row.passed_on.value * len(lines))
    assert all(line["answer"] == "" for line in held)
    if held:
        assert "passed on to a person: here they count as wrong" in notes
        assert "of the rows it answers itself" in row.beside


def test_a_budget_in_money_keeps_what_1000_rows_cost_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay_here(monkeypatch)
    rng = np.random.default_rng(1)
    rows = [{"text": f"{'ab'[i % 2] if rng.uniform() < 0.6 else 'c'} {i}", "label": "ab"[i % 2]}
            for i in range(160)]  # fmt: skip
    parts = {"cheap": {"method": "tfidf_lr"},
             "dear": {"method": "person", "seconds": 30, "money": 0.5}}  # fmt: skip
    result = nshot.compare(
        jsonl(tmp_path / "t.jsonl", rows[:80]), test=jsonl(tmp_path / "u.jsonl", rows[80:]),
        methods=["cascade"], out=tmp_path / "r",
        settings={"cascade": {**parts, "budget": 100, "budget_of": "money"}},
    )  # fmt: skip
    row = result.board.row("cascade:tfidf_lr+person")
    assert row.passed_on is not None, row.reason
    assert 0 < row.passed_on.low < 0.2, "100 of 500 in money is a fifth of the rows"
    assert row.money_per_1000 == pytest.approx(500 * row.passed_on.value)
    over = TABLE.build({"method": "cascade", **parts, "budget": 1.5})
    brief = Brief(TASK, 80, 0, 40, 80, 5, 9, None, frozenset(), 0, 0, None, Rates(1, 1, 1))
    assert "a share of the rows is 1 at most" in str(over.why_not(brief))


def test_what_cannot_be_unsure_is_no_cheap_part(tmp_path: Path) -> None:
    rows = tuple(
        Example(f"{i}", Input((("text", f"{'ab'[i % 2]} {i}"),)), ("ab"[i % 2],)) for i in range(12)
    )
    method = TABLE.build({"method": "cascade", "cheap": {"method": "zero_shot"},
                          "dear": {"method": "tfidf_lr"}})  # fmt: skip
    bench = Lent(open_models(), ModelRef("fake", "remote"), tmp_path)
    with pytest.raises(CannotAdapt, match="gives no probabilities"):
        method.adapt(TASK, Shots(rows), bench)
