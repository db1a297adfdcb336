"""A rationale before the answer: the prompt that asks for one, and the prompt behind it.

In two steps (Kojima et al. 2022, https://arxiv.org/abs/2205.11916, figure 2): the model writes why,
then what it wrote stands in the prompt and the answer is read behind a marker. As ``plain``::

    Review: a fine film                         Review: a fine film
    Rationale: Let's think step by step.  ->    Rationale: Let's think step by step. Fine is praise.
                                                Sentiment:

In a chat the trigger ends the user's turn, the rationale is the assistant's, and a second turn of
the user asks for the answer alone. Solved rows stand before the input in the same form.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from nshot.core.types import Example, Input, Prompt, Task, Turn
from nshot.prompts.parts import field_start, instruction
from nshot.prompts.render import (
    Exchange,
    Format,
    answer_start,
    conversation,
    field_name,
    question_lines,
    shown_answer,
    without_gaps,
)

_KOREAN = re.compile("[\uac00-\ud7a3]")


class Wording(NamedTuple):
    """The words around a rationale. ``{name}`` is what the answer is called, ``{answer}`` it."""

    name: str
    trigger: str
    then: str
    hint: str


ENGLISH = Wording(
    "Rationale",
    "Let's think step by step.",
    "So what is the {name}? Write it alone.",
    "(Hint: the {name} is {answer}.)",
)
KOREAN = Wording(
    "풀이",
    "차근차근 생각해 봅시다.",
    "그러면 {name}의 값은 무엇입니까? 그것만 쓰세요.",
    "(귀띔: {name}의 값은 {answer}입니다.)",
)


class Solution(NamedTuple):
    """A row with its answer, and the rationale that leads to it."""

    example: Example
    rationale: str


def wording_for(task: Task, trigger: str = "") -> Wording:
    """Korean where the task's own words are, else English; with a `trigger` of one's own.

    Texts do not decide: asked in English a model reasons in English about Korean texts, which Shi
    et al. 2022 (https://arxiv.org/abs/2210.03057) measured to be no worse.
    """
    own = " ".join([task.instruction, task.answer_name, *(name for _, name in task.field_names)])
    wording = KOREAN if _KOREAN.search(own) else ENGLISH
    return wording._replace(trigger=trigger) if trigger else wording


def asks_why(
    task: Task,
    format: Format,
    wording: Wording,
    input: Input,
    solutions: Sequence[Solution] = (),
    answer: str = "",
) -> Prompt:
    """The prompt behind which the model writes its rationale.

    With an `answer` it is admitted as a hint (Zelikman et al. 2022, "rationalization").
    """
    hint = [wording.hint.format(name=task.answer_name.lower(), answer=answer)] if answer else []
    if format == "chat":
        closing = "\n".join([*hint, wording.trigger])
        return conversation(
            task, [*_exchanges(task, wording, solutions), Exchange(input, (), closing)]
        )
    lines = [*question_lines(task, input), *hint, _rationale_line(wording, "")]
    return _blocks(task, format, wording, solutions, lines)


def asks_answer(
    task: Task,
    format: Format,
    wording: Wording,
    input: Input,
    rationale: str,
    solutions: Sequence[Solution] = (),
) -> Prompt:
    """The prompt behind which the answer is read, the rationale in it."""
    if format == "chat":
        last = Exchange(input, _turns(task, wording, rationale), wording.trigger)
        return conversation(task, [*_exchanges(task, wording, solutions), last])
    lines = [*question_lines(task, input), _rationale_line(wording, rationale), answer_start(task)]
    return _blocks(task, format, wording, solutions, lines)


def ends_of_rationale(task: Task, format: Format, input: Input) -> tuple[str, ...]:
    """What ends a rationale beside its length: the marker, or the next row that a model invents."""
    if format == "chat":
        return ()
    fields = [field_name(task, name) for name, _ in input.fields[:1]]
    starts = [answer_start(task), *(field_start(task.parts.delimiter, name) for name in fields)]
    return tuple(f"\n{start}" for start in starts)


def _exchanges(task: Task, wording: Wording, solutions: Sequence[Solution]) -> list[Exchange]:
    made = []
    for example, rationale in solutions:
        answer = Turn("assistant", shown_answer(task, example))
        turns = (*_turns(task, wording, rationale), answer)
        made.append(Exchange(example.input, turns, wording.trigger))
    return made


def _turns(task: Task, wording: Wording, rationale: str) -> tuple[Turn, Turn]:
    """The rationale, and the turn that asks for the answer behind it."""
    request = wording.then.format(name=task.answer_name.lower())
    return Turn("assistant", rationale.strip() or wording.trigger), Turn("user", request)


def _blocks(
    task: Task,
    format: Format,
    wording: Wording,
    solutions: Sequence[Solution],
    lines: Sequence[str],
) -> str:
    blocks = [instruction(task)] if format == "instruction" else []
    for example, rationale in solutions:
        answer = f"{answer_start(task)} {shown_answer(task, example)}"
        question = question_lines(task, example.input)
        blocks.append("\n".join([*question, _rationale_line(wording, rationale), answer]))
    return "\n\n".join([*blocks, "\n".join(lines)])


def _rationale_line(wording: Wording, rationale: str) -> str:
    return f"{wording.name}: {wording.trigger} {without_gaps(rationale)}".rstrip()
