"""Models whose encoders are asked for each text once a run, by whichever process comes first.

Every asker is charged what encoding the text took when it was done, so that a method costs the
same whether it came first or found all vectors there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nshot.core import machine
from nshot.core.errors import CannotAdapt
from nshot.core.types import ModelRef, digest
from nshot.models.base import (
    Encoder,
    Layer,
    LendsCopy,
    Lent,
    TokenVectors,
    token_reader,
)
from nshot.models.wrap.around import Around
from nshot.models.wrap.vector_files import VectorFiles, Vectors

WARM = "warm"
"""What an encoder reads first: the first call is slower than the others."""
_ENCODING, _COUNTING = 0, 1


class KeptEncoder:
    """An encoder that is opened where a text is asked for the first time in a run.

    `open` loads it; what loading takes is charged to nobody.
    """

    def __init__(self, ref: ModelRef, files: VectorFiles, open: Callable[[], Encoder]) -> None:
        self._ref, self._files, self._open = ref, files, open
        self.bytes = 0
        """Of its weights, whether or not they are in this process's memory."""

    @property
    def ref(self) -> ModelRef:
        """What this is."""
        return self._ref

    @cached_property
    def _encoder(self) -> Encoder:
        with machine.unmetered():
            encoder = self._open()
            encoder.encode([WARM])
        return encoder

    def lend(self) -> Lent:
        """See `nshot.models.base.LendsCopy`; `CannotAdapt` where there is nothing to train."""
        if not isinstance(self._encoder, LendsCopy):
            raise CannotAdapt(f"{self._ref.name} has no weights to train")
        return self._encoder.lend()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, width), unit length rows."""
        if not texts:
            return self._encoder.encode(texts)
        start = machine.cold_clock()
        while missing := self._files.missing(texts):
            self._encode_some(missing)
        kept = self._files.of(texts)
        self.bytes = int(kept.held[0])
        _charge(kept, _ENCODING, start)
        return kept.vectors

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens read of each text, after cutting at the encoder's limit."""
        if not texts or self._files.missing(texts):
            return self._encoder.count(texts)
        start = machine.cold_clock()
        kept = self._files.of(texts)
        _charge(kept, _COUNTING, start)
        return [int(count) for count in kept.tokens]

    def tokens(self, texts: Sequence[str], layer: Layer) -> list[TokenVectors]:
        """See `nshot.models.base.ReadsTokens`; worked out every time, being many times as large."""
        return token_reader(self._encoder).tokens(texts, layer)

    def _encode_some(self, missing: Sequence[str]) -> None:
        """Encode what no other process is encoding, or wait for one of these."""
        encoder = self._encoder
        with self._files.claimed(missing) as mine:
            if mine:
                self._files.add(mine, _made(encoder, mine))


def _made(encoder: Encoder, texts: Sequence[str]) -> Vectors:
    """The vectors; the seconds are parted among the texts by their tokens."""
    start = machine.cold_clock()
    tokens = np.array(encoder.count(texts), np.int64)
    middle = machine.cold_clock()
    vectors = encoder.encode(texts)
    end = machine.cold_clock()
    shares = tokens / tokens.sum() if tokens.sum() else np.full(len(tokens), 1 / len(tokens))
    seconds = np.empty((len(tokens), 2))
    seconds[:, _ENCODING], seconds[:, _COUNTING] = (
        shares * (end - middle),
        shares * (middle - start),
    )
    held = np.array([getattr(encoder, "bytes", 0)], np.int64)
    return Vectors(vectors, tokens, seconds, held)


def _charge(kept: Vectors, what: int, start: float) -> None:
    """Let clocks and meters stand as if the work had been done since `start`, and nothing else."""
    machine.saved(float(kept.seconds[:, what].sum()) - (machine.cold_clock() - start))


@dataclass(frozen=True)
class KeptVectors(Around):
    """`Models` whose encoders' vectors are kept in `folder`.

    `context` stands for what the bytes depend on beside model and text: device, threads, packages.
    An encoder that was tuned is asked as it is: it has readers only where it was made.
    """

    folder: Path
    context: str = ""
    _encoders: dict[ModelRef, KeptEncoder] = field(default_factory=dict)

    def encoder(self, ref: ModelRef) -> Encoder:
        """A sentence encoder."""
        if ref.deltas:
            return self.models.encoder(ref)
        if ref not in self._encoders:
            files = VectorFiles(self.folder / digest(repr(ref), self.context))
            self._encoders[ref] = KeptEncoder(ref, files, lambda: self.models.encoder(ref))
        return self._encoders[ref]

    def resident_bytes(self) -> dict[str, int]:
        """Bytes of weights by model name, as if those of the encoders were in memory."""
        held = {ref.name: encoder.bytes for ref, encoder in self._encoders.items()}
        return {**held, **self.models.resident_bytes()}
