"""Which tokens of a conversation are the assistant's to say, found from the tokens themselves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from nshot.core.errors import CannotAdapt
from nshot.core.types import Turn
from nshot.models.base import Tokens
from nshot.models.hf.control import controls
from nshot.models.hf.tokens import encode, end_of_turn, render, shared

_SHOWN = 40
"""Characters of a template's text that an error shows."""


class Rendered(NamedTuple):
    """A conversation as the model reads it; `supervised[i]` says that ``tokens[i]`` is taught."""

    tokens: Tokens
    supervised: tuple[bool, ...]


def rendered(tokenizer: Any, turns: Sequence[Turn]) -> Rendered:
    """The tokens of `turns` under the chat template, the taught turns of the assistant supervised.

    The tokens are those of the whole conversation, without a generation prompt and with the special
    tokens that the template itself writes, no others. Of the assistant's turn k, supervised are
    the tokens from the first that differs from the rendering of ``turns[:k]`` with the generation
    prompt, through the end token of the turn (`tokens.end_of_turn`): so the header of the turn is
    not supervised and the end token is. What the template writes behind the end token (a newline)
    is not supervised. Under a template without an end token the whole of what it writes for the
    turn is, and nothing teaches the model to stop.

    A token that joins the last characters of the prompt with the first of the answer is
    supervised.

    Raises `CannotAdapt`: no template, turns that it refuses, and a template under which the
    rendering of ``turns[:k + 1]`` is no beginning of the whole: it writes an answer otherwise once
    more follows, as those that drop earlier thoughts do (Qwen 3). For those see `apart`.
    """
    return _rendered(tokenizer, turns, _taught(turns))


def _taught(turns: Sequence[Turn]) -> list[int]:
    return [k for k, turn in enumerate(turns) if turn.role == "assistant" and turn.taught]


def answered(tokenizer: Any, turns: Sequence[Turn]) -> Rendered:
    """As `rendered`, but of the assistant's turns only the last, with which `turns` end.

    All templates can do this that begin an answer as they ask for one.
    """
    return _rendered(tokenizer, turns, [len(turns) - 1])


def apart(tokenizer: Any, turns: Sequence[Turn]) -> tuple[Rendered, ...]:
    """One row where `rendered` works, else a row for each answer (`answered`).

    A row for each answer is what the model is asked when it serves, under any template; the turns
    before are then read once for each answer after them.
    """
    try:
        return (rendered(tokenizer, turns),)
    except CannotAdapt:
        return tuple(answered(tokenizer, turns[: k + 1]) for k in _taught(turns))


def _rendered(tokenizer: Any, turns: Sequence[Turn], answers: Sequence[int]) -> Rendered:
    whole = render(tokenizer, tuple(turns), answering=False)[0]
    prompts = [render(tokenizer, tuple(turns[:k]))[0] for k in answers]
    through = [render(tokenizer, tuple(turns[: k + 1]), answering=False)[0] for k in answers]
    for text in (*prompts, *through):
        if not whole.startswith(text):
            raise _rewrites(tokenizer, text, whole)
    tokens, *parts = encode(tokenizer, [(text, False) for text in (whole, *prompts, *through)])
    marks = [False] * len(tokens)
    closing = _closing(tokenizer, tokenizer.chat_template)
    for before, after in zip(parts[: len(answers)], parts[len(answers) :], strict=True):
        start, end = shared(before, tokens), shared(after, tokens)
        closed = [at for at in range(start, end) if tokens[at] == closing]
        end = closed[-1] + 1 if closed else end
        marks[start:end] = [True] * (end - start)
    return Rendered(tokens, tuple(marks))


@lru_cache(maxsize=4)
def _closing(tokenizer: Any, template: str) -> int | None:
    """The end token of a turn; asked once for a tokenizer and its template."""
    return end_of_turn(tokenizer)


def _rewrites(tokenizer: Any, part: str, whole: str) -> CannotAdapt:
    part, whole = map(controls(tokenizer).plain, (part, whole))
    at = shared([ord(c) for c in part], [ord(c) for c in whole])
    name = getattr(tokenizer, "name_or_path", "") or "this tokenizer"
    return CannotAdapt(
        f"the chat template of {name} writes a turn otherwise when more turns follow: behind "
        f"{part[max(0, at - _SHOWN) : at]!r} it first writes {part[at : at + _SHOWN]!r}, then "
        f"{whole[at : at + _SHOWN]!r}; its answers cannot be taught in one row"
    )
