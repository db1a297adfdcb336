"""A quantised sentence encoder, asked through llama.cpp a text at a time."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.types import ModelRef
from nshot.models.llamacpp.llama_api import library, load
from nshot.models.llamacpp.llama_context import LlamaContext
from nshot.models.llamacpp.write_encoder import FACTS, WEIGHTS, WORDS


class GgufEncoder:
    """The encoder in a folder that `write_encoder` has written."""

    def __init__(self, ref: ModelRef, folder: Path) -> None:
        from tokenizers import Tokenizer

        for name in (WEIGHTS, WORDS, FACTS):
            if not (folder / name).is_file():
                do = "copy the whole folder again"
                raise InputError(Fault(f"no {name}", "a quantised encoder", do, str(folder)))
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        self._ref, self._prompt, self._width = ref, str(facts["prompt"]), int(facts["width"])
        self._words = Tokenizer.from_file(str(folder / WORDS))
        self._words.no_padding()
        self._words.enable_truncation(int(facts["limit"]))
        self._lib = library()
        self._model = load(folder / WEIGHTS)
        self._turn = threading.Lock()
        limit = int(facts["limit"])
        words = self._words.get_vocab_size()
        self._memory = LlamaContext(self._model, folder / WEIGHTS, words, limit, vectors=True)

    def __del__(self) -> None:
        if getattr(self, "_memory", None) is not None:
            self._memory.close()
        if getattr(self, "_model", 0):
            self._lib.llama_model_free(self._model)

    @property
    def ref(self) -> ModelRef:
        """What this is."""
        return self._ref

    @property
    def bytes(self) -> int:
        """Bytes of its weights."""
        return int(self._lib.llama_model_size(self._model))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, width), unit length rows."""
        rows = np.zeros((len(texts), self._width), np.float32)
        for row, coded in zip(rows, self._coded(texts), strict=True):
            with self._turn:
                row[:] = self._memory.vector(coded, self._width)
        return rows

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens read of each text, the prompt among them, after cutting at the limit."""
        return [len(coded) for coded in self._coded(texts)]

    def _coded(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        prompted = [self._prompt + text for text in texts]
        return [tuple(one.ids) for one in self._words.encode_batch_fast(prompted)]
