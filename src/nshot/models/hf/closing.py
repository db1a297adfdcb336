"""The shortest way to the end of a form: what is written when the tokens left only just suffice.

The way is looked for over bytes, where a step of the grammar is cheap, and then put into
as few of the model's tokens as spell it. Where a form leaves a free choice (the letters of a text)
a few of each kind stand for all: the way is a short one, and for a list of choices the shortest.
What stands in a form to the letter is tried at once: behind free text (``.*Answer: ``) it cannot be
told from the text byte by byte. Nothing is forced before it must be: a text that the model ends
itself is as it would be.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from nshot.core.types import Grammar

FEW_STEPS, WALKS = 800, 600
"""Places that a search looks at, at most, and walks at random where that did not come to an end."""
_FAR = 200
"""Bytes of a walk, at most."""
_FREE = 64
"""Bytes of which so many may come next are a free choice."""
_ENDS, _SEPARATES = b"}]", b'":,01'
"""Of JSON: what closes, and what stands before and between values, the shortest number first."""
_TRIED = 40
_SAME = 2
"""Places of a search at one depth that allow the same bytes, at most; apart by the byte before them
within `_NEAR` bytes of what stands to the letter."""
_NEAR = 6
_QUOTE = 0x22
_KINDS = [*b'"{}[](),:;.-_/\\ 0a', *range(0xC3, 0x100, 8), 0x80]
"""What stands for a free choice."""


_PLAIN = {sign: chr(0xE000 + ord(sign)) for sign in r".\[](){}*+?|^$/-#:"}
_SIGNS = {private: sign for sign, private in _PLAIN.items()}
"""Signs that are meant to the letter, while an expression is taken apart."""


class Closing:
    """Ways to the end of one grammar, in one vocabulary.

    `matcher` is llguidance's over bytes, at the beginning; `spelled` the tokens by their bytes;
    what stands to the letter in `grammar` is tried at once.
    """

    def __init__(self, matcher: Any, spelled: Mapping[bytes, int], grammar: Grammar) -> None:
        self._matcher, self._spelled = matcher, spelled
        self._literals, self._is_json = literals(grammar), grammar.kind == "json_schema"
        choices = grammar.choices if grammar.kind == "choices" else ()
        self._texts = [(grammar.lead + one).encode() for one in choices]
        self._longest = max(map(len, spelled), default=0)
        self._longer: set[bytes] = set()
        self._ways: dict[bytes, tuple[int, ...] | None] = {}

    def way(self, written: bytes) -> tuple[int, ...] | None:
        """Tokens that complete a text which begins with `written`, () where it is complete.

        None where no way is found, or no tokens spell it.
        """
        if written not in self._ways:
            rests = self._left(written) if self._texts else [self._rest(written)]
            ways = [self.tokens(rest) for rest in rests if rest is not None]
            self._ways[written] = min(
                (way for way in ways if way is not None), key=len, default=None
            )
        return self._ways[written]

    def _left(self, written: bytes) -> list[bytes]:
        """What is left of each choice that begins so."""
        return [one[len(written) :] for one in self._texts if one.startswith(written)]

    def close(self, written: Sequence[bytes], most: int, least: int = 0) -> list[int] | None:
        """Tokens that complete a text, behind as many of its own as leave room: (place, *way).

        `written` are the bytes of each token, of which the first `least` must stay; `most` may
        stand in all. The first number is how many stay. None where no way is short enough.
        """
        stay = len(written)
        while True:
            way = self.way(b"".join(written[:stay]))
            if way is not None and stay + len(way) <= most:
                return [stay, *way]
            if stay <= least:
                return None
            fewer = stay // 2 if way is None else min(stay - 1, most - len(way))
            stay = max(least, fewer)

    def tokens(self, text: bytes) -> tuple[int, ...] | None:
        """The fewest tokens that spell a text; None where none do."""
        best: list[tuple[int, ...] | None] = [(), *[None] * len(text)]
        for end in range(1, len(text) + 1):
            for start in range(max(0, end - self._longest), end):
                before, token = best[start], self._spelled.get(text[start:end])
                if before is None or token is None:
                    continue
                here = best[end]
                if here is None or len(before) + 1 < len(here):
                    best[end] = (*before, token)
        return best[-1]

    def _rest(self, written: bytes) -> bytes | None:
        """The shortest bytes after `written` that complete it, as far as the search sees."""
        first = self._matcher.deep_copy()
        if first.try_consume_tokens(list(written)) != len(written):
            return None
        if first.is_accepting():
            return b""
        if (rest := self._shortest(first, FEW_STEPS)) is not None:
            return rest
        self._longer.add(written)
        return (self._first(first) if self._is_json else None) or self._walked(first)

    def is_shortest(self, written: bytes) -> bool:
        """Whether the search has come to its end: else `way` is a short one, if there is any."""
        return self.way(written) is not None and written not in self._longer

    def _walked(self, first: Any) -> bytes | None:
        """The shortest of the ways to the end that walks at random come to, always the same."""
        rng, best = random.Random(0), None
        for _ in range(WALKS):
            text, matcher = b"", first.deep_copy()
            while len(text) < (_FAR if best is None else len(best)):
                if matcher.is_accepting():
                    best = text
                    break
                allowed = matcher.compute_logit_bias()
                parts = [one for one in self._literals if allowed[one[0]]]
                if not parts or rng.random() < 0.5:
                    parts = [bytes([byte]) for byte in _next(allowed)]
                if not parts:
                    break
                part = rng.choice(parts)
                further = matcher.deep_copy()
                if further.try_consume_tokens(list(part)) == len(part):
                    text, matcher = text + part, further
                elif len(part) == 1:
                    break
        return best

    def _first(self, first: Any) -> bytes | None:
        """The bytes to the end that are reached by going on with what closes, wherever it may."""
        stack = [(b"", first)]
        for _ in range(FEW_STEPS):
            if not stack:
                return None
            text, matcher = stack.pop()
            if matcher.is_accepting():
                return text
            allowed = matcher.compute_logit_bias()
            numbers = np.flatnonzero(np.frombuffer(allowed, dtype=np.uint8)[:256]).tolist()
            quoted = [one for one in self._literals if allowed[one[0]]]
            text_ends = [b'"'] if allowed[_QUOTE] and len(numbers) > _FREE else []
            parts = [
                *text_ends,
                *(bytes([byte]) for byte in _ENDS if allowed[byte]),
                *quoted,
                *(bytes([byte]) for byte in _SEPARATES if allowed[byte]),
                *(bytes([byte]) for byte in numbers if byte not in (*_ENDS, *_SEPARATES)),
            ][:_TRIED]
            for part in reversed(parts):
                further = matcher.deep_copy()
                if further.try_consume_tokens(list(part)) == len(part):
                    stack.append((text + part, further))
        return None

    def _shortest(self, first: Any, steps: int) -> bytes | None:
        """The fewest bytes to the end, or None after so many `steps`."""
        order = itertools.count()
        queue = [(0, next(order), b"", (b"", 0), first)]
        alike: dict[tuple[int, bytes, bytes], int] = defaultdict(int)
        for _ in range(steps):
            if not queue:
                return None
            _, _, text, (literal, end), matcher = heapq.heappop(queue)
            if matcher.is_accepting():
                return text
            allowed = matcher.compute_logit_bias()
            free = literal and literal[0] != _QUOTE and len(text) - end <= _NEAR
            near = literal + text[-1:] if free else b""
            alike[len(text), allowed, near] += 1
            if alike[len(text), allowed, near] > _SAME:
                continue
            parts = [(bytes([byte]), (literal, end)) for byte in _next(allowed)]
            parts += [(one, (one, len(text) + len(one))) for one in self._literals
                      if allowed[one[0]]]  # fmt: skip
            for part, last in parts:
                further = matcher.deep_copy()
                if further.try_consume_tokens(list(part)) == len(part):
                    longer = text + part
                    heapq.heappush(queue, (len(longer), next(order), longer, last, further))
        return None


def literals(grammar: Grammar) -> tuple[bytes, ...]:
    """What stands to the letter in a grammar, in two bytes or more: of a schema, the names that it
    knows, with quotes and colon; of an expression, runs of characters without its signs."""
    runs: list[str] = []
    if grammar.kind == "regex":
        runs = [*_runs(grammar.text)]
    elif grammar.kind == "json_schema":
        schema = json.loads(grammar.text)
        runs = [f"{json.dumps(name, ensure_ascii=False)}:" for name in _names(schema)]
        runs += [run for one in _patterns(schema) for run in _runs(one)]
    return tuple(run.encode() for run in dict.fromkeys(runs) if len(run.encode()) > 1)


def _names(schema: Any) -> Iterator[str]:
    """Names of properties, wherever they stand in a schema."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties" and isinstance(value, dict):
                yield from value
            yield from _names(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _names(value)


def _patterns(schema: Any) -> list[str]:
    """All expressions in a schema."""
    if isinstance(schema, dict):
        own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
        return [*own, *(one for value in schema.values() for one in _patterns(value))]
    return [one for value in schema for one in _patterns(value)] if isinstance(schema, list) else []


def _runs(expression: str) -> Iterator[str]:
    """What is left of an expression without its signs; a character that may be absent also so."""
    bare = re.sub(r"\\([^\w\s])", lambda sign: _PLAIN.get(sign[1], "\0"), expression)
    for run in re.split(r"\\.|\[[^\]]*\]|\{[^}]*\}|[()|.^$*+?\0]", bare):
        yield _restored(run)
        yield _restored(run[:-1])


def _restored(run: str) -> str:
    return "".join(_SIGNS.get(char, char) for char in run)


def _next(allowed: bytes) -> Sequence[int]:
    """The bytes to go on by."""
    numbers = np.flatnonzero(np.frombuffer(allowed, dtype=np.uint8)[:256]).tolist()
    if len(numbers) <= _FREE:
        return numbers
    return [byte for byte in _KINDS if allowed[byte]] or numbers[:_FREE]


@lru_cache(maxsize=4)
def spelling(words: Any) -> Mapping[bytes, int]:
    """The tokens of a vocabulary (llguidance's) by the bytes that they stand for."""
    spelled: dict[bytes, int] = {}
    special = set(words.eos_tokens)
    for token in range(words.vocab_size):
        if token in special or words.is_special_token(token):
            continue
        spelled.setdefault(bytes(words.decode_bytes([token])), token)
    spelled.pop(b"", None)
    return spelled
