"""Models that are asked each thing once: for a search, whose candidates ask much alike.

Candidates that differ in calibration alone read the same prompts and only then differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt
from nshot.core.types import ModelRef, Prompt
from nshot.models.base import (
    AnswerScores,
    Encoder,
    Hidden,
    LanguageModel,
    Layer,
    LendsCopy,
    Lent,
    PrefixState,
    TokenVectors,
    token_reader,
)
from nshot.models.wrap.around import Around, AroundModel

Call: TypeAlias = tuple[ModelRef, tuple[Prompt, ...], tuple[tuple[str, ...], ...]]
Look: TypeAlias = tuple[ModelRef, tuple[Prompt, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Answers:
    """What models have been asked, and what they answered."""

    scores: dict[Call, list[AnswerScores]] = field(default_factory=dict)
    states: dict[Look, Hidden] = field(default_factory=dict)
    vectors: dict[ModelRef, dict[str, tuple[NDArray[np.float32], int]]] = field(
        default_factory=dict
    )
    """Of each encoder and text its vector and its tokens."""
    tokens: dict[tuple[ModelRef, Layer], dict[str, TokenVectors]] = field(default_factory=dict)


@dataclass(frozen=True)
class CachedModel(AroundModel):
    """A language model whose `logprobs` and `hidden` of equal calls are worked out once.

    Whole calls are kept, not rows: a row's last digits depend on what it was packed with, so
    that an answer made of rows of two calls could differ from the answer to one.
    """

    answers: Answers

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        """Log-likelihood of each of a prompt's answers; behind a `prefix` worked out every time."""
        if prefix is not None:
            return self.model.logprobs(prompts, answers, prefix)
        call = (self.facts.ref, tuple(prompts), tuple(map(tuple, answers)))
        known = self.answers.scores
        if call not in known:
            known[call] = self.model.logprobs(prompts, answers)
        return list(known[call])

    def hidden(self, prompts: Sequence[Prompt], layers: Sequence[int]) -> Hidden:
        """Hidden states after the given blocks."""
        call = (self.facts.ref, tuple(prompts), tuple(layers))
        known = self.answers.states
        if call not in known:
            known[call] = self.model.hidden(prompts, layers)
        return known[call]


@dataclass(frozen=True)
class CachedEncoder:
    """An encoder that is asked for each text once: its vectors depend on no other text."""

    encoder: Encoder
    answers: Answers

    @property
    def known(self) -> dict[str, tuple[NDArray[np.float32], int]]:
        """Of each text its vector and its tokens."""
        return self.answers.vectors.setdefault(self.ref, {})

    @property
    def ref(self) -> ModelRef:
        """What this is."""
        return self.encoder.ref

    def lend(self) -> Lent:
        """See `nshot.models.base.LendsCopy`; `CannotAdapt` where there is nothing to train."""
        if not isinstance(self.encoder, LendsCopy):
            raise CannotAdapt(f"{self.ref.name} has no weights to train")
        return self.encoder.lend()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, width), unit length rows."""
        if not texts:
            return self.encoder.encode(texts)
        self._ask(texts)
        return np.stack([self.known[text][0] for text in texts])

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens read of each text, after cutting at the encoder's limit."""
        if all(text in self.known for text in texts):
            return [self.known[text][1] for text in texts]
        return self.encoder.count(texts)

    def tokens(self, texts: Sequence[str], layer: Layer) -> list[TokenVectors]:
        """See `nshot.models.base.ReadsTokens`."""
        known = self.answers.tokens.setdefault((self.ref, layer), {})
        fresh = [text for text in dict.fromkeys(texts) if text not in known]
        made = token_reader(self.encoder).tokens(fresh, layer)
        known.update(zip(fresh, made, strict=True))
        return [known[text] for text in texts]

    def _ask(self, texts: Sequence[str]) -> None:
        fresh = [text for text in dict.fromkeys(texts) if text not in self.known]
        if fresh:
            vectors, counts = self.encoder.encode(fresh), self.encoder.count(fresh)
            self.known.update(zip(fresh, zip(vectors, counts, strict=True), strict=True))


@dataclass(frozen=True)
class CachedModels(Around):
    """`Models` that keep what their models answered as long as this lives."""

    _answers: Answers = field(default_factory=Answers)

    def open(self, ref: ModelRef) -> LanguageModel:
        """A language model, with the ref's deltas applied whenever it answers."""
        return CachedModel(self.models.open(ref), self._answers)

    def encoder(self, ref: ModelRef) -> Encoder:
        """A sentence encoder; a tuned one has one asker, and is asked as it is."""
        encoder = self.models.encoder(ref)
        if ref.deltas:
            return encoder
        return CachedEncoder(encoder, self._answers)
