"""What a text of a policy is worth: the task's checks, or a function of the user's.

A function is given examples and one text of each, and answers with one finite number a text, more
for what is better. It is called in this process; no file names one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from nshot.core.errors import Fault, InputError, NshotError
from nshot.core.types import Example, Task
from nshot.metrics.reward import Reward

Function: TypeAlias = Callable[[Sequence[Example], Sequence[str]], Sequence[float]]


def of_task(task: Task) -> Function:
    """The reward that the task's checks give.

    Raises `InputError` for a task without checks, and for a check that cannot be made.
    """
    return Reward(task).rewards


def rewards(function: Function, examples: Sequence[Example], texts: Sequence[str]) -> list[float]:
    """What each text is worth.

    Raises `InputError` where the function raises, and for anything but one finite number a text.
    """
    try:
        given = function(examples, texts)
        numbers = [_number(value) for value in given]
    except NshotError:
        raise
    except Exception as error:
        kind = type(error).__name__
        raise _fault(f"the reward function raised {kind}: {error}", len(texts)) from error
    if len(numbers) != len(texts):
        raise _fault(f"{len(numbers)} rewards came back for {len(texts)} texts", len(texts))
    for number, text in zip(numbers, texts, strict=True):
        if not math.isfinite(number):
            raise _fault(f"the reward of the text {text[:60]!r} is {number}", len(texts))
    return numbers


def _number(value: object) -> float:
    """A number, or an array of one; a text or a truth value is none."""
    if isinstance(value, str | bytes | bool):
        raise TypeError(f"{value!r} is no number")
    return float(value)  # type: ignore[arg-type]  # what cannot be one says so itself


def _fault(problem: str, count: int) -> InputError:
    expected = f"{count} finite numbers, one for each text, in order"
    do = "call the function by itself on a few texts, and mend it"
    return InputError(Fault(problem, expected, do))
