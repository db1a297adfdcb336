"""Rows of one base, each asked under the deltas of its own ref, in passes that they share."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, TypeVar

from numpy.typing import NDArray

from nshot.core.errors import CannotAdapt
from nshot.core.types import Delta, ModelRef, Prompt
from nshot.models.base import (
    AnswerScores,
    Completion,
    Decoding,
    Hidden,
    ModelFacts,
    PrefixState,
    Tokens,
)
from nshot.models.hf.language_model import HFLanguageModel
from nshot.models.hf.tokens import encode_whole, rows

if TYPE_CHECKING:
    import numpy as np

    from nshot.models.hf.resident import Resident

T = TypeVar("T")


class HFRows(HFLanguageModel):
    """Is asked ``len(refs)`` prompts at a time, and answers prompt i as ``refs[i]`` does.

    All refs are of one base and such that `nshot.models.hf.resident.Resident.mixes`.
    """

    def __init__(self, refs: Sequence[ModelRef], base: Resident) -> None:
        super().__init__(refs[0].base, base)
        self._views: tuple[tuple[Delta, ...], ...] = tuple(dict.fromkeys(r.deltas for r in refs))
        self._slots = [self._views.index(ref.deltas) for ref in refs]

    @property
    def facts(self) -> ModelFacts:
        """Of the base; single tokens' logits, texts as they grow and training are a view's."""
        facts = super().facts
        return facts._replace(can=facts.can & {"score", "generate", "hidden", "constrain"})

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        """Log-likelihood of each of a prompt's answers (see `nshot.models.hf.score`)."""
        from nshot.models.hf.score import score

        if prefix is not None:
            raise CannotAdapt("no prefix can stand before rows of several views")
        tokenizer, room = self._base.tokenizer, self._base.context
        with self._base.side_by_side(self._views) as live:
            batch = self._by_view(
                lambda slot, mine: rows(
                    tokenizer,
                    [prompts[i] for i in mine],
                    [answers[i] for i in mine],
                    room - live.prefix.of(slot).length,
                )
            )
            sums = score(live.module, batch, live.prefix, True, self._slots)
        return [AnswerScores(s, row.tokens_in, row.cut) for s, row in zip(sums, batch, strict=True)]

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt; a prompt too long for the context is cut from the left."""
        from nshot.models.hf.generate import generate

        self._require_writing()
        with self._base.side_by_side(self._views) as live:
            tokens = self._by_view(
                lambda slot, mine: self._fitting(
                    [prompts[i] for i in mine], how.max_tokens + live.prefix.of(slot).length
                )
            )
            return generate(
                live.module, self._base.tokenizer, tokens, live.prefix, how, self._slots
            )

    def hidden(self, prompts: Sequence[Prompt], layers: Sequence[int]) -> Hidden:
        """Hidden states after the given blocks; see `HFLanguageModel.hidden`."""
        from nshot.models.hf.hidden import hidden

        self._require_layers(layers)
        with self._base.side_by_side(self._views) as live:
            whole = encode_whole(self._base.tokenizer, prompts)
            tokens = self._by_view(
                lambda slot, mine: self._fitting(
                    [whole[i] for i in mine], live.prefix.of(slot).length
                )
            )
            last, mean = hidden(live.module, tokens, live.prefix, layers, self._slots)
        return Hidden(last, mean, tuple(map(len, tokens)))

    def next_logits(
        self,
        prompts: Sequence[Prompt | Tokens],
        positions: Sequence[Sequence[int]] | None = None,
    ) -> NDArray[np.float32]:
        """Raises `CannotAdapt`: ask each view."""
        raise self._unable("gives no logits of rows of several views")

    def stream(self, prompt: Prompt, how: Decoding) -> Generator[str, None, Completion]:
        """Raises `CannotAdapt`: ask the view."""
        raise self._unable("streams no text of one of several views")

    def _by_view(self, work: Callable[[int, Sequence[int]], Sequence[T]]) -> list[T]:
        """What `work` makes of a view and its rows, in the order of the rows."""
        made: dict[int, T] = {}
        for slot in range(len(self._views)):
            mine = [i for i, one in enumerate(self._slots) if one == slot]
            made |= zip(mine, work(slot, mine), strict=True)
        return [made[i] for i in range(len(self._slots))]
