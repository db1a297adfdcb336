"""Conversations: messages, ShareGPT, and turns as they stand inside other formats.

A conversation becomes an input of all turns up to the last answer, system and earlier answers
kept, whose target is that answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, cast

from nshot.core.types import Example, Input, Turn
from nshot.data.formats.format import Format, Problem, in_words, listed, one_of
from nshot.data.table import Row

Role: TypeAlias = Literal["system", "user", "assistant"]

ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bing": "assistant",
    "bard": "assistant",
}
"""How files name who speaks, whatever the case."""
_SPEAKERS = ", ".join(ROLES)
_LISTS = ("messages", "conversations", "conversation")
_WHO, _WHAT = ("role", "from"), ("content", "value")
_MARK = re.compile(r"(?:\A|\n\n)(Human|Assistant):")
"""How HH-RLHF and others write a conversation as one text."""


def turns_of(cell: Any, name: str, problems: list[Problem]) -> tuple[Turn, ...]:
    """The turns of a list of {role, content} or {from, value}; () and problems where it is none.

    Content is a text or a list of text parts. Nothing is said of the turns' order.
    """
    messages = listed(cell)
    if not messages:
        word = "an empty list" if messages == [] else in_words(cell)
        problems.append((f"'{name}' holds {word}", "a list of turns: who speaks, and what is said"))
        return ()
    before = len(problems)
    of = "" if name in _LISTS else f" of '{name}'"
    turns = [
        _turn(message, f"turn {at}{of}", problems) for at, message in enumerate(messages, start=1)
    ]
    return tuple(turns) if len(problems) == before else ()


def _turn(message: Any, which: str, problems: list[Problem]) -> Turn:
    if not isinstance(message, dict):
        problems.append((f"{which} is {in_words(message)}", "a turn with role and content"))
        return Turn("user", "")
    who = message.get(one_of(message, _WHO) or "")
    role = ROLES.get(who.strip().lower()) if isinstance(who, str) else None
    if role is None:
        word = "names no role" if who is None else f"has the unknown role {who!r}"
        problems.append((f"{which} {word}", f"one of: {_SPEAKERS}"))
    text = _content(message.get(one_of(message, _WHAT) or ""), which, problems)
    if role and text is not None and not text.strip():
        problems.append((f"{which}, of the {role}, is empty", "a text in every turn"))
    return Turn(role or "user", text or "")


def _content(content: Any, which: str, problems: list[Problem]) -> str | None:
    """A text, or the texts of parts one after the other; None, and a problem, for other parts."""
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for part in content if isinstance(content, list) else [content]:
        text = part.get("text") if isinstance(part, dict) else part
        kind = part.get("type", "text") if isinstance(part, dict) else "text"
        if kind != "text" or not isinstance(text, str):
            word = f"a part of type {kind!r}" if kind != "text" else in_words(content)
            problems.append((f"{which} holds {word}", "a text, or text parts"))
            return None
        texts.append(text)
    return "".join(texts)


def check_order(turns: tuple[Turn, ...], problems: list[Problem], last: Role) -> None:
    """Problems where turns are not: at most one system turn first, then user and assistant in turn.

    `last` is who speaks last.
    """
    expected = "a system turn or none, then user and assistant in turn"
    spoken = list(enumerate(turns, start=1))
    if turns and turns[0].role == "system":
        spoken = spoken[1:]
    for place, (at, turn) in enumerate(spoken):
        role = "assistant" if place % 2 else "user"
        if turn.role != role:
            before = f"after {turns[at - 2].role}" if at > 1 else "at the start"
            problems.append((f"turn {at} is of the {turn.role}, {before}", expected))
            return
    if not spoken or spoken[-1][1].role != last:
        ending = f"the last turn is of the {spoken[-1][1].role}" if spoken else "no turn but system"
        problems.append((ending, f"a last turn of the {last}"))


def conversation(row: Row, problems: list[Problem]) -> tuple[Turn, ...]:
    """The turns of a row with a list of them; a key ``system`` beside it comes first."""
    name = one_of(row, _LISTS) or _LISTS[0]
    turns = turns_of(row.get(name), name, problems)
    system = row.get("system")
    if not turns or not isinstance(system, str) or not system.strip():
        return turns
    if turns[0].role == "system":
        problems.append(("a system turn, and a key 'system' beside it", "one of the two"))
    return (Turn("system", system), *turns)


def question(row: Row, problems: list[Problem]) -> Input:
    """What a row asks, for a predictor: the turns up to the last of the user."""
    turns = conversation(row, problems)
    turns = turns[:-1] if turns and turns[-1].role == "assistant" else turns
    if not problems:
        check_order(turns, problems, "user")
    return Input(turns=turns)


def transcript(text: str) -> tuple[Turn, ...]:
    """The turns of ``Human: ...``, a blank line, ``Assistant: ...``; () for a text that is none.

    The last turn may be an assistant's without words: there it is to answer. Turns of one speaker
    in a row are one, with a blank line between.
    """
    text = text.strip()
    pieces = _MARK.split(text)
    if pieces[0] or "Assistant" not in pieces[1::2]:
        return ()
    turns: list[Turn] = []
    for who, words in zip(pieces[1::2], pieces[2::2], strict=True):
        role = ROLES["human" if who == "Human" else "assistant"]
        before = f"{turns.pop().text}\n\n" if turns and turns[-1].role == role else ""
        turns.append(Turn(role, (before + words.strip()).strip()))
    return tuple(turns)


def _read(row: Row, problems: list[Problem]) -> tuple[Example, ...]:
    turns = conversation(row, problems)
    if not problems:
        check_order(turns, problems, "assistant")
    if problems:
        return ()
    return (Example("", Input(turns=turns[:-1]), (turns[-1].text,)),)


def questions_of(input: Input) -> tuple[Turn, ...]:
    """An input as turns: its own, or its named texts as one turn, blank lines between."""
    return input.turns or (Turn("user", "\n\n".join(text for _, text in input.fields)),)


def _spoken(example: Example) -> tuple[Turn, ...]:
    """The whole conversation; () for what is none: no answer, several, or pictures."""
    if len(example.targets) != 1 or example.input.answers or example.input.images:
        return ()
    return (*questions_of(example.input), Turn("assistant", example.targets[0]))


def messages(turns: tuple[Turn, ...]) -> list[dict[str, str]]:
    """Turns as chat templates and files of messages have them."""
    return [{"role": turn.role, "content": turn.text} for turn in turns]


def _write_messages(example: Example) -> Row | None:
    turns = _spoken(example)
    return {"messages": messages(turns)} if turns else None


_FROM = {"system": "system", "user": "human", "assistant": "gpt"}


def _write_sharegpt(example: Example) -> Row | None:
    turns = [{"from": _FROM[turn.role], "value": turn.text} for turn in _spoken(example)]
    return {"conversations": turns} if turns else None


def _first_turn(row: Row) -> Mapping[str, Any] | None:
    """The first turn of a row with a list of them; {} where that cannot be told."""
    name = one_of(row, _LISTS)
    if name is None:
        return None
    items = listed(row[name])
    return cast(Mapping[str, Any], items[0]) if items and isinstance(items[0], dict) else {}


def _is_messages(row: Row) -> bool:
    first = _first_turn(row)
    return first is not None and "from" not in first and ("messages" in row or "role" in first)


def _is_sharegpt(row: Row) -> bool:
    return _first_turn(row) is not None and not _is_messages(row)


MESSAGES = Format(
    "messages",
    "generate",
    "messages: a list of {role, content}",
    frozenset({*_LISTS, "system"}),
    _is_messages,
    _read,
    _write_messages,
)
SHAREGPT = Format(
    "sharegpt",
    "generate",
    "conversations: a list of {from, value}",
    frozenset({*_LISTS, "system"}),
    _is_sharegpt,
    _read,
    _write_sharegpt,
)
