"""The turns of a conversation: who speaks, what is said, what is taught, and in which order.

A call of a tool is what the assistant says, written as ``<tool_call>`` and JSON (Hermes, Qwen),
whatever the file has it as; its result is a turn of the role ``tool``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from nshot.core.types import Role, Turn
from nshot.data.formats.format import Problems, in_words, listed, one_of

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
    "chatbot": "assistant",
    "bot": "assistant",
    "ai": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "ipython": "tool",
    "tool_response": "tool",
    "function_response": "tool",
}
"""How files name who speaks, whatever the case."""
_SPEAKERS = ", ".join(ROLES)
_CALLING = frozenset({"function_call", "tool_call"})
LISTS = ("messages", "conversations", "conversation")
_OTHER_LISTS = ("contents", "items", "dialog", "dialogue", "chat", "turns", "data")
"""Keys under which turns stand in other people's files; what is under them must look like turns."""
ALL_LISTS = (*LISTS, *_OTHER_LISTS)
WHO, _WHAT = ("role", "from"), ("content", "value", "parts")
_PAIRS = (("human", "assistant"), ("user", "assistant"), ("human", "bot"), ("user", "bot"))
"""Keys of a question and its answer in one object."""
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_LABELS = frozenset({"label", "labels", "label_text", "label_name"})
"""With one of these beside it, a conversation may be there to be classified."""
_TAUGHT = ("weight", "loss", "train", "training")
"""Keys by which OpenAI and Mistral, ms-swift, and Axolotl say whether a turn is taught."""
_FLAGS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
_MARK = re.compile(r"(?:\A|\n\n)(Human|Assistant):")
"""How HH-RLHF and others write a conversation as one text."""

CALLS = (
    "tool calls are read as what the assistant says, <tool_call>{...}</tool_call>, and results as "
    "turns of the role tool"
)
EMPTY = "an empty turn was left out"
JOINED = "turns of one speaker in a row were joined"
UNTAUGHT = "turns with weight 0 (or loss, train: false) are read and not taught"
THOUGHTS = "reasoning beside an answer (reasoning_content, thinking) is not read, nor taught"
BY_TURNS = "texts in a list without roles: by turns the user's and the assistant's"
TAIL = "what follows the last answer that is taught was left out"


def turn_list(row: Mapping[str, Any]) -> str | None:
    """The key of a row that holds its conversation; None for a row that has none.

    What stands under one of `LISTS` may be faulty, unless a label beside it says that it is a text.
    """
    name = one_of(row, LISTS)
    if name is not None and isinstance(listed(row[name]) or row[name], list | dict):
        return name
    labelled = not _LABELS.isdisjoint(row)
    others = () if labelled else [key for key in _OTHER_LISTS if _are_turns(row.get(key))]
    if len(others) == 1:
        return others[0]
    return None if labelled or name == LISTS[2] else name


def _are_turns(cell: Any) -> bool:
    items = listed(cell)
    if not items:
        return False
    if all(isinstance(item, str) for item in items):
        return len(items) > 1
    return all(isinstance(item, dict) and (one_of(item, WHO) or _pair(item)) for item in items)


def _pair(message: Any) -> tuple[str, str] | None:
    """The keys of a question and its answer that stand in one object."""
    if not isinstance(message, dict) or one_of(message, WHO):
        return None
    return next((pair for pair in _PAIRS if set(pair) <= message.keys()), None)


def _unfolded(messages: list[Any], problems: Problems) -> list[Any]:
    """A message a turn: pairs taken apart, texts without roles given these by turns."""
    if all(isinstance(message, str) for message in messages) and len(messages) > 1:
        problems.note(BY_TURNS)
        roles = ("user", "assistant")
        return [{"role": roles[at % 2], "content": one} for at, one in enumerate(messages)]
    turns: list[Any] = []
    for message in messages:
        pair = _pair(message)
        turns += [{"role": who, "content": message[who]} for who in pair] if pair else [message]
    return turns


def turns_of(cell: Any, name: str, problems: Problems) -> tuple[Turn, ...]:
    """The turns of a list of {role, content} or {from, value}; () and problems where it is none.

    Content is a text or a list of text parts. Turns without words are left out, and noted. Nothing
    is said of the turns' order.
    """
    messages = [cell] if isinstance(cell, dict) else listed(cell)
    if not messages:
        word = "an empty list" if messages == [] else in_words(cell)
        problems.append((f"'{name}' holds {word}", "a list of turns: who speaks, and what is said"))
        return ()
    messages = _unfolded(messages, problems)
    before = len(problems)
    of = "" if name in ALL_LISTS else f" of '{name}'"
    turns = [
        _turn(message, f"turn {at}{of}", problems) for at, message in enumerate(messages, start=1)
    ]
    if len(problems) > before:
        return ()
    spoken = tuple(turn for turn in turns if turn.text.strip())
    if len(spoken) < len(turns):
        problems.note(EMPTY)
    return spoken


def _turn(message: Any, which: str, problems: Problems) -> Turn:
    if not isinstance(message, dict):
        problems.append((f"{which} is {in_words(message)}", "a turn with role and content"))
        return Turn("user", "")
    who = message.get(one_of(message, WHO) or "")
    word = who.strip().lower() if isinstance(who, str) else None
    role = ROLES.get(word or "")
    if role is None:
        problem = "names no role" if who is None else f"has the unknown role {who!r}"
        problems.append((f"{which} {problem}", f"one of: {_SPEAKERS}"))
    text = _content(message.get(one_of(message, _WHAT) or ""), which, problems) or ""
    if any(message.get(name) for name in _THOUGHTS):
        problems.note(THOUGHTS)
    if role == "tool" or word in _CALLING:
        problems.note(CALLS)
        text = _called([text]) if word in _CALLING and text.strip() else text
    if calls := _calls(message, which, problems):
        problems.note(CALLS)
        text = "\n".join(filter(None, [text, _called(calls)]))
    return Turn(role or "user", text, taught=_taught(message, role, which, problems))


def _content(content: Any, which: str, problems: Problems) -> str | None:
    """A text, or the texts of parts one after the other; None, and a problem, for other parts."""
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for part in content if isinstance(content, list) else [content]:
        text = part.get("text") if isinstance(part, dict) else part
        kind = part.get("type", "text") if isinstance(part, dict) else "text"
        if kind in _THOUGHTS:
            problems.note(THOUGHTS)
            continue
        if kind != "text" or not isinstance(text, str):
            word = f"a part of type {kind!r}" if kind != "text" else in_words(content)
            problems.append((f"{which} holds {word}", "a text, or text parts"))
            return None
        texts.append(text)
    return "".join(texts)


def _calls(message: Mapping[str, Any], which: str, problems: Problems) -> list[str]:
    """The calls of an assistant's turn in OpenAI's form, each as JSON of a name and arguments."""
    calls = message.get("tool_calls") or [message.get("function_call")]
    written = []
    for call in calls if isinstance(calls, list) else [calls]:
        if call is None:
            continue
        function = call.get("function", call) if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            problems.append((f"{which} holds a tool call without a name", "name and arguments"))
            continue
        given = function.get("arguments", {})
        call_of = {"name": function["name"], "arguments": _json(given)}
        written.append(json.dumps(call_of, ensure_ascii=False))
    return written


def _json(given: Any) -> Any:
    """Arguments as a value: OpenAI writes them as a text of JSON."""
    try:
        return json.loads(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        return given


def _called(calls: list[str]) -> str:
    return "\n".join(f"<tool_call>\n{call}\n</tool_call>" for call in calls)


def _taught(message: Mapping[str, Any], role: Role | None, which: str, problems: Problems) -> bool:
    """Whether an assistant's turn is to be learned; that of others never is, whatever is said."""
    name = one_of(message, _TAUGHT)
    if role != "assistant" or name is None or message[name] is None:
        return True
    flag = _FLAGS.get(str(message[name]).strip().lower())
    if flag is None:
        problems.append((f"{which} has the {name} {message[name]!r}", "1 (taught) or 0 (not)"))
    elif not flag:
        problems.note(UNTAUGHT)
    return flag is not False


def joined(turns: tuple[Turn, ...], problems: Problems) -> tuple[Turn, ...]:
    """Turns of one speaker in a row as one, a blank line between; results of tools stay apart."""
    groups = [list(group) for _, group in groupby(turns, key=lambda turn: (turn.role, turn.taught))]
    made: list[Turn] = []
    for group in groups:
        if group[0].role == "tool":
            made += group
        else:
            text = "\n\n".join(turn.text for turn in group)
            made.append(group[0] if len(group) == 1 else replace(group[0], text=text))
    if len(made) < len(turns):
        problems.note(JOINED)
    return tuple(made)


def asking(turns: tuple[Turn, ...], problems: Problems) -> tuple[Turn, ...]:
    """Turns that ask: the last is the user's, or a tool's result. A problem where it is not."""
    turns = joined(turns, problems)
    if not turns or all(turn.role == "system" for turn in turns):
        problems.append(("no turn but system", "a last turn of the user"))
    elif turns[-1].role not in ("user", "tool"):
        problems.append((f"the last turn is of the {turns[-1].role}", "a last turn of the user"))
    return turns


def answered(turns: tuple[Turn, ...], problems: Problems) -> tuple[Turn, ...]:
    """Turns up to the last answer that is taught.

    Without one, or where nothing is asked before it, the row is left out: () and the reason.
    """
    turns = joined(turns, problems)
    answers = [k for k, turn in enumerate(turns) if turn.role == "assistant"]
    taught = [k for k in answers if turns[k].taught]
    if not taught:
        problems.leave_out("none of its answers is taught" if answers else "it has no answer")
        return ()
    if taught[-1] + 1 < len(turns):
        problems.note(TAIL)
    whole = turns[: taught[-1] + 1]
    if not any(turn.role in ("user", "tool") for turn in whole):
        problems.leave_out("it asks nothing")
        return ()
    return whole


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
