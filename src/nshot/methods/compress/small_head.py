"""A head in 8 bits, and the sentence encoder under it as a GGUF file.

Tim Dettmers, Mike Lewis, Younes Belkada, Luke Zettlemoyer, "LLM.int8(): 8-bit Matrix Multiplication
for Transformers at Scale", 2022, https://arxiv.org/abs/2208.07339, section 2.1: whole numbers with
one scale a vector.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nshot.core.errors import CannotAdapt, InputError
from nshot.core.files import content_hash, folder_bytes
from nshot.core.types import Delta, ModelRef
from nshot.methods.contract import Workbench
from nshot.models.base import LendsCopy
from nshot.models.hf.quantised import Packing
from nshot.models.llamacpp.write_gguf import Bits
from nshot.predictors.base import Predictor
from nshot.predictors.eight_bits import InEightBits
from nshot.predictors.features import Encoded


def small_head(predictor: InEightBits, bits: Bits | Packing, bench: Workbench) -> Predictor:
    """The predictor with fewer bits; ``int8`` is the head alone, ``F16`` the encoder alone.

    The head stays what was fitted on the vectors of the encoder as it was. Raises `CannotAdapt`
    where it reads no sentence encoder that can be written.
    """
    if bits == "int8":
        bench.note("the head in 8 bits, a scale a vector; what it reads is as it was")
        return predictor.in_eight_bits()
    if bits == "nf4":
        raise CannotAdapt("nf4 packs language models: quantise.bits=int8 keeps a head in 8 bits")
    source = predictor.source
    if not isinstance(source, Encoded):
        raise CannotAdapt(
            "reads no sentence encoder that could become a GGUF file: quantise.bits=int8 keeps its"
            " head in 8 bits"
        )
    inside: Any = predictor if bits == "F16" else predictor.in_eight_bits()
    head: Predictor = replace(
        inside, source=Encoded(bench.models, _written(source.ref, bits, bench))
    )
    return head


def _written(ref: ModelRef, bits: Bits, bench: Workbench) -> ModelRef:
    """The encoder in its folder."""
    from nshot.models.llamacpp.write_encoder import write_encoder

    folder = bench.folder / "gguf"
    bench.progress(0, 1, "writing the GGUF file")
    try:
        encoder = bench.models.encoder(ref)
        if not isinstance(encoder, LendsCopy):
            raise CannotAdapt(f"{ref.name} has no weights here that could be written")
        module = encoder.lend().module
        write_encoder(module, bits, folder)
    except InputError as error:
        raise CannotAdapt(str(error)) from error
    size, before = folder_bytes(folder), 4 * sum(p.numel() for p in module.parameters())
    bench.note(f"{size / 1e6:.0f} MB as {bits}, {before / 1e6:.0f} MB in float32")
    delta = Delta("gguf", str(folder), content_hash(folder))
    return ModelRef("llamacpp", ref.name, ref.revision, bits, (delta,))
