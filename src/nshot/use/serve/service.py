"""From a parsed request to its predictions: the cache in front, then the worker."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from nshot.core.types import Input, Prediction
from nshot.models.base import Encoder
from nshot.predictors.prompted import AS_IT_WOULD, Manner
from nshot.use.answers import Answers, key_of, listed_as
from nshot.use.serve.batcher import Ask, Batcher, Stream
from nshot.use.serve.counters import Counters
from nshot.use.serve.limits import Settings
from nshot.use.serve.shelf import Shelf
from nshot.use.wire.answerer import Answerer
from nshot.use.wire.refusal import Refusal
from nshot.use.wire.vectors import Vector, encoded

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Service:
    """What every route asks. `is_warm` says whether all folders have answered once."""

    settings: Settings
    shelf: Shelf
    counters: Counters
    batcher: Batcher
    answers: Answers | None = None
    is_warm: bool = False

    async def predict(
        self, answerer: Answerer, inputs: Sequence[Input], holder: str
    ) -> list[Prediction]:
        """What the folder answers; `holder` is whose kept answers may be given."""
        self._require_few(len(inputs))
        if self.answers is None:
            predictions = await self._computed(answerer, inputs)
        else:
            predictions = await self._kept(self.answers, answerer, inputs, holder)
        self._count(answerer, predictions)
        return answerer.held_back(predictions)

    async def write(
        self, answerer: Answerer, inputs: Sequence[Input], manner: Manner, holder: str
    ) -> list[Prediction]:
        """Texts in a client's manner; of what writes none, the folder's own answers."""
        if manner == AS_IT_WOULD or answerer.writer is None:
            return await self.predict(answerer, inputs, holder)
        self._require_few(len(inputs))
        ask: Ask[Input, Prediction] = Ask(
            ("write", answerer.name, answerer.fingerprint, manner),
            lambda rows: answerer.write(rows, manner),
            (lambda row: answerer.pieces(row, manner)) if answerer.writes_together else None,
        )
        predictions = await self.ask(ask, inputs)
        self._count(answerer, predictions)
        return predictions

    def stream(self, answerer: Answerer, input: Input, manner: Manner) -> Stream:
        """The text of `write` in pieces."""
        return self.batcher.stream(lambda: answerer.stream(input, manner))

    async def embed(self, encoder: Encoder, texts: Sequence[str]) -> list[Vector]:
        """A vector of unit length for each text."""
        self._require_few(len(texts))
        ask: Ask[str, Vector] = Ask(("embed", encoder.ref), partial(encoded, encoder))
        return await self.ask(ask, texts)

    async def run(
        self,
        answerer: Answerer,
        compute: Callable[[Sequence[Input]], Sequence[R]],
        inputs: Sequence[Input],
    ) -> list[R]:
        """What else is computed of a folder's inputs, by the worker."""
        return await self.ask(Ask((answerer.name, object()), compute), inputs)

    async def _computed(self, answerer: Answerer, inputs: Sequence[Input]) -> list[Prediction]:
        kind = "writes" if answerer.task.is_written else "scores"
        ask: Ask[tuple[str, Input], Prediction] = Ask(
            ("predict", answerer.base, kind),
            self.shelf.predict,
            (lambda row: answerer.pieces(row[1])) if answerer.writes_together else None,
        )
        return await self.ask(ask, [(answerer.name, one) for one in inputs])

    async def _kept(
        self, answers: Answers, answerer: Answerer, inputs: Sequence[Input], holder: str
    ) -> list[Prediction]:
        """Those that are kept, the others computed and kept."""
        shared = self.settings.cache == "shared"
        whose = answerer.fingerprint if shared else f"{answerer.fingerprint}:{holder}"
        fingerprint = hashlib.sha256(whose.encode()).hexdigest()
        keys = [key_of(fingerprint, one) for one in inputs]
        known = await asyncio.to_thread(answers.get, keys)
        missing = {key: one for key, one in zip(keys, inputs, strict=True) if key not in known}
        hits = sum(key in known for key in keys)
        self.counters.add("nshot_cache_hits_total", hits, model=answerer.name)
        if missing:
            computed = await self._computed(answerer, list(missing.values()))
            new = list(zip(missing, computed, strict=True))
            await asyncio.to_thread(answers.put, listed_as(answerer.place), new)
            known |= dict(new)
        return [known[key] for key in keys]

    async def ask(self, ask: Ask[T, R], rows: Sequence[T]) -> list[R]:
        """One result for each row, by the worker. Raises `Refusal` (429, 504)."""
        seconds = self.settings.limits.seconds
        try:
            return await self.batcher.ask(ask, rows, seconds)
        except TimeoutError:
            raise Refusal(504, f"no answer within {seconds:g} seconds") from None

    def _require_few(self, count: int) -> None:
        most = self.settings.limits.rows
        if count > most:
            raise Refusal(413, f"{count} inputs in one request: {most} at most")

    def count(self, answerer: Answerer, rows: int, tokens_in: int, tokens_out: int) -> None:
        """Count what was answered."""
        name = answerer.name
        self.counters.add("nshot_rows_total", rows, model=name)
        self.counters.add("nshot_tokens_total", tokens_in, model=name, direction="in")
        self.counters.add("nshot_tokens_total", tokens_out, model=name, direction="out")

    def _count(self, answerer: Answerer, predictions: Sequence[Prediction]) -> None:
        tokens_in = sum(one.tokens_in for one in predictions)
        tokens_out = sum(one.tokens_out for one in predictions)
        self.count(answerer, len(predictions), tokens_in, tokens_out)
