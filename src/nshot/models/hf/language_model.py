"""A transformers language model as it is asked: scores, texts, streams, logits, hidden states."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.types import ModelRef, Prompt
from nshot.models.base import (
    Ability,
    AnswerScores,
    Completion,
    Decoding,
    Hidden,
    LanguageModel,
    ModelFacts,
    PrefixState,
    Tokens,
    is_tokens,
)
from nshot.models.hf.tokens import cut_left, encode_prompts, encode_whole, rows

if TYPE_CHECKING:
    from nshot.models.hf.continuous import ContinuousBatch, Member
    from nshot.models.hf.resident import Live, Resident

_CAN: frozenset[Ability] = frozenset(
    {"score", "generate", "hidden", "logits", "train", "constrain"}
)


class HFLanguageModel(LanguageModel):
    """A view on a base: answers with its deltas on."""

    def __init__(self, ref: ModelRef, base: Resident) -> None:
        self._ref = ref
        self._base = base
        self._agreed = base.agreed

    def _answering(self) -> AbstractContextManager[Live]:
        """The module ready to answer, for as long as the block runs."""
        return self._base.answering(self._ref.deltas)

    @property
    def facts(self) -> ModelFacts:
        """Of its configuration and its weights; packed weights' shapes are columns.

        Recurrent and hybrid models are only read, not continued. A tied head counts once.
        """
        from nshot.models.hf import grammar
        from nshot.models.hf.cache import holds

        can, base = _CAN, self._base
        if not holds(base.module):
            can = can - {"generate", "constrain"}
        elif not grammar.is_installed():
            can = can - {"constrain"}
        text = base.module.config.get_text_config()
        return ModelFacts(
            self._ref,
            can,
            base.context,
            int(text.num_hidden_layers),
            str(base.module.config.model_type),
            base.parameters,
            base.shapes,
        )

    def count(self, prompts: Sequence[Prompt]) -> list[int]:
        """Tokens of each prompt."""
        with self._base.lock:
            return [len(tokens) for tokens in encode_prompts(self._base.tokenizer, prompts)]

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        """Log-likelihood of each of a prompt's answers (see `nshot.models.hf.score`)."""
        from nshot.models.hf.score import agrees, score

        with self._answering() as live:
            before = _before(live, prefix)
            limit = self._base.context - before.length
            batch = rows(self._base.tokenizer, prompts, answers, limit)
            scored = [row for row in batch if row.answers]
            if live.kind not in self._agreed and scored:
                self._agreed[live.kind] = agrees(live.module, scored, before)
            packed = self._agreed.get(live.kind, False)
            sums = score(live.module, batch, before, packed)
        return [AnswerScores(s, row.tokens_in, row.cut) for s, row in zip(sums, batch, strict=True)]

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt; a prompt too long for the context is cut from the left."""
        from nshot.models.hf.generate import generate

        self._require_writing()
        with self._answering() as live:
            tokens = self._fitting(prompts, how.max_tokens + live.prefix.length)
            return generate(live.module, self._base.tokenizer, tokens, live.prefix, how)

    def stream(self, prompt: Prompt, how: Decoding) -> Generator[str, None, Completion]:
        """The text of `generate`, piece by piece.

        Others may ask between two pieces: nothing is held while nobody wants the next one. Streams
        that are open at once are written together (`nshot.models.hf.continuous`): who wants a piece
        that is not there makes a token of each. The first piece is empty: the text has joined, and
        nothing of it is written yet, so that others can join before their prompts are all read.
        """
        from nshot.models.hf.continuous import Member
        from nshot.models.hf.generate import begun, ends, grammar_of
        from nshot.models.texts import Rules

        self._require_writing()
        with self._answering() as live:
            (tokens,) = self._fitting([prompt], how.max_tokens + live.prefix.length)
            tokenizer = self._base.tokenizer
            rules = Rules(tokenizer, ends(live.module, tokenizer), how)
            member = Member(begun(tokens, rules, grammar_of(rules)), rules, self._ref.deltas)
        if how.max_tokens < 1:
            return member.completion
        batch = self._joined(member)
        try:
            yield ""
            while member.goes_on:
                with self._base.lock:
                    if member.goes_on and not member.piece:
                        batch.step()
                if piece := member.take():
                    yield piece
            if member.error is not None:
                raise member.error
            if piece := member.take():
                yield piece
        finally:
            with self._base.lock:
                batch.leave(member)
        return member.completion

    def _joined(self, member: Member) -> ContinuousBatch:
        """The batch that a text is written in: beside others where they can be."""
        return self._base.joined(member)

    def next_logits(
        self,
        prompts: Sequence[Prompt | Tokens],
        positions: Sequence[Sequence[int]] | None = None,
    ) -> NDArray[np.float32]:
        """Logits after given tokens; without `positions` a prompt too long is cut from the left."""
        from nshot.models.hf.next_logits import next_logits

        with self._answering() as live:
            if positions is None:
                tokens = self._fitting(prompts, live.prefix.length)
                return next_logits(live.module, tokens, [[-1]] * len(tokens), live.prefix)
            tokens = self._encoded(prompts)
            self._require_positions(tokens, positions, live.prefix.length)
            return next_logits(live.module, tokens, positions, live.prefix)

    def _require_writing(self) -> None:
        if "generate" not in self.facts.can:
            raise CannotAdapt(f"no texts from {self._ref.name}: it is no pure attention model")

    def _require_layers(self, layers: Sequence[int]) -> None:
        depth = self.facts.layers
        if wrong := [k for k in layers if not 1 <= k <= depth]:
            raise InputError(f"no layer {wrong[0]}: {self._ref.name} has layers 1 to {depth}")

    def _require_positions(
        self, prompts: Sequence[Tokens], positions: Sequence[Sequence[int]], reserved: int
    ) -> None:
        room = self._base.context - reserved
        if longer := [len(tokens) for tokens in prompts if len(tokens) > room]:
            raise CannotAdapt(f"no logits at positions of {longer[0]} tokens: {room} can be read")
        for tokens, some in zip(prompts, positions, strict=True):
            if wrong := [at for at in some if not -len(tokens) <= at < len(tokens)]:
                raise InputError(f"no position {wrong[0]}: the prompt has {len(tokens)} tokens")

    def hidden(self, prompts: Sequence[Prompt], layers: Sequence[int]) -> Hidden:
        """Hidden states after the given blocks; the last one's have passed the final norm.

        A chat that ends in the assistant's turn is read through the end of that turn.
        """
        from nshot.models.hf.hidden import hidden

        self._require_layers(layers)
        with self._answering() as live:
            whole = encode_whole(self._base.tokenizer, prompts)
            tokens = self._fitting(whole, live.prefix.length)
            last, mean = hidden(live.module, tokens, live.prefix, layers)
        return Hidden(last, mean, tuple(map(len, tokens)))

    def _fitting(self, prompts: Sequence[Prompt | Tokens], reserved: int) -> list[tuple[int, ...]]:
        room, start = self._base.context - reserved, self._base.tokenizer.bos_token_id
        return [cut_left(tokens, room, start)[0] for tokens in self._encoded(prompts)]

    def _encoded(self, prompts: Sequence[Prompt | Tokens]) -> list[Tokens]:
        """Tokens as they are; prompts as the tokenizer reads them."""
        coded = iter(encode_prompts(self._base.tokenizer, [p for p in prompts if not is_tokens(p)]))
        return [prompt if is_tokens(prompt) else next(coded) for prompt in prompts]


def _before(live: Live, prefix: PrefixState | None) -> Any:
    """The one prefix: the view's own soft prompt, or the one given."""
    from nshot.models.hf.cache import as_prefix

    given = as_prefix(prefix)
    if given.length and live.prefix.length:
        raise CannotAdapt("this model has a soft prompt of its own: no second one can stand before")
    return given if given.length else live.prefix
