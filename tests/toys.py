"""Small tasks and a workbench, for tests of what stands on models without weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from nshot.core.types import Example, Input, Label, ModelRef, Shots, Task
from nshot.methods.contract import NO_ROUNDS, Attempt, Method
from nshot.models.fake.fake_engine import FakeModels
from nshot.predictors.base import Predictor

T = TypeVar("T")
SCORER = ModelRef("fake", "scorer")
REMOTE = ModelRef("fake", "remote")
ENCODER = ModelRef("fake", "encoder")

TASK = Task(
    "tickets",
    "classify",
    (
        Label("card_arrival", "a card that has not come"),
        Label("refund", "money wanted back"),
        Label("환불"),
    ),
    instruction="Which intent does the message have?",
    field_names=(("text", "Query"),),
    answer_name="Intent",
)
_TEXTS = {
    "card_arrival": ["where is my card", "card arrival late", "my card did not come", "card lost"],
    "refund": ["i want a refund", "money back please", "refund my order", "give money back now"],
    "환불": ["환불 해 주세요", "돈을 돌려 주세요", "환불이 안 됩니다", "제발 환불을 원해요"],
}


def ask(text: str) -> Input:
    return Input(fields=(("text", text),))


def examples(per_label: int = 4) -> tuple[Example, ...]:
    return tuple(
        Example(f"{label}-{i}", ask(_TEXTS[label][i]), (label,))
        for i in range(per_label)
        for label in _TEXTS
    )


UNLABELLED = tuple(
    Example(f"u{i}", ask(text))
    for i, text in enumerate(
        ["card now", "the refund", "환불 언제", "hello there", "my money", "카드가 안 와요"]
    )
)
QUESTIONS = tuple(
    ask(text)
    for text in [
        "card is late",
        "refund refund",
        "환불 해 주세요",
        "",
        "?",
        "card is late",
        "a long " + "word " * 40,
        "돈을 돌려",
    ]
)


def shots(per_label: int = 4) -> Shots:
    return Shots(labelled=examples(per_label), unlabelled=UNLABELLED)


@dataclass
class Bench:
    """A workbench that only adds up what it is to charge."""

    folder: Path
    base: ModelRef | None = SCORER
    encoder: ModelRef | None = ENCODER
    seed: int = 0
    models: FakeModels = field(default_factory=FakeModels)
    shelf: dict[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    parameters: int = 0
    charged: float = 0.0
    money: float = 0.0
    attempts: list[Any] = field(default_factory=list)

    def shared(self, key: str, make: Callable[[], T]) -> T:
        if key not in self.shelf:
            self.shelf[key] = make()
        return self.shelf[key]  # type: ignore[return-value]

    def adapt(self, role: str, method: Method, task: Task, shots: Shots) -> Predictor:
        return method.adapt(task, shots, self)

    def charge(self, seconds: float, money: float = 0.0) -> None:
        self.charged += seconds
        self.money += money

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def trained(self, parameters: int) -> None:
        self.parameters = parameters

    def learned(
        self,
        losses: Sequence[float],
        validation: Sequence[tuple[int, float]],
        rounds: Mapping[str, Sequence[float]] = NO_ROUNDS,
    ) -> None:
        pass

    def attempted(self, attempts: Sequence[Attempt]) -> None:
        self.attempts = list(attempts)

    def progress(self, done: int, total: int, what: str) -> None:
        pass


def renamed(rows: Sequence[Example], prefix: str) -> tuple[Example, ...]:
    return tuple(replace(row, id=prefix + row.id) for row in rows)
