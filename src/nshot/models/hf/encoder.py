"""Sentence encoders by sentence-transformers."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nshot.core import machine
from nshot.core.types import ModelRef
from nshot.models import catalog
from nshot.models.base import Layer, Lent, TokenVectors

BATCH = 32
"""Texts encoded at once, of one length."""


def prompt_of(module: Any) -> str:
    """What a sentence-transformers model reads before every text; mostly nothing."""
    return module.prompts.get(module.default_prompt_name) or ""


def lengths(module: Any, texts: Sequence[str]) -> list[int]:
    """Tokens of each text behind the prompt, the ends included, as if the model read all."""
    prompted = [prompt_of(module) + text for text in texts]
    return [len(ids) for ids in module.tokenizer(prompted, verbose=False)["input_ids"]]


class SentenceEncoder:
    """A frozen sentence encoder, on this machine's device, in float32.

    A ref with a delta is an encoder tuned from another: its folder is whole, and is opened alone.
    """

    def __init__(self, ref: ModelRef) -> None:
        from sentence_transformers import SentenceTransformer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        logging.getLogger("sentence_transformers").setLevel(logging.ERROR)  # it tells of prompts
        self._ref = ref
        self._lock = threading.Lock()  # its tokenizer is set to cut, and back, by each call
        folder = Path(ref.deltas[-1].folder) if ref.deltas else catalog.locate(ref)
        try:
            self._model = SentenceTransformer(
                str(folder),
                device=machine.device(),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            ).eval()
        except (OSError, ValueError, KeyError) as error:
            raise catalog.unreadable(folder, error) from error

    @property
    def ref(self) -> ModelRef:
        """What this is."""
        return self._ref

    @property
    def bytes(self) -> int:
        """Bytes of its weights."""
        return sum(p.numel() * p.element_size() for p in self._model.parameters())

    def lend(self) -> Lent:
        """A copy to train: see `nshot.models.base.LendsCopy`."""
        with self._lock:  # how it attends is set, and set back, while texts are read
            module = copy.deepcopy(self._model)
        module.requires_grad_(True)
        return Lent(self._ref, module, module.tokenizer, str(module.device))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, width), unit length rows.

        Nothing is padded: on one thread a text's vector is the same bytes whatever it is asked
        with, and no time goes into tokens that are none. A BERT reads texts of all lengths at once
        (`nshot.models.hf.packed`), any other encoder those of one length.
        """
        from nshot.models.hf import packed

        if packed.packs(self._model):
            with self._lock:
                return packed.encode(self._model, texts, prompt_of(self._model))
        return self._by_length(texts)

    def _by_length(self, texts: Sequence[str]) -> NDArray[np.float32]:
        width = int(self._model.get_embedding_dimension() or 0)
        vectors = np.zeros((len(texts), width), np.float32)
        counts = np.array(self.count(texts))
        for length in np.unique(counts):
            places = np.flatnonzero(counts == length).tolist()
            vectors[places] = self._encoded([texts[place] for place in places])
        return vectors

    def _encoded(self, texts: list[str]) -> NDArray[np.float32]:
        with self._lock:
            vectors = self._model.encode(
                texts, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(vectors, np.float32)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens read of each text, the prompt among them, after cutting at the encoder's limit."""
        if not texts:
            return []
        with self._lock:
            counts = lengths(self._model, texts)
        limit = self._model.max_seq_length or max(counts)
        return [min(count, limit) for count in counts]

    def tokens(self, texts: Sequence[str], layer: Layer) -> list[TokenVectors]:
        """See `nshot.models.base.ReadsTokens`; the texts one by one."""
        return [self._all_tokens(text, layer) for text in texts]

    def _all_tokens(self, text: str, layer: Layer) -> TokenVectors:
        read = [(at, self._some_tokens(part, layer)) for at, part in self._parts(text)]
        return TokenVectors(
            np.concatenate([one.vectors for _, one in read]),
            np.concatenate([one.starts + at for at, one in read]),
            np.concatenate([one.ends + at for at, one in read]),
        )

    def _parts(self, text: str, at: int = 0) -> list[tuple[int, str]]:
        """Parts of a text that fit into the encoder, and where they begin; cut between words."""
        limit = self._model.max_seq_length
        with self._lock:
            (count,) = lengths(self._model, [text])
        if not limit or count <= limit or len(text) < 2:
            return [(at, text)]
        middle = len(text) // 2
        space = text.rfind(" ", 0, middle + 1)
        cut = space if space > 0 else middle
        return [*self._parts(text[:cut], at), *self._parts(text[cut:], at + cut)]

    def _some_tokens(self, text: str, layer: Layer) -> TokenVectors:
        import torch

        prompt, transformer = prompt_of(self._model), self._model[0].auto_model
        with self._lock, torch.inference_mode():
            coded = self._model.tokenizer(
                prompt + text, return_offsets_mapping=True, return_tensors="pt"
            )
            places = coded.pop("offset_mapping")[0].numpy().astype(np.int64) - len(prompt)
            coded = {name: ids.to(transformer.device) for name, ids in coded.items()}
            states = transformer(**coded, output_hidden_states=True).hidden_states
        state = states[-1] if layer == "last" else states[len(states) // 2]
        vectors = state[0].float().cpu().numpy()
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        starts, ends = np.maximum(places[:, 0], 0), places[:, 1]
        own = ends > starts  # not what marks the ends, nor the prompt's
        return TokenVectors((vectors / np.maximum(norms, 1e-12))[own], starts[own], ends[own])
