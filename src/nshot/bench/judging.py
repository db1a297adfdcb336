"""A board's answers before a judge, each row against one.

The judge is admitted first, by pairs of which people chose one; without that no row is judged.
What it says is shown and chooses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from nshot.board.judge import Comparison, Verdicts, agreement, share_of, wins
from nshot.board.schema import JudgeCell
from nshot.core.types import Example, Input, Measurement, Task
from nshot.prompts.render import chat

AGAINST = "zero_shot"
"""The row that the others are compared with."""
Ask: TypeAlias = Callable[[str, Sequence[Comparison]], list[float]]
"""(what they are, comparisons) -> how much the judge prefers the first answer of each."""


def judge_rows(
    model: str,
    task: Task,
    measured: Mapping[str, Measurement],
    known: Mapping[str, Example],
    pairs: Sequence[Comparison],
    ask: Ask,
) -> Verdicts:
    """Each row's answers against those of the first `AGAINST`, where the judge agrees with people.

    `model` is the judge's name, `measured` are the rows' first draws by name, `known`
    the test examples by id, `pairs` those that the judge is admitted by.
    """
    against = next((name for name in measured if name.split(" @ ")[0] == AGAINST), "")
    base = measured.get(against)
    if base is None:
        return Verdicts(model, reason=f"no {AGAINST} row")
    admission = agreement(ask("pairs", pairs), pairs)
    if not admission.admitted:
        return Verdicts(model, admission, "no admissible judge")
    rows = {against: JudgeCell(reason="the baseline")}
    for name, measurement in measured.items():
        if name != against:
            compared = comparisons(task, measurement, base, known)
            rows[name] = _cell(against, ask(name, compared), compared)
    return Verdicts(model, admission, "", rows)


def comparisons(
    task: Task, one: Measurement, other: Measurement, known: Mapping[str, Example]
) -> list[Comparison]:
    """The two answers to each test input that both were asked.

    A row, or its group where it has one, is a cluster.
    """
    answers = {key: p.answer for key, p in zip(other.ids, other.predictions, strict=True)}
    return [
        Comparison(request(task, known[key].input), p.answer, answers[key], known[key].group or key)
        for key, p in zip(one.ids, one.predictions, strict=True)
        if key in answers
    ]


def _cell(against: str, preferences: Sequence[float], compared: Sequence[Comparison]) -> JudgeCell:
    """Share of wins, half a point for a tie, and its 95% interval over clusters."""
    share, low, high = share_of(wins(preferences), [one.group for one in compared])
    return JudgeCell(against=against, score=share, low=low, high=high)


def request(task: Task, input: Input) -> str:
    """What was asked, as a judge reads it: the turns of the chat, named where they are several."""
    turns = chat(task, input)
    if sum(turn.role != "system" for turn in turns) == 1:
        return "\n\n".join(turn.text for turn in turns)
    return "\n\n".join(f"{turn.role.capitalize()}: {turn.text}" for turn in turns)
