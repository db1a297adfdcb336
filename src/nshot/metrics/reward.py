"""What an answer is worth by the checks of its task."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from nshot.core.errors import Fault, InputError
from nshot.core.types import Check, Example, Grammar, Prediction, Task
from nshot.metrics.keeping import keeper
from nshot.metrics.metric import Mean, folded

Worth: TypeAlias = Callable[[Example, str], float]


class Reward(Mean):
    """The mean of the task's rules, by their weights: from 0, where all fail, to 1.

    Raises `InputError` for a task without rules, and for one that cannot be checked.
    """

    def __init__(self, task: Task) -> None:
        if not task.rules:
            problem = "the metric 'reward' needs a rule for the reward in the task file"
            raise InputError(Fault(problem, do="reward: [{length: {most: 20}}]"))
        self._checks = [(check.weight, worth(check)) for check in task.rules]
        self._whole = sum(weight for weight, _ in self._checks)

    def worth(self, example: Example, answer: str) -> float:
        """What an answer to the example is worth, in [0, 1]."""
        return sum(weight * of(example, answer) for weight, of in self._checks) / self._whole

    def rewards(self, examples: Sequence[Example], answers: Sequence[str]) -> list[float]:
        """What each answer to each example is worth."""
        return [self.worth(e, answer) for e, answer in zip(examples, answers, strict=True)]

    def statistics(self, example: Example, prediction: Prediction) -> tuple[float, ...]:
        """(what the answer is worth,)."""
        return (self.worth(example, prediction.answer),)


def worth(check: Check) -> Worth:
    """What an answer is worth by one check, spaces around it aside: 1 where it holds, else 0.

    A length that is off is worth the less the further it is: an answer one unit too long is worth
    1 - 1 / most, one of twice the most nothing; below the least it is the share that is there.
    Raises `InputError` for an expression or schema that cannot be read, and for what is no rule.
    """
    if check.kind == "model":
        raise InputError(Fault("a reward model is no rule", do="leave it out of the rules"))
    if check.kind == "exact_answer":
        return lambda example, answer: float(
            folded(answer) in {folded(target) for target in example.targets}
        )
    if check.kind == "length":
        return lambda _, answer: _fit(_size(answer, check.text), check)
    try:
        keeps = keeper(Grammar(check.kind, check.text))
    except re.error as error:
        raise InputError(Fault(f"reward.regex: not a regular expression: {error}")) from None
    return lambda _, answer: float(keeps(answer.strip()))


def _size(answer: str, unit: str) -> int:
    return len(answer.strip()) if unit == "characters" else len(answer.split())


def _fit(size: int, check: Check) -> float:
    if size < check.least:
        return size / check.least
    if check.most is None or size <= check.most:
        return 1.0
    return max(0.0, 1 - (size - check.most) / check.most)
