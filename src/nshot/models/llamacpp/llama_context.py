"""A context of llama.cpp: tokens go in by sequence and position, logits come out.

Tokens are read in pieces that begin at multiples of `PIECE`, so that what is computed of a prompt
does not depend on where the prompt before it went another way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core import machine
from nshot.core.errors import CannotAdapt
from nshot.models.base import Tokens
from nshot.models.hf.tokens import shared
from nshot.models.llamacpp.llama_api import Batch, address_of, library

PIECE = 64
"""Tokens of a prompt that are read at once: on a CPU more at once is not faster."""
OUTPUTS = 64
"""Logits of a pass, and sequences side by side, at most."""
_LEAST = 512
_CHUNK = 512

Logits: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class Fed:
    """A token to read: where it stands, in which sequences, and whether its logits are output."""

    token: int
    position: int
    sequences: tuple[int, ...] = (0,)
    output: bool = False


class LlamaContext:
    """Room for `positions` tokens of all sequences together, on an open model.

    With `vectors` it gives vectors of whole texts in place of logits, and reads a text at once.
    """

    def __init__(
        self, model: int, path: Path, vocabulary: int, positions: int, vectors: bool = False
    ) -> None:
        self._lib = library()
        self._vocabulary = vocabulary
        self.positions = max(_LEAST, 1 << (positions - 1).bit_length())
        params = self._lib.llama_context_default_params()
        params.n_ctx = self.positions
        params.n_batch = params.n_ubatch = min(_CHUNK, self.positions)
        if not vectors:
            params.n_seq_max = params.n_outputs_max = params.n_outputs_max_per_seq = OUTPUTS
        params.n_threads = params.n_threads_batch = machine.threads()
        params.kv_unified, params.embeddings = True, vectors
        self._address = address_of(lambda: self._lib.llama_init_from_model(model, params), path)
        self._memory = self._lib.llama_get_memory(self._address)
        self._path: Tokens = ()

    def close(self) -> None:
        """Give the memory back."""
        if self._address:
            self._lib.llama_free(self._address)
            self._address = 0

    def __del__(self) -> None:
        self.close()

    def clear(self) -> None:
        """Forget all sequences."""
        self._lib.llama_memory_clear(self._memory, False)
        self._path = ()

    def after(self, tokens: Tokens) -> Logits:
        """Logits (vocabulary,) after all of a prompt, which is then sequence 0.

        What it has in common with the prompt before it, in whole pieces, is not read again.
        """
        (logits,) = self.at(tokens, [len(tokens) - 1])
        return logits

    def at(self, tokens: Tokens, positions: Sequence[int]) -> list[Logits]:
        """As `after`, behind the token at each of the `positions`, in ascending order."""
        first = min([len(tokens) - 1, *positions])
        start = min(shared(self._path, tokens), first) // PIECE * PIECE
        self.forget(0, start)
        self._path = tokens
        shown, out = frozenset(positions), []
        for begin in range(start, len(tokens), PIECE):
            piece = tokens[begin : begin + PIECE]
            fed = [Fed(t, i, output=i in shown) for i, t in enumerate(piece, begin)]
            out += self.read(fed)
        return out

    def copy(self, sequence: int) -> None:
        """Let another sequence begin as sequence 0 is."""
        self._lib.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)

    def forget(self, sequence: int, start: int = 0) -> None:
        """Drop a sequence from a position on."""
        self._lib.llama_memory_seq_rm(self._memory, sequence, start, -1)

    def read(self, fed: Sequence[Fed]) -> list[Logits]:
        """Read tokens behind those that were read; logits after each one that is an output."""
        return [logits for some in _passes(fed) for logits in self._pass(some)]

    def vector(self, tokens: Tokens, width: int) -> NDArray[np.float32]:
        """What an encoder makes of one text of `tokens`, (width,) of unit length."""
        self.clear()
        self._decode([Fed(token, i, output=True) for i, token in enumerate(tokens)])
        row = self._lib.llama_get_embeddings_seq(self._address, 0)
        vector = np.ctypeslib.as_array(row, (width,)).copy()
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)

    def _pass(self, fed: Sequence[Fed]) -> list[Logits]:
        self._decode(fed)
        return [self._logits(at) for at, one in enumerate(fed) if one.output]

    def _decode(self, fed: Sequence[Fed]) -> None:
        token = np.array([one.token for one in fed], np.int32)
        position = np.array([one.position for one in fed], np.int32)
        count = np.array([len(one.sequences) for one in fed], np.int32)
        sequences = np.array([s for one in fed for s in one.sequences], np.int32)
        begin = np.concatenate([[0], count.cumsum()[:-1]]).astype(np.uint64)
        pointers = np.uint64(sequences.ctypes.data) + np.uint64(4) * begin
        output = np.array([one.output for one in fed], np.int8)
        batch = Batch(
            len(fed),
            token.ctypes.data,
            None,
            position.ctypes.data,
            count.ctypes.data,
            pointers.ctypes.data,
            output.ctypes.data,
        )
        if status := self._lib.llama_decode(self._address, batch):
            raise CannotAdapt(f"llama.cpp cannot read {len(fed)} tokens more (status {status})")

    def _logits(self, at: int) -> Logits:
        row = self._lib.llama_get_logits_ith(self._address, at)
        return np.ctypeslib.as_array(row, (self._vocabulary,)).copy()


def _passes(fed: Sequence[Fed]) -> Iterator[Sequence[Fed]]:
    """As many tokens and outputs at once as a context takes."""
    begin = outputs = 0
    for end, one in enumerate(fed):
        outputs += one.output
        if end - begin == _CHUNK or outputs > OUTPUTS:
            yield fed[begin:end]
            begin, outputs = end, int(one.output)
    if begin < len(fed):
        yield fed[begin:]
