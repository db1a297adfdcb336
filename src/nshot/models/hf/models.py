"""Transformers models: one base in memory, any number of views on it.

A view is a `ModelRef`: the base with its deltas. What a view needs is put on the base when it is
asked, stays on until another view is asked, and is then taken off without a trace.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.core import machine
from nshot.core.errors import CannotAdapt, InputError, NshotError
from nshot.core.types import Delta, ModelRef, Prompt
from nshot.models import catalog
from nshot.models.base import (
    Ability,
    AnswerScores,
    Completion,
    Decoding,
    Encoder,
    Hidden,
    LanguageModel,
    Lent,
    ModelFacts,
    Models,
    PictureEncoder,
    PrefixState,
)
from nshot.models.hf.tokens import encode_prompts, rows

_CAN: frozenset[Ability] = frozenset(
    {"score", "generate", "hidden", "logits", "train", "constrain"}
)


_TUNED = 4
"""Tuned encoders in memory, the last ones opened: each is whole, and a search makes many."""


@dataclass(frozen=True)
class Live:
    """A base that is ready to answer for a view: `prefix` is the soft prompt before all else."""

    module: Any
    prefix: Any
    kind: tuple[str, ...]


class Base:
    """One model in memory, and what is on it now."""

    def __init__(self, ref: ModelRef) -> None:
        from nshot.models.hf import quantised

        self.ref = ref
        self.lock = threading.RLock()
        self.lent = False
        self.agreed: dict[tuple[str, ...], bool] = {}
        self._mounted: tuple[tuple[Delta, int], ...] = ()
        self._bare: Any = None
        self._live: Live | None = None
        self._load()
        self.shapes = {name: tuple(p.shape) for name, p in self.module.named_parameters()}
        self.parameters: int = sum(quantised.weights(p) for p in self.module.parameters())

    def _load(self) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        from nshot.models.hf import quantised
        from nshot.models.hf.mount import checksums

        logging.disable_progress_bar()  # a display of our own shows what runs
        quantised.quiet()
        folder = catalog.locate(self.ref)
        dtype, device, quant = getattr(torch, machine.dtype()), machine.device(), self.ref.quant
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        packed = {} if quant is None else quantised.options(quant, dtype, device)
        module = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, **options, **packed
        )
        quantised.keep_layout(module)
        self.module = module.to(device).eval().requires_grad_(False)
        self.tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        self._sums = checksums(self.module)
        self._live = None

    @contextmanager
    def answering(self, deltas: tuple[Delta, ...]) -> Iterator[Live]:
        """The base with `deltas` on, for as long as the block runs."""
        with self.lock:
            if self.lent:
                raise NshotError(f"{self.ref.name} is lent for training: ask it when it is back")
            wanted = tuple((delta, written(delta)) for delta in deltas)
            if self._live is None or self._mounted != wanted:
                self.strip()
                self._live = self._mount(deltas)
                self._mounted = wanted
            yield self._live

    def _mount(self, deltas: tuple[Delta, ...]) -> Live:
        from nshot.models.hf.cache import NOTHING
        from nshot.models.hf.mount import Bare, put_on, soft_prefix

        kind = str(self.module.config.model_type)
        if not deltas:
            return Live(self.module, NOTHING, (kind,))
        self._bare = Bare(self.module, sums=self._sums)
        try:
            on = put_on(self.module, deltas)
            prefix = soft_prefix(on)
        except BaseException:
            self.strip()
            raise
        return Live(self.module, prefix, (kind, type(getattr(on, "base_model", on)).__name__))

    def strip(self) -> None:
        """Take off whatever is on: the base as it was loaded."""
        bare, self._bare, self._mounted, self._live = self._bare, None, (), None
        if bare is not None and not bare.put_back():
            self._load()

    @contextmanager
    def lend(self, free: Sequence[str]) -> Iterator[Lent]:
        """Lend the bare module; take it back as it was, whatever happened to it."""
        from nshot.models.hf.mount import Bare, matching

        with self.lock:
            if self.lent:
                raise NshotError(f"{self.ref.name} is lent for training already")
            self.strip()
            freed = matching(self.module, free)
            self._bare, self.lent = Bare(self.module, freed, self._sums), True
            try:
                yield self._lent(freed)
            finally:
                self.lent = False
                self.strip()

    def _lent(self, freed: tuple[str, ...]) -> Lent:
        parameters = dict(self.module.named_parameters())
        for name in freed:
            parameters[name].requires_grad_(True)
        return Lent(self.ref, self.module, self.tokenizer, str(self.module.device), freed)

    @property
    def context(self) -> int:
        """Longest sequence in tokens."""
        text = self.module.config.get_text_config()
        return int(getattr(text, "max_position_embeddings", None) or 2048)

    @property
    def bytes(self) -> int:
        """Bytes of its weights."""
        from nshot.models.hf import quantised

        with self.lock:
            parts = [t for p in self.module.parameters() for t in quantised.tensors(p)]
            return sum(t.numel() * t.element_size() for t in parts)


def written(delta: Delta) -> int:
    """When a delta's files were last written: a folder written anew is another delta."""
    files = Path(delta.folder).glob("*.safetensors")
    return max((file.stat().st_mtime_ns for file in files), default=0)


class HFModels(Models):
    """`Models` on transformers: one base per name and quantisation, on the machine's device."""

    def __init__(self) -> None:
        self._bases: dict[ModelRef, Base] = {}
        self._encoders: dict[ModelRef, Encoder] = {}
        self._pictures: dict[ModelRef, PictureEncoder] = {}

    def _base(self, ref: ModelRef) -> Base:
        if ref.base not in self._bases:
            self._bases[ref.base] = Base(ref.base)
        return self._bases[ref.base]

    def open(self, ref: ModelRef) -> LanguageModel:
        """A language model, with the ref's deltas applied whenever it answers."""
        return HFLanguageModel(ref, self._base(ref))

    def encoder(self, ref: ModelRef) -> Encoder:
        """A sentence encoder."""
        from nshot.models.hf.encoder import SentenceEncoder

        if ref not in self._encoders:
            tuned = [known for known in self._encoders if known.deltas]
            for old in tuned[: max(0, len(tuned) + 1 - _TUNED)] if ref.deltas else ():
                del self._encoders[old]
            self._encoders[ref] = SentenceEncoder(ref)
        return self._encoders[ref]

    def pictures(self, ref: ModelRef) -> PictureEncoder:
        """A frozen image network."""
        from nshot.models.hf.vision import VisionEncoder

        if ref not in self._pictures:
            self._pictures[ref] = VisionEncoder(ref)
        return self._pictures[ref]

    @contextmanager
    def lend(self, ref: ModelRef, *, free: Sequence[str] = ()) -> Iterator[Lent]:
        """Lend the base of `ref` for training and take it back unchanged.

        Views on it cannot be asked meanwhile. Raises `InputError` for a pattern that matches no
        parameter, and for a ref with deltas: these are not part of the base.
        """
        if ref.deltas:
            raise InputError(f"training starts from a base: {ref.name} was given with deltas")
        with self._base(ref).lend(free) as lent:
            yield lent

    def fingerprint(self, ref: ModelRef) -> str:
        """SHA-256 over the base's parameters as they are in memory now."""
        from nshot.models.hf.mount import fingerprint

        base = self._base(ref)
        with base.lock:
            if not base.lent:
                base.strip()
            return fingerprint(base.module)

    def resident_bytes(self) -> dict[str, int]:
        """Bytes of weights in memory by model name; ``name:nf4`` for the quantised form."""
        held = {base.ref.form: base.bytes for base in self._bases.values()}
        for ref, encoder in (*self._encoders.items(), *self._pictures.items()):
            held[ref.name] = int(getattr(encoder, "bytes", 0))
        return held


class HFLanguageModel(LanguageModel):
    """A view on a base: answers with its deltas on."""

    def __init__(self, ref: ModelRef, base: Base) -> None:
        self._ref = ref
        self._base = base

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
        return [len(tokens) for tokens in encode_prompts(self._base.tokenizer, prompts)]

    def logprobs(
        self,
        prompts: Sequence[Prompt],
        answers: Sequence[Sequence[str]],
        prefix: PrefixState | None = None,
    ) -> list[AnswerScores]:
        """Log-likelihood of each of a prompt's answers (see `nshot.models.hf.score`)."""
        from nshot.models.hf.score import agrees, score

        with self._base.answering(self._ref.deltas) as live:
            before = _before(live, prefix)
            limit = self._base.context - before.length
            asked = rows(self._base.tokenizer, prompts, answers, limit)
            scored = [row for row in asked if row.answers]
            if live.kind not in self._base.agreed and scored:
                self._base.agreed[live.kind] = agrees(live.module, scored, before)
            packed = self._base.agreed.get(live.kind, False)
            sums = score(live.module, asked, before, packed)
        return [AnswerScores(s, row.tokens_in, row.cut) for s, row in zip(sums, asked, strict=True)]

    def generate(self, prompts: Sequence[Prompt], how: Decoding) -> list[Completion]:
        """A continuation of each prompt; a prompt too long for the context is cut from the left."""
        from nshot.models.hf.generate import generate

        if "generate" not in self.facts.can:
            raise CannotAdapt(f"no texts from {self._ref.name}: it is no pure attention model")
        with self._base.answering(self._ref.deltas) as live:
            tokens = self._fitting(prompts, how.max_tokens + live.prefix.length)
            return generate(live.module, self._base.tokenizer, tokens, live.prefix, how)

    def hidden(self, prompts: Sequence[Prompt], layers: Sequence[int]) -> Hidden:
        """Hidden states after the given blocks; the last one's have passed the final norm."""
        from nshot.models.hf.hidden import hidden

        depth = self.facts.layers
        if wrong := [k for k in layers if not 1 <= k <= depth]:
            raise InputError(f"no layer {wrong[0]}: {self._ref.name} has layers 1 to {depth}")
        with self._base.answering(self._ref.deltas) as live:
            tokens = self._fitting(prompts, live.prefix.length)
            last, mean = hidden(live.module, tokens, live.prefix, layers)
        return Hidden(last, mean, tuple(map(len, tokens)))

    def _fitting(self, prompts: Sequence[Prompt], reserved: int) -> list[tuple[int, ...]]:
        from nshot.models.hf.tokens import cut_left

        tokenizer, room = self._base.tokenizer, self._base.context - reserved
        coded = encode_prompts(tokenizer, prompts)
        return [cut_left(tokens, room, tokenizer.bos_token_id)[0] for tokens in coded]


def _before(live: Live, prefix: PrefixState | None) -> Any:
    """The one prefix: the view's own soft prompt, or the one given."""
    from nshot.models.hf.cache import as_prefix

    given = as_prefix(prefix)
    if given.length and live.prefix.length:
        raise CannotAdapt("this model has a soft prompt of its own: no second one can stand before")
    return given if given.length else live.prefix
