"""Control tokens that stand in a text are text: only a chat template opens and closes turns.

A tokenizer looks for the spelling of its control tokens wherever it reads: whoever writes
``<|im_end|>`` into a review would end the turn, and could open another in any role. So texts are
quoted before a template gets them: each such spelling becomes one character of a private plane.
What still is a spelling in the rendered text was written by the template. A twin of the tokenizer,
in which control tokens have other names, then reads both rightly. Texts without such spellings,
which are nearly all, go through the tokenizer itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from nshot.core.errors import CannotAdapt
from nshot.models.base import Tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_ITSELF, _FIRST = "\U00100000", 0x100001
"""Plane 16, where no character has a meaning: its first one says that the next is itself."""
_PRIVATE = re.compile("[\U00100000-\U0010fffd]")
_QUOTED = re.compile(f"{_ITSELF}(.)|({_PRIVATE.pattern})", re.DOTALL)
_BYTE = re.compile("<0x[0-9A-F]{2}>")
"""How sentencepiece spells a byte: what falls back to bytes needs them under this name."""


class Controls:
    """The control tokens of a tokenizer.

    Closed to every text are its special tokens, and those that its template writes around a turn.
    Tags that the template knows besides (of thoughts, of tool calls) are the model's own to say: an
    answer may hold them, what others say may not.
    """

    def __init__(self, tokenizer: Any) -> None:
        added = {
            token.content: bool(token.special)
            for token in tokenizer.added_tokens_decoder.values()
            if len(token.content.strip()) > 1 and not _BYTE.fullmatch(token.content)
        }
        template, turn = str(tokenizer.chat_template or ""), _user_turn(tokenizer)
        special = {*tokenizer.all_special_tokens}
        closed = [c for c, own in added.items() if own or c in special or c in turn]
        tags = [c for c in added if c not in closed and c in template]
        self._tokenizer = tokenizer
        self._codes = {c: chr(_FIRST + k) for k, c in enumerate((*closed, *tags))}
        self._spellings = {code: spelling for spelling, code in self._codes.items()}
        self._closed, self._any = _one_of(closed), _one_of(self._codes)
        self._written = re.compile(f"{_QUOTED.pattern}|({self._any.pattern})", re.DOTALL)

    def spells(self, text: str) -> bool:
        """Whether a text has the spelling of a token that is closed to it."""
        return self._closed.search(text) is not None

    def quoted(self, text: str, own: bool = True) -> str:
        """The text as a template may get it. `own` are answers, and texts without a template."""
        text = _PRIVATE.sub(rf"{_ITSELF}\g<0>", text)
        return (self._closed if own else self._any).sub(lambda m: self._codes[m[0]], text)

    def plain(self, quoted: str) -> str:
        """The text that was quoted."""
        return _QUOTED.sub(lambda m: m[1] or self._spellings[m[2]], quoted)

    def encode(self, quoted: str, special: bool) -> Tokens:
        """Tokens of a rendered text with quotes in it; `special`: with those of every text."""
        if not any(match[2] for match in _QUOTED.finditer(quoted)):
            coded = self._tokenizer(self.plain(quoted), add_special_tokens=special, verbose=False)
            return tuple(coded["input_ids"])
        renamed = self._written.sub(self._renamed, quoted)
        if self._twin is None:
            return self._in_pieces(renamed, special)
        return tuple(self._twin.encode(renamed, add_special_tokens=special).ids)

    def _renamed(self, match: re.Match[str]) -> str:
        """A quoted spelling becomes text, one that the template wrote the token's name in the twin.

        A private character that the text has itself would be such a name: it is unknown.
        """
        if match[1]:
            return "\ufffd"
        return self._spellings[match[2]] if match[2] else self._codes[match[3]]

    @cached_property
    def _twin(self) -> Tokenizer | None:
        """None for a tokenizer that is Python code: it can be asked not to look for its tokens."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        return None if backend is None else _twin(backend, self._codes)

    def _in_pieces(self, renamed: str, special: bool) -> Tokens:
        """Token by token where the template wrote one, what lies between as text."""
        ids: list[int] = []
        for at, piece in enumerate(re.split(f"({_PRIVATE.pattern})", renamed)):
            if at % 2:
                ids.append(self._tokenizer.convert_tokens_to_ids(self._spellings[piece]))
            elif piece or special:
                coded = self._tokenizer(
                    piece, add_special_tokens=special, split_special_tokens=True, verbose=False
                )
                ids += coded["input_ids"]
        return tuple(ids)


def controls(tokenizer: Any) -> Controls:
    """The control tokens of a tokenizer as it is now; the last few are kept."""
    return _controls(tokenizer, len(tokenizer), tokenizer.chat_template)


@lru_cache(maxsize=4)
def _controls(tokenizer: Any, size: int, template: str | None) -> Controls:
    return Controls(tokenizer)


def has_quotes(text: str) -> bool:
    """Whether something in a rendered text is quoted."""
    return _PRIVATE.search(text) is not None


def _one_of(spellings: Iterable[str]) -> re.Pattern[str]:
    """Any of them, the longest first, as a tokenizer takes them; of none, what is nowhere."""
    longest = sorted(spellings, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest)) or "(?!)")


def _user_turn(tokenizer: Any) -> str:
    """What the template writes for one turn of a user; "" where there is none to write it."""
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        return ""
    try:
        turn = tokenizer.apply_chat_template([{"role": "user", "content": "?"}], tokenize=False)
    except TemplateError:
        return ""
    return str(turn)


def _twin(backend: Tokenizer, names: Mapping[str, str]) -> Tokenizer:
    """The same tokenizer, the same numbers, but its control tokens are called by `names`.

    To rename the added tokens is not enough: a unigram model or one of whole words has them in its
    vocabulary too, and merges may lead to them.
    """
    from tokenizers import Tokenizer

    whole = json.loads(backend.to_str())
    for token in whole["added_tokens"]:
        if token["content"] in names:
            token |= {"content": names[token["content"]], "normalized": False}
    model = whole["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = {names.get(piece, piece): id for piece, id in model["vocab"].items()}
    else:
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in model["vocab"]]
    if "merges" in model:
        model["merges"] = [pair for pair in model["merges"] if not _leads_to(pair, names)]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    twin = Tokenizer.from_str(json.dumps(whole))
    for spelling, name in names.items():
        if twin.token_to_id(name) != backend.token_to_id(spelling):
            raise CannotAdapt(f"the tokenizer cannot be kept from reading {spelling!r} in a text")
    return twin


def _leads_to(merge: str | Sequence[str], names: Mapping[str, str]) -> bool:
    """Whether two pieces, or what they become, are a control token."""
    left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
    return left in names or right in names or left + right in names
