"""Prompts and answers to tokens.

A prompt and its answer are tokenised as one text, never apart: a tokenizer may join the last
characters of the prompt with the first of the answer. What is scored are the tokens from the
first one that any of the answers changes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from jinja2 import TemplateError

from nshot.core.errors import CannotAdapt
from nshot.core.types import Prompt, Turn
from nshot.models.base import Tokens, with_answer
from nshot.models.hf.control import controls, has_quotes


@dataclass(frozen=True)
class Row:
    """One prompt with its answers: tokens of the context, and of each answer after it."""

    context: Tokens
    answers: tuple[Tokens, ...]
    cut: bool = False

    @property
    def tokens_in(self) -> int:
        """Tokens of the request: the prompt, and every answer."""
        return len(self.context) + sum(map(len, self.answers))


def render(tokenizer: Any, prompt: Prompt, answering: bool = True) -> tuple[str, bool]:
    """The text to `encode`, and whether the tokenizer is to add its own special tokens.

    Control tokens that the prompt spells are quoted in it (`nshot.models.hf.control`). It ends
    where the assistant is to answer; without `answering`, after the last turn.

    Turns go through the model's chat template, which transformers renders in Jinja's immutable
    sandbox; a template brings its own special tokens. One that refuses a system turn (Gemma) is
    given it at the beginning of the first user turn, one that refuses or drops the results of tools
    is given them as turns of the user.
    """
    if isinstance(prompt, str):
        return controls(tokenizer).quoted(prompt), True
    if not tokenizer.chat_template:
        raise CannotAdapt("the language model has no chat template")
    refusal: TemplateError | None = None
    for turns in _ways(prompt):
        try:
            text = tokenizer.apply_chat_template(
                _messages(tokenizer, turns), tokenize=False, add_generation_prompt=answering
            )
        except TemplateError as error:
            refusal = refusal or error
            continue
        if _has_results(tokenizer, turns, text):
            return str(text), False
    raise CannotAdapt(f"the chat template does not take these turns: {refusal}") from refusal


def _ways(turns: tuple[Turn, ...]) -> Iterator[tuple[Turn, ...]]:
    """The turns, and what says the same in fewer roles."""
    yield turns
    if any(turn.role == "tool" for turn in turns):
        turns = _without_tools(turns)
        yield turns
    if [turn.role for turn in turns[:2]] == ["system", "user"]:
        yield _without_system(turns)


def _has_results(tokenizer: Any, turns: tuple[Turn, ...], text: str) -> bool:
    """Whether the results of tools stand in a rendered text, as they are or as JSON.

    Some templates drop a role that they do not know, without a word.
    """
    results = [turn.text.strip() for turn in turns if turn.role == "tool"]
    quoted = [controls(tokenizer).quoted(result, own=False) for result in results]
    return all(q in text or json.dumps(q, ensure_ascii=False)[1:-1] in text for q in quoted)


def _without_tools(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """Results of tools as turns of the user, those in a row as one."""
    made: list[Turn] = []
    for results, group in groupby(turns, key=lambda turn: turn.role == "tool"):
        if results:
            shown = (f"<tool_response>\n{turn.text}\n</tool_response>" for turn in group)
            made.append(Turn("user", "\n".join(shown)))
        else:
            made += group
    return tuple(made)


def _without_system(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The system's text and the first user's as one user turn, a blank line between."""
    system, user, *rest = turns
    return (Turn("user", f"{system.text}\n\n{user.text}", user.images), *rest)


def _messages(tokenizer: Any, turns: Sequence[Turn]) -> list[dict[str, str]]:
    quoted = controls(tokenizer).quoted
    return [
        {"role": turn.role, "content": quoted(turn.text, turn.role == "assistant")}
        for turn in turns
    ]


def encode(tokenizer: Any, texts: Sequence[tuple[str, bool]]) -> list[Tokens]:
    """Tokens of rendered texts, in order."""
    known = controls(tokenizer)
    quotes = [has_quotes(text) for text, _ in texts]
    out = [
        known.encode(text, special) if own else ()
        for (text, special), own in zip(texts, quotes, strict=True)
    ]
    for special in (True, False):
        where = [i for i, (_, own) in enumerate(texts) if own == special and not quotes[i]]
        if where:
            batch = [texts[i][0] for i in where]
            coded = tokenizer(batch, add_special_tokens=special, verbose=False)["input_ids"]
            for i, ids in zip(where, coded, strict=True):
                out[i] = tuple(ids)
    return out


def encode_prompts(tokenizer: Any, prompts: Sequence[Prompt]) -> list[Tokens]:
    """Tokens of prompts; a start token where a prompt has none at all."""
    coded = encode(tokenizer, [render(tokenizer, prompt) for prompt in prompts])
    return [tokens or (start_token(tokenizer),) for tokens in coded]


def render_whole(tokenizer: Any, prompt: Prompt) -> tuple[str, bool]:
    """As `render`, but a chat whose last turn is the assistant's ends with it: none is asked."""
    answers = not isinstance(prompt, str) and prompt[-1].role == "assistant"
    return render(tokenizer, prompt, answering=not answers)


def encode_whole(tokenizer: Any, prompts: Sequence[Prompt]) -> list[Tokens]:
    """As `encode_prompts`, of what `render_whole` renders."""
    coded = encode(tokenizer, [render_whole(tokenizer, prompt) for prompt in prompts])
    return [tokens or (start_token(tokenizer),) for tokens in coded]


def bare(tokenizer: Any, text: str) -> Tokens:
    """Tokens of a text alone, no special ones with it."""
    return encode(tokenizer, [(controls(tokenizer).quoted(text), False)])[0]


def start_token(tokenizer: Any) -> int:
    """What stands before an empty prompt: there must be a token to continue."""
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id):
        if token is not None:
            return int(token)
    return 0


def end_of_turn(tokenizer: Any) -> int | None:
    """The token with which the chat template closes the assistant's turn; None where none does.

    It is the first added token of what follows two different answers alike: what an answer ends in
    is not looked for by its spelling, for every family has its own.
    """
    if not tokenizer.chat_template:
        return None
    try:
        chats = [(Turn("user", "?"), Turn("assistant", answer)) for answer in ("yes", "No.")]
        one, other = encode(tokenizer, [render(tokenizer, chat, answering=False) for chat in chats])
    except CannotAdapt:
        return None
    added = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    behind = one[len(one) - shared(one[::-1], other[::-1]) :]
    return next((token for token in behind if token in added), None)


def end_of_answer(tokenizer: Any, chat: bool) -> int | None:
    """The token that a written answer ends in: of a chat its turn's, else of a text."""
    closing = end_of_turn(tokenizer) if chat else None
    end = tokenizer.eos_token_id if closing is None else closing
    return None if end is None else int(end)


def rows(
    tokenizer: Any, prompts: Sequence[Prompt], answers: Sequence[Sequence[str]], limit: int
) -> list[Row]:
    """Every prompt with its answers, cut from the left to `limit` tokens.

    Raises `CannotAdapt` for an answer that alone is longer than that.
    """
    rendered = [render(tokenizer, prompt) for prompt in prompts]
    quoted = controls(tokenizer).quoted
    joint = [
        (text + quoted(answer), special)
        for (text, special), given in zip(rendered, answers, strict=True)
        for answer in given
    ]
    return _rows(tokenizer, rendered, answers, joint, limit)


def whole_rows(
    tokenizer: Any, prompts: Sequence[Prompt], answers: Sequence[Sequence[str]], limit: int
) -> list[Row]:
    """As `rows`, but of a chat an answer goes on through the end of the assistant's turn.

    Context and answer together are what `encode_whole` gives of the prompt with the answer.
    """
    whole = [
        render_whole(tokenizer, with_answer(prompt, answer))
        for prompt, given in zip(prompts, answers, strict=True)
        for answer in given
    ]
    rendered = [render(tokenizer, prompt) for prompt in prompts]
    return _rows(tokenizer, rendered, answers, whole, limit)


def _rows(
    tokenizer: Any,
    rendered: Sequence[tuple[str, bool]],
    answers: Sequence[Sequence[str]],
    joint: Sequence[tuple[str, bool]],
    limit: int,
) -> list[Row]:
    """Rows of rendered prompts and, one after the other, of their texts with each answer."""
    alone = encode(tokenizer, rendered)
    together = iter(encode(tokenizer, joint))
    start = start_token(tokenizer)
    return [
        _row(tokens, [next(together) for _ in given], start, limit, tokenizer.bos_token_id)
        for tokens, given in zip(alone, answers, strict=True)
    ]


def _row(alone: Tokens, joint: Sequence[Tokens], start: int, limit: int, bos: int | None) -> Row:
    if not joint:
        return Row(alone, ())
    boundary = min(shared(alone, tokens) for tokens in joint)
    if boundary == 0:
        joint = [(start, *tokens) for tokens in joint]
        boundary = 1
    longest = max(map(len, joint))
    context, cut = cut_left(joint[0][:boundary], limit - (longest - boundary), bos)
    return Row(context, tuple(tokens[boundary:] for tokens in joint), cut)


def cut_left(context: Tokens, room: int, bos: int | None) -> tuple[Tokens, bool]:
    """The last `room` tokens of a context, its start token kept; and whether any were dropped."""
    if len(context) <= room:
        return context, False
    if room < 2:
        raise CannotAdapt("an answer is as long as the model's context")
    if context[0] == bos:
        return (context[0], *context[len(context) - room + 1 :]), True
    return context[len(context) - room :], True


def shared(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common start of two sequences."""
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return i
    return min(len(a), len(b))
