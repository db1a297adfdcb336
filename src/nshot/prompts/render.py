"""How a task and an input become a prompt, and a label the text that a model is asked to judge.

Three formats::

    plain         Review: a fine film          what small models read best; several fields are
                  Sentiment: positive          several lines, a blank line parts demonstrations
    instruction   what is asked and the list of labels first, then as plain
    chat          the same as turns: the request is the system's, a demonstration is a user turn
                  and the assistant's answer; instruction data stand for themselves
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias, get_args

from nshot.core.spans import spans_of
from nshot.core.types import Example, Input, Prompt, Task, Turn
from nshot.data.formats.chats import questions_of
from nshot.prompts.parts import (
    beside_the_request,
    fenced,
    field_line,
    field_start,
    instruction,
    label_words,
)
from nshot.prompts.span_lists import span_list

Format: TypeAlias = Literal["plain", "instruction", "chat"]
FORMATS: tuple[Format, ...] = get_args(Format)

_REQUESTS = frozenset({"instruction", "prompt"})
"""Fields of instruction data, which say themselves what is wanted."""


def render(task: Task, format: Format, input: Input, demos: Sequence[Example] = ()) -> Prompt:
    """The prompt that asks `input`, after the demonstrations in their order."""
    if format == "chat":
        return chat(task, input, demos)
    blocks = [instruction(task)] if format == "instruction" else []
    blocks += [demonstration(task, demo) for demo in demos]
    return "\n\n".join([*blocks, _question(task, input)])


def demonstration(task: Task, demo: Example) -> str:
    """A solved example in a prompt that is no chat."""
    return f"{_question(task, demo.input)} {shown_answer(task, demo)}"


def answer_text(answer: str, format: Format) -> str:
    """An answer as it follows the prompt: after a space, or as the assistant's whole turn."""
    return answer if format == "chat" else " " + answer


def label_answers(task: Task, format: Format) -> tuple[str, ...]:
    """What is scored for each label, in the task's order.

    Ends in a newline where one label's words begin another's (``card`` and ``card arrival``):
    without an end the shorter could never be the less likely of the two.
    """
    end = terminator(task)
    return tuple(answer_text(words, format) + end for words in label_words(task))


@lru_cache(maxsize=64)
def terminator(task: Task) -> str:
    """A newline when the words of one label are the beginning of another's, else nothing."""
    words = label_words(task)
    return "\n" if any(a != b and b.startswith(a) for a in words for b in words) else ""


def shown_answer(task: Task, example: Example) -> str:
    """The answer that a demonstration shows: the words of its label, or its first reference.

    Of spans their labels and texts (`span_lists`).
    """
    if task.kind == "spans":
        return span_list(example.input.text, spans_of(example.targets[0]))
    if not task.has_labels:
        return example.targets[0]
    return label_words(task)[task.label_names.index(example.label)]


def parse_label(task: Task, text: str) -> str | None:
    """The label that a generated text names: exactly, or first and longest inside it; else None."""
    folded = _folded(text)
    folded_labels = [_folded(words) for words in label_words(task)]
    if folded in folded_labels:
        return task.label_names[folded_labels.index(folded)]
    matches = [
        (match.start(), -len(words), name)
        for words, name in zip(folded_labels, task.label_names, strict=True)
        if words and (match := _find(words, folded))
    ]
    return min(matches)[2] if matches else None


def _find(words: str, text: str) -> re.Match[str] | None:
    """Whole words; where no Latin letter ends them, particles may follow (Korean)."""
    end = r"(?!\w)" if words[-1].isascii() else ""
    return re.search(rf"(?<!\w){re.escape(words)}{end}", text)


def first_answer(task: Task, format: Format, input: Input, text: str) -> str:
    """A generated text up to where a model goes on to invent the next demonstration."""
    if format != "chat":
        for name, _ in input.fields[:1]:
            start = field_start(task.parts.delimiter, field_name(task, name))
            text = text.split(f"\n{start}")[0]
    return text.strip()


def stops(task: Task, format: Format) -> tuple[str, ...]:
    """What ends the generation of an answer: in a chat its turn does."""
    if format == "chat":
        return ()
    return ("\n\n",) if task.kind == "generate" else ("\n",)


def field_name(task: Task, name: str) -> str:
    """How a prompt names a field: the task's name for it, or ``old_name`` as ``Old name``."""
    renamed = dict(task.field_names).get(name)
    words = " ".join(name.replace("_", " ").split())
    return renamed or words[:1].upper() + words[1:]


def _question(task: Task, input: Input) -> str:
    return "\n".join([*question_lines(task, input), answer_start(task)])


def answer_start(task: Task) -> str:
    """What stands before the answer in a prompt that is no chat."""
    return f"{task.answer_name}:"


def question_lines(task: Task, input: Input) -> list[str]:
    """An input as it stands in a prompt that is no chat: a text after the other, each named."""
    named = [(field_name(task, name), text) for name, text in input.fields]
    named += [(turn.role.capitalize(), turn.text) for turn in input.turns]
    fence = task.parts.delimiter
    return [field_line(fence, name, without_gaps(text)) for name, text in named]


def without_gaps(text: str) -> str:
    """A text without blank lines, which part demonstrations."""
    return re.sub(r"\s*\n\s*", "\n", text.strip())


def chat(task: Task, input: Input, demos: Sequence[Example] = ()) -> tuple[Turn, ...]:
    """What `render` gives in the format ``chat``."""
    solved = [Exchange(demo.input, (_answer(task, demo),)) for demo in demos]
    return conversation(task, [*solved, Exchange(input)])


class Exchange(NamedTuple):
    """An input in a chat, the turns that follow it, and what the last turn of the input ends in."""

    input: Input
    following: tuple[Turn, ...] = ()
    closing: str = ""


def conversation(task: Task, exchanges: Sequence[Exchange]) -> tuple[Turn, ...]:
    """Inputs as a chat that is opened by the task's own request, as the system's turn."""
    turns: list[Turn] = []
    systems: list[str] = []
    # What opens an input as system stands behind the task's own: most templates take one only.
    for input, following, closing in exchanges:
        opening, rest = _opened(_user(task, input))
        systems += opening
        if closing and rest:
            rest[-1] = replace(rest[-1], text=f"{rest[-1].text}\n\n{closing}".strip())
        turns += [*rest, *following]
    request = [task.system] if task.system else []
    if not _asks(task, exchanges[-1].input) or task.instruction:
        request.append(instruction(task))
    elif beside := beside_the_request(task):
        request.append(beside)
    system = "\n".join([*request, *dict.fromkeys(systems)])
    return (Turn("system", system), *turns) if system else tuple(turns)


def _answer(task: Task, demo: Example) -> Turn:
    return Turn("assistant", shown_answer(task, demo))


def _opened(turns: list[Turn]) -> tuple[list[str], list[Turn]]:
    """The texts of the system turns with which turns begin, and the turns after them."""
    first = next((k for k, turn in enumerate(turns) if turn.role != "system"), len(turns))
    return [turn.text for turn in turns[:first]], turns[first:]


def _user(task: Task, input: Input) -> list[Turn]:
    if _asks(task, input):
        return list(questions_of(input))
    bare = len(input.fields) == 1 and not input.turns
    text = _bare(task, *input.fields[0]) if bare else "\n".join(question_lines(task, input))
    return [Turn("user", text, input.images)]


def _bare(task: Task, name: str, text: str) -> str:
    return fenced(task.parts.delimiter, field_name(task, name), text.strip())


def _asks(task: Task, input: Input) -> bool:
    """Whether the input says what is wanted: a conversation does, and so do instruction data."""
    asks = input.turns or any(name in _REQUESTS for name, _ in input.fields)
    return bool(asks) and not task.has_labels


def _folded(text: str) -> str:
    return " ".join(text.casefold().replace("_", " ").replace("-", " ").split()).strip(
        " .,!?\"'`:*"
    )
