"""The engine on transformers: opens language models, sentence encoders and image networks."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from nshot.core.types import Delta, ModelRef
from nshot.models.base import (
    NO_ADAPTERS,
    Encoder,
    LanguageModel,
    LentModel,
    Models,
    PictureEncoder,
)
from nshot.models.hf.language_model import HFLanguageModel
from nshot.models.hf.resident import TAKEN_APART, Resident
from nshot.models.hf.rows_model import HFRows
from nshot.models.wrap.rows import Rows

_TUNED = 4
"""Tuned encoders in memory, the last ones opened: each is whole, and a search makes many."""
_WHOLE = 2
"""Whole models among the deltas that stay in memory, the last ones opened."""


class HFModels(Models):
    """`Models` on transformers: one base per name and quantisation, on the machine's device."""

    def __init__(self) -> None:
        self._residents: dict[ModelRef, Resident] = {}
        self._encoders: dict[ModelRef, Encoder] = {}
        self._pictures: dict[ModelRef, PictureEncoder] = {}
        self._whole: list[ModelRef] = []
        self._opening = threading.Lock()

    def _resident(self, ref: ModelRef) -> Resident:
        base = ref.effective.base
        with self._opening:
            if base not in self._residents:
                if base != ref.base:
                    for old in self._whole[: max(0, len(self._whole) + 1 - _WHOLE)]:
                        del self._residents[old]
                        self._whole.remove(old)
                    self._whole.append(base)
                self._residents[base] = Resident(base)
            return self._residents[base]

    def open(self, ref: ModelRef) -> LanguageModel:
        """A language model, with the ref's deltas applied whenever it answers."""
        return HFLanguageModel(ref.effective, self._resident(ref))

    def open_rows(self, refs: Sequence[ModelRef]) -> LanguageModel:
        """As `nshot.models.base.Models.open_rows`: in one pass what can be, the rest by ref."""
        resident, different = self._resident(refs[0]), list(dict.fromkeys(refs))
        if len(different) == 1:
            return self.open(refs[0])
        own = [ref for ref in different if ref.effective.base == refs[0].effective.base]
        mixed = {ref for ref in own[:TAKEN_APART] if resident.mixes(ref.effective.deltas)}
        if len(mixed) < 2:
            return super().open_rows(refs)
        places = tuple(i for i, ref in enumerate(refs) if ref in mixed)
        together = HFRows([refs[i].effective for i in places], resident)
        if len(places) == len(refs):
            return together
        rest = [i for i, ref in enumerate(refs) if ref not in mixed]
        others = Rows.of(self.open, [refs[i] for i in rest])
        apart = ((model, tuple(rest[i] for i in mine)) for model, mine in others.parts)
        return Rows(((together, places), *apart))

    def encoder(self, ref: ModelRef) -> Encoder:
        """A sentence encoder."""
        from nshot.models.hf.encoder import SentenceEncoder

        with self._opening:
            if ref not in self._encoders:
                tuned = [one for one in self._encoders if one.deltas]
                for old in tuned[: max(0, len(tuned) + 1 - _TUNED)] if ref.deltas else ():
                    del self._encoders[old]
                self._encoders[ref] = SentenceEncoder(ref)
            return self._encoders[ref]

    def pictures(self, ref: ModelRef) -> PictureEncoder:
        """A frozen image network."""
        from nshot.models.hf.vision import VisionEncoder

        with self._opening:
            if ref not in self._pictures:
                self._pictures[ref] = VisionEncoder(ref)
            return self._pictures[ref]

    @contextmanager
    def lend(
        self,
        ref: ModelRef,
        *,
        free: Sequence[str] = (),
        adapters: Mapping[str, Delta] = NO_ADAPTERS,
    ) -> Iterator[LentModel]:
        """Lend the base of `ref` with its deltas on; see `nshot.models.base.Lends`."""
        from nshot.models.hf.lent_model import HFLent

        resident = self._resident(ref)
        with resident.away():
            yield HFLent(ref.effective, resident, free, adapters)

    def fingerprint(self, ref: ModelRef) -> str:
        """SHA-256 over the base's parameters as they are in memory now."""
        return self._resident(ref).fingerprint()

    def resident_bytes(self) -> dict[str, int]:
        """Bytes of weights in memory by model name; ``name:nf4`` for the quantised form."""
        held = {one.ref.form: one.bytes for one in self._residents.values()}
        for ref, encoder in (*self._encoders.items(), *self._pictures.items()):
            held[ref.name] = int(getattr(encoder, "bytes", 0))
        return held
