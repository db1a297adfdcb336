"""Texts that keep to a form: tokens that would leave it are ruled out, by llguidance.

The model is asked first. A token that the grammar allows is taken as it is; only where the model
would leave a form that is not complete yet, it chooses again among all that is allowed. Where the
tokens that it may write come to an end, the text is closed on a short way (`closing`).
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt, Fault, InputError
from nshot.core.types import Grammar
from nshot.models.hf.closing import Closing, spelling

EXTRA = "pip install 'nshot[constrain]'"
_TAIL = 16
"""Tokens that a stream keeps back, beside twice those of the shortest answer."""
_SPACES = {"whitespace_flexible": False, "item_separator": ", ?", "key_separator": ": ?"}
"""JSON on one line: where any space is allowed, a small model may write nothing but spaces."""


class Place:
    """Where a text stands in its grammar."""

    def __init__(self, matcher: Any, vocabulary: int, closing: Closing, words: Any) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        self._closing, self._words = closing, words

    @property
    def tail(self) -> int:
        """Tokens at the end of a text that may be written anew to close it, about."""
        return _TAIL + 2 * len(self._closing.way(b"") or ())

    def closed(self, tokens: Sequence[int], most: int, least: int = 0) -> list[int] | None:
        """A complete text of `most` tokens at most, which begins as `tokens`, at least the first
        `least` of them; None where that cannot be."""
        written = [bytes(self._words.decode_bytes([token])) for token in tokens]
        close = self._closing.close(written, most, least)
        return None if close is None else [*tokens[: close[0]], *close[1:]]

    def allows(self, token: int) -> bool:
        """Whether the token can come next; an end token, where the text is complete."""
        known = token < self._vocabulary
        return known and self._matcher.validate_tokens([token]) == 1

    @property
    def complete(self) -> bool:
        """Whether the text may end here."""
        return bool(self._matcher.is_accepting())

    def mask(self, width: int) -> NDArray[np.bool_]:
        """The tokens that are allowed, of the `width` numbers that the model gives.

        Raises `CannotAdapt` where there are none, or the grammar is too large to be followed.
        """
        allowed = np.zeros(width, dtype=bool)
        if not self._matcher.is_error():
            known = np.frombuffer(self._matcher.compute_logit_bias(), dtype=np.uint8) > 0
            allowed[: len(known)] = known[:width]
        if not allowed.any():
            reason = self._matcher.get_error() or "no token of the model can be written there"
            raise CannotAdapt(f"the answer's format cannot be followed: {reason}")
        return allowed

    def take(self, token: int) -> bool:
        """Go on by a token that is allowed; whether nothing can follow."""
        if not self._matcher.consume_token(token):
            raise CannotAdapt(f"the answer's format was left: {self._matcher.get_error()}")
        return bool(self._matcher.is_stopped())


class Compiled:
    """A grammar made ready for a vocabulary."""

    def __init__(self, matcher: Any, words: Any, closing: Closing) -> None:
        self._matcher, self._words, self._closing = matcher, words, closing

    def start(self) -> Place:
        """Before the first token."""
        words = self._words
        return Place(self._matcher.deep_copy(), words.vocab_size, self._closing, words)

    def require(self, tokens: int) -> None:
        """Raise `CannotAdapt` where it is known that the shortest text has more tokens."""
        way = self._closing.way(b"")
        if way is not None and len(way) > tokens and self._closing.is_shortest(b""):
            text = bytes(self._words.decode_bytes(list(way))).decode("utf-8", "replace")
            raise CannotAdapt(
                f"{tokens} tokens are too few for the answer's format: the shortest answer,"
                f" {text[:80]!r}, takes {len(way)}; raise max_tokens"
            )


def compiled(grammar: Grammar, tokenizer: Any, ends: frozenset[int]) -> Compiled:
    """The grammar over a tokenizer's vocabulary; `ends` are the tokens that may end a text.

    Raises `InputError` for one that cannot be read, and where the library is missing.
    """
    words = _vocabulary(tokenizer, tuple(sorted(ends)))
    matcher = _library().LLMatcher(words, _lark(grammar), log_level=0)
    if matcher.is_error():
        raise InputError(_fault(grammar, matcher.get_error()))
    return Compiled(matcher, words, _closing(grammar, words))


def fault(grammar: Grammar) -> Fault | None:
    """What is wrong with a grammar, or None; also None where the library is missing."""
    try:
        library = _library()
    except InputError:
        return None
    message = library.LLMatcher.validate_grammar(_lark(grammar))
    return _fault(grammar, message) if message and not message.startswith("WARNING") else None


def is_installed() -> bool:
    """Whether answers can be kept in a format here. Imports nothing."""
    try:
        return importlib.util.find_spec("llguidance") is not None
    except ValueError:
        return False


def _library() -> Any:
    try:
        import llguidance
    except ImportError:
        problem = "answers cannot be kept in a format: llguidance is not installed"
        raise InputError(Fault(problem, do=EXTRA)) from None
    return llguidance


@lru_cache(maxsize=16)
def _closing(grammar: Grammar, words: Any) -> Closing:
    """Ways to the end of a grammar, which all texts share."""
    library = _library()
    matcher = library.LLMatcher(library.LLTokenizer("byte"), _lark(grammar), log_level=0)
    return Closing(matcher, spelling(words), grammar)


@lru_cache(maxsize=4)
def _vocabulary(tokenizer: Any, ends: Sequence[int]) -> Any:
    """The tokens as llguidance knows them: half a second for 49,000."""
    _library()
    if hasattr(tokenizer, "for_llguidance"):  # one that is not transformers'
        return tokenizer.for_llguidance(ends)
    from llguidance.hf import from_tokenizer

    try:
        return from_tokenizer(tokenizer, eos_token=list(ends) or None)
    except ValueError as error:
        raise CannotAdapt(f"no answers in a format from this tokenizer: {error}") from None


def _lark(grammar: Grammar) -> str:
    """The grammar in llguidance's notation, with what stands before it."""
    lead = _quoted(grammar.lead) + " " if grammar.lead else ""
    if grammar.kind == "json_schema":
        schema = json.loads(grammar.text)
        spaced = {"x-guidance": _SPACES, **schema} if isinstance(schema, dict) else schema
        return f"start: {lead}%json {json.dumps(spaced)}"
    if grammar.kind == "choices":
        return f"start: {lead}({' | '.join(map(_quoted, grammar.choices))})"
    expression = re.sub(r"(?<!\\)((?:\\\\)*)/", r"\1\\/", grammar.text)
    return f"start: {lead}/{expression}/"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _fault(grammar: Grammar, message: str) -> Fault:
    lines = message.strip().splitlines()
    return Fault(
        f"answer_format: {grammar.kind} cannot be read: {' '.join(' '.join(lines[:4]).split())}",
        expected="see docs/generation.md for what is understood",
    )
