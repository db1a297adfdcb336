"""Pairs with a planted preference, which a tiny random model learns in seconds."""

from __future__ import annotations

from collections.abc import Sequence

from nshot.core.types import Example, Input, Shots, Task

TASK = Task("manners", "rank", metric="pair_accuracy", answer_name="Answer")
_THINGS = ("tea", "a map", "the key", "bread", "a pen", "milk", "salt", "soup", "ink", "a bus")


def pair(i: int) -> Example:
    """The polite answer is preferred; it is the longer one as often as the shorter one."""
    thing = _THINGS[i % len(_THINGS)]
    polite = "please have it" if i % 2 else "please, here it is, and take a seat"
    rude = "take it and go away from here now" if i % 2 else "take it"
    answers = (polite, rude) if i % 3 else (rude, polite)
    grades = (1.0, 0.0) if i % 3 else (0.0, 1.0)
    return Example(f"p{i}", Input((("prompt", f"{thing} {i}?"),), answers=answers), grades=grades)


SHOTS = Shots(tuple(pair(i) for i in range(24)))
HELD_OUT = [pair(i) for i in range(24, 54)]


def accuracy(predictor, examples: Sequence[Example]) -> float:
    """Share of pairs in which the preferred answer is chosen."""
    answers = predictor.predict([example.input for example in examples])
    return sum(
        one.answer == example.input.answers[example.grades.index(1.0)]
        for one, example in zip(answers, examples, strict=True)
    ) / len(examples)
