"""A text as it grows, token by token: what ends it, and what of it is certain already.

Nothing here imports torch: every engine that draws its own tokens writes by these rules.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from nshot.models.base import Completion, Decoding, Tokens, settled, stop_at

if TYPE_CHECKING:
    from nshot.models.hf.grammar import Place


@dataclass(frozen=True)
class Rules:
    """What ends a text: a token of `ends`, a stop string, its grammar, or its length.

    With `states` what the head reads is kept beside each token.
    """

    tokenizer: Any
    ends: frozenset[int]
    how: Decoding
    states: bool = False

    def stopped(self, tokens: Sequence[int]) -> bool:
        """Whether a stop string has just been written; it may span tokens."""
        stops = [stop for stop in self.how.stop if stop]
        if not stops:
            return False
        # Every token is at least a byte: a stop string that ends in the last one is in so many.
        reach = max(len(stop.encode()) for stop in stops) + 2
        recent = self._decoded(tokens[-reach:])
        return any(stop in recent for stop in stops) and self.cut(tokens)[1]

    def cut(self, tokens: Sequence[int]) -> tuple[str, bool]:
        """The text of `tokens` before the first stop string, and whether there was one."""
        text = self._decoded(tokens)
        end = stop_at(text, self.how.stop)
        return text[:end], end is not None

    def settled(self, tokens: Sequence[int]) -> str:
        """What no later token can change of the text: no half characters, no half stop string."""
        return settled(self._decoded(tokens).rstrip("\ufffd"), self.how.stop)

    def _decoded(self, tokens: Sequence[int]) -> str:
        return str(
            self.tokenizer.decode(
                tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )


class Drawn(NamedTuple):
    """A token, and its log-probability at the temperature (0 where the likeliest is taken)."""

    token: int
    logprob: float


@dataclass
class Text:
    """A continuation as it grows. `rng` draws its tokens when they are sampled.

    `place` is where it stands in its grammar, if it has one; `slot` the view that it is read under.
    """

    prompt: Tokens
    rng: random.Random
    place: Place | None = None
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    states: list[Any] = field(default_factory=list)
    end: Drawn | None = None
    finished: bool = False
    closed: bool = False
    """Whether the last tokens are a short way to the end of its form."""
    slot: int = 0
    _shown: int = 0
    """Tokens that a reader has seen."""

    def add(self, drawn: Drawn | None, rules: Rules) -> bool:
        """Take one more token, None being its end; whether the text goes on."""
        if drawn is None or drawn.token in rules.ends:
            self.end = drawn
            self.finished = True
            return False
        token = drawn.token
        self.tokens.append(token)
        self.logprobs.append(drawn.logprob)
        over = self.place is not None and self.place.take(token)
        self.finished = over or rules.stopped(self.tokens)
        if not self.finished and len(self.tokens) >= rules.how.max_tokens:
            self.close(rules.how.max_tokens)
            return False
        return not self.finished

    def close(self, most: int) -> None:
        """End the form where the tokens left just sufficed: what the model wrote after that goes.

        Nothing before that would have been another: it is as if it had been forced there.
        """
        closed = self.place.closed(self.tokens, most, self._shown) if self.place else None
        if closed is not None:
            self.tokens, self.finished, self.closed = closed, True, True

    def settled(self, rules: Rules) -> str:
        """What of the text is certain already: in a form its last tokens may be written anew."""
        tokens = self.tokens
        if self.place is not None:
            tokens = tokens[: max(self._shown, rules.how.max_tokens - self.place.tail)]
        self._shown = len(tokens)
        return rules.settled(tokens)

    def completion(self, rules: Rules) -> Completion:
        """The text without its stop string and end token."""
        text, stopped = rules.cut(self.tokens)
        done = self.finished or stopped
        return Completion(text, len(self.prompt), len(self.tokens), done, self.closed)
