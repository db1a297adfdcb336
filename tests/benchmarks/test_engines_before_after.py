"""The benchmark of the engines with sides that answer at once: turns, answers, ratios."""

from __future__ import annotations

from typing import Any

import engines_before_after as benchmark
from table import BENCHMARKS, mark


class Side:
    """Answers every engine in the same time."""

    def __init__(self, name: str, seconds: float, turns: list[str], answers: str = "same") -> None:
        self.name, self.seconds, self.turns, self.answers = name, seconds, turns, answers

    def ask(self, engine: str, size: int) -> dict[str, Any]:
        self.turns.append(f"{self.name} {size}")
        return {"seconds": self.seconds, "work": 2 * self.seconds, "answers": self.answers}


def test_sides_take_turns_after_each_was_warmed() -> None:
    turns: list[str] = []
    before, now = Side("before", 1.0, turns), Side("now", 0.5, turns)
    results = benchmark.measure(before.ask, now.ask, {"scoring": 60}, 2)
    assert turns[:2] == ["before 2", "now 2"]
    assert turns[2:] == ["before 60", "now 60", "now 60", "before 60"]
    assert results["scoring"].equal
    assert results["scoring"].ratio(0) == results["scoring"].ratio(1) == 2.0


def test_slower_and_other_answers_are_said() -> None:
    before, now = Side("before", 0.9, []), Side("now", 1.0, [], "other")
    results = benchmark.measure(before.ask, now.ask, {"scoring": 60, "training": 64}, 3)
    text = benchmark.table(results, "a15ce34", {"scoring": 60, "training": 64})
    assert "| scoring | 0.90 | 1.00 | 0.90x, missed | 0.90x | no |" in text
    assert "medians of 3, in turn: scoring 60, training 64." in text


def test_its_page_has_a_block() -> None:
    assert mark("engines_before_after.py") in BENCHMARKS.read_text(encoding="utf-8")
