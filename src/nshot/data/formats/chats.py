"""Conversations: messages and ShareGPT.

A conversation becomes an input of all turns up to the last answer that is taught, system and
earlier answers kept, whose target is that answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from nshot.core.types import Example, Input, Turn
from nshot.data.formats.format import Format, Problems, listed, one_of
from nshot.data.formats.turns import ALL_LISTS, LISTS, answered, asking, turn_list, turns_of
from nshot.data.table import Row

_INSTRUCTIONS = ("systemInstruction", "system_instruction")
TOOLS = "the tools of a row stand in its system turn, as JSON"


def conversation(row: Row, problems: Problems) -> tuple[Turn, ...]:
    """The turns of a row with a list of them; what ``system`` and ``tools`` hold comes first."""
    name = turn_list(row) or LISTS[0]
    turns = turns_of(row.get(name), name, problems)
    if not turns:
        return ()
    system = text_beside(row, "system") or _instruction(row)
    if system and turns[0].role == "system" and system != turns[0].text.strip():
        problems.append(("a system turn, and a key 'system' beside it", "one of the two"))
    own = turns[0].role == "system"
    parts = [turns[0].text if own else system, _tools(row, problems)]
    text = "\n\n".join(filter(None, parts))
    return (*([Turn("system", text)] if text else []), *turns[own:])


def _instruction(row: Row) -> str:
    """Gemini's ``systemInstruction``: a text, or an object with parts of one."""
    cell = row.get(one_of(row, _INSTRUCTIONS) or "")
    parts = cell.get("parts") if isinstance(cell, Mapping) else None
    parts = [parts] if isinstance(parts, Mapping) else parts
    if not isinstance(parts, list):
        return cell.strip() if isinstance(cell, str) else ""
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    return "".join(text for text in texts if isinstance(text, str)).strip()


def text_beside(row: Row, name: str) -> str:
    """A text under a key, without the space around it; "" where there is none."""
    cell = row.get(name)
    return cell.strip() if isinstance(cell, str) else ""


def _tools(row: Row, problems: Problems) -> str:
    """What may be called, as a list of JSON in the system turn."""
    tools = listed(row.get("tools")) or []
    if not tools:
        return ""
    problems.note(TOOLS)
    return "\n".join(["Tools:", *(json.dumps(tool, ensure_ascii=False) for tool in tools)])


def question(row: Row, problems: Problems) -> Input:
    """What a row asks, for a predictor: the turns up to the last of the user, or of a tool."""
    turns = conversation(row, problems)
    turns = turns[:-1] if turns and turns[-1].role == "assistant" else turns
    return Input(turns=turns if problems else asking(turns, problems))


def _read(row: Row, problems: Problems) -> tuple[Example, ...]:
    turns = conversation(row, problems)
    whole = () if problems else answered(turns, problems)
    return (Example("", Input(turns=whole[:-1]), (whole[-1].text,)),) if whole else ()


def questions_of(input: Input) -> tuple[Turn, ...]:
    """An input as turns: its own, or its named texts as one turn, blank lines between."""
    return input.turns or (Turn("user", "\n\n".join(text for _, text in input.fields)),)


def _spoken(example: Example) -> tuple[Turn, ...]:
    """The whole conversation; () for what is none: no answer, several, or pictures."""
    if len(example.targets) != 1 or example.input.answers or example.input.images:
        return ()
    return (*questions_of(example.input), Turn("assistant", example.targets[0]))


def messages(turns: tuple[Turn, ...]) -> list[dict[str, Any]]:
    """Turns as chat templates and files of messages have them."""
    return [{"role": turn.role, "content": turn.text} | _weight(turn) for turn in turns]


def _weight(turn: Turn) -> dict[str, int]:
    return {} if turn.taught else {"weight": 0}


def _write_messages(example: Example) -> Row | None:
    turns = _spoken(example)
    return {"messages": messages(turns)} if turns else None


_FROM = {"system": "system", "user": "human", "assistant": "gpt", "tool": "tool"}


def _write_sharegpt(example: Example) -> Row | None:
    turns = [{"from": _FROM[t.role], "value": t.text} | _weight(t) for t in _spoken(example)]
    return {"conversations": turns} if turns else None


def _first_turn(row: Row) -> Mapping[str, Any] | None:
    """The first turn of a row with a list of them; {} where that cannot be told."""
    name = turn_list(row)
    if name is None:
        return None
    items = listed(row[name])
    return cast(Mapping[str, Any], items[0]) if items and isinstance(items[0], dict) else {}


def _is_messages(row: Row) -> bool:
    first = _first_turn(row)
    return first is not None and "from" not in first and ("messages" in row or "role" in first)


def _is_sharegpt(row: Row) -> bool:
    return _first_turn(row) is not None and not _is_messages(row)


_USED = frozenset({*ALL_LISTS, "system", "tools", *_INSTRUCTIONS})
MESSAGES = Format(
    "messages",
    "generate",
    "messages: a list of {role, content}",
    _USED,
    _is_messages,
    _read,
    _write_messages,
)
SHAREGPT = Format(
    "sharegpt",
    "generate",
    "conversations: a list of {from, value}",
    _USED,
    _is_sharegpt,
    _read,
    _write_sharegpt,
)
