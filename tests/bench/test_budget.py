"""Forecasts against minutes: what is not begun, and in which words."""

from __future__ import annotations

import pytest

from nshot.bench.forecast import Budget, Forecast
from nshot.core.durations import duration


def test_without_minutes_nothing_is_refused() -> None:
    assert Budget(None).refusal("lora", 1e9) is None


def test_what_does_not_fit_is_refused_with_its_forecast() -> None:
    budget = Budget(1.0)
    assert budget.refusal("knn", 5.0) is None
    assert budget.refusal("lora", 600.0) == "forecast 10 min, and 60 s were left of 60 s"


def test_a_spent_budget_refuses_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    budget = Budget(0.5)
    assert budget.refusal("knn", 29.0) is None
    now[0] += 31
    assert budget.refusal("knn", 0.1) == "forecast 0.1 s, and 0.0 s were left of 30 s"


def test_a_method_that_took_longer_is_forecast_longer() -> None:
    budget = Budget(1.0)
    budget.learn("slow", forecast=1.0, actual=20.0)
    assert budget.refusal("slow", 2.0) is None
    assert budget.refusal("slow", 4.0) is not None
    assert budget.refusal("other", 4.0) is None
    budget.learn("slow", forecast=0.0, actual=0.0)
    assert budget.refusal("slow", 50.0) is None


def test_a_forecast_is_one_search_and_every_draw() -> None:
    assert Forecast(search=10, build=2, use=1, repeats=3, later=0.5).total == 14


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0.0 s"), (0.34, "0.3 s"), (9.94, "9.9 s"), (9.96, "10 s"), (89.4, "89 s"),
        (90, "2 min"), (5399, "90 min"), (5400, "1.5 h"), (36000, "10.0 h"),
    ],
)  # fmt: skip
def test_words_for_seconds(seconds: float, said: str) -> None:
    assert duration(seconds) == said
