"""A language model of the Llama family as one GGUF file, in 16 bits or in blocks of 8, 5 or 4.

Blocks are 32 weights of a row with one float16 scale: Q8_0 holds round(w / scale) in 8 bits, Q5_0
and Q4_0 in 5 and 4. The quantiser is that of the package gguf, in numpy.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.files import replacing
from nshot.core.types import ModelRef
from nshot.models.catalog import locate
from nshot.models.hf.merged import unmergeable
from nshot.models.llamacpp.gguf_tokenizer import GgufTokenizer, gguf_tokenizer

Bits: TypeAlias = Literal["F16", "Q8_0", "Q5_0", "Q4_0"]
GridBits: TypeAlias = Literal["Q8_0", "Q5_0", "Q4_0"]
"""Those that round weights to a few levels a block; see `nshot.models.llamacpp.grid`."""
BITS: tuple[Bits, ...] = get_args(Bits)
Kinds: TypeAlias = Mapping[str, GridBits]
"""What single matrices are kept in, by their names in the transformers model."""
ALIKE: Kinds = MappingProxyType({})
BLOCK = 32
_WHOLE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_IN_BLOCK = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)\.weight")
_EMBEDDINGS = ("token_embd.weight", "output.weight")
_BLOCK_BYTES: dict[GridBits, int] = {"Q8_0": 34, "Q5_0": 22, "Q4_0": 18}


def write_gguf(
    module: Any, tokenizer: Any, bits: Bits, path: Path, name: str, kinds: Kinds = ALIKE
) -> None:
    """Write a transformers causal language model and its tokenizer to `path`, whole or not at all.

    A tied embedding is written once. It, and an output layer, take 8 bits where the rest takes
    fewer: they meet every token. Norms stay in float32. `kinds` are matrices that are kept in
    other bits than `bits`. Raises `InputError` for another family than Llama, for what llama.cpp
    would compute otherwise, and for rows that are no whole blocks; `DiskFull` where the disk has no
    room.
    """
    import gguf

    words = _words(module, tokenizer, bits)
    with replacing(path) as draft:
        writer = _begun(module.config, tokenizer, words, bits, draft, name)
        for tensor, kind, values in _kept(module, bits, kinds):
            numbers = gguf.quants.quantize(values, kind)
            writer.add_tensor(tensor, numbers, raw_dtype=kind)
        finish(writer, draft)


def file_bytes(module: Any, tokenizer: Any, bits: Bits, name: str) -> int:
    """How large a file `write_gguf` writes without `kinds`. Raises as it does."""
    import gguf

    words = _words(module, tokenizer, bits)
    with TemporaryDirectory() as folder:
        draft = Path(folder) / "header"
        writer = _begun(module.config, tokenizer, words, bits, draft, name)
        size = 0
        for tensor, kind, values in _kept(module, bits, ALIKE):
            shape = gguf.quant_shape_to_byte_shape(values.shape, kind)
            writer.add_tensor_info(tensor, shape, np.dtype(np.uint8), 0, raw_dtype=kind)
            size += _aligned(int(np.prod(shape)))
        finish(writer, draft, tensors=False)
        return _aligned(draft.stat().st_size) + size


def matrix_bytes(weights: int, bits: GridBits) -> int:
    """What a matrix of so many weights takes in a file."""
    return _aligned(weights // BLOCK * _BLOCK_BYTES[bits])


def matrices_of(module: Any) -> dict[str, str]:
    """The matrices inside the blocks: their names in the transformers model, and in the file."""
    named = {name: _file_name(name) for name, p in module.named_parameters() if p.ndim == 2}
    return {name: tensor for name, tensor in named.items() if tensor.startswith("blk.")}


def _aligned(size: int) -> int:
    import gguf

    return int(gguf.GGUFWriter.ggml_pad(size, gguf.GGUF_DEFAULT_ALIGNMENT))


def _words(module: Any, tokenizer: Any, bits: Bits) -> GgufTokenizer:
    """The tokenizer as the file holds it; `InputError` for what no file can hold."""
    if faults := [*foreign(module.config), *_uneven(module, bits)]:
        raise InputError(faults)
    return gguf_tokenizer(tokenizer, int(module.config.vocab_size))


def _begun(
    config: Any, tokenizer: Any, words: GgufTokenizer, bits: Bits, draft: Path, name: str
) -> Any:
    """A `gguf.GGUFWriter` that knows all but the tensors."""
    import gguf

    writer = gguf.GGUFWriter(draft, "llama")
    _describe(writer, config, bits, name)
    _add_tokenizer(writer, words, tokenizer)
    return writer


def _kept(module: Any, bits: Bits, kinds: Kinds) -> Iterator[tuple[str, Any, NDArray[np.float32]]]:
    """The file's name of each weight, its type there, and its float32 values."""
    import gguf

    for name, values in _tensors(module):
        tensor = _file_name(name)
        kind = kinds.get(name) or _kind_of(tensor, values, bits)
        yield tensor, getattr(gguf.GGMLQuantizationType, kind), values


def finish(writer: Any, draft: Path, tensors: bool = True) -> None:
    """Write what a `gguf.GGUFWriter` was given; without `tensors` only what stands before them.

    numpy does not say that the last few kilobytes of a tensor had no room: the size is compared.
    Raises `OSError` where the file is shorter than what was written to it.
    """
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        if tensors:
            writer.write_tensors_to_file()
        else:
            writer.write_ti_data_to_file()
        size = writer.fout[0].tell()
    finally:
        writer.close()
    if draft.stat().st_size < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(draft))


def require_llama(ref: ModelRef) -> None:
    """Refuse a model that no GGUF of the Llama family can hold, before its weights are read."""
    from transformers import AutoConfig

    if fault := unmergeable(ref):
        raise InputError(fault)
    place = locate(ref.effective)
    if faults := foreign(AutoConfig.from_pretrained(place, local_files_only=True)):
        raise InputError(faults)


def foreign(config: Any) -> list[Fault]:
    """What of a model would be read otherwise by llama.cpp's code for Llama."""
    faults = []
    if config.model_type != "llama":
        return [Fault(f"a model of the family {config.model_type}", "llama: Llama, SmolLM")]
    if getattr(config, "quantization_config", None):
        do = "take the model that it was made of"
        return [Fault("weights that are packed already", "weights in 16 or 32 bits", do)]
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kind = rope.get("rope_type", "default")
    if kind != "default":
        faults.append(Fault(f"positions stretched by '{kind}'", "rope_type: default"))
    if getattr(config, "attention_bias", False) or getattr(config, "mlp_bias", False):
        faults.append(Fault("biases in attention or feed-forward", "none, as in Llama"))
    if config.hidden_act != "silu":
        faults.append(Fault(f"the activation {config.hidden_act}", "silu, as in Llama"))
    return faults


def _uneven(module: Any, bits: Bits) -> list[Fault]:
    """Rows of weights that are no whole blocks."""
    if bits == "F16":
        return []
    wide = {
        int(weight.shape[-1])
        for weight in module.state_dict().values()
        if weight.ndim == 2 and weight.shape[-1] % BLOCK
    }
    return [
        Fault(f"rows of {width} weights", f"a multiple of {BLOCK} for {bits}", "--bits F16")
        for width in sorted(wide)
    ]  # fmt: skip


def _tensors(module: Any) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The name and the float32 values of each weight, the tied one once, as llama.cpp reads it."""
    config = module.config
    heads, keys = int(config.num_attention_heads), int(config.num_key_value_heads)
    tied = bool(config.tie_word_embeddings)
    for name, weight in module.state_dict().items():
        if tied and name == "lm_head.weight":
            continue
        values = weight.detach().float().cpu().numpy()
        if ".self_attn.q_proj." in name or ".self_attn.k_proj." in name:
            values = _turned(values, heads if ".q_proj." in name else keys)
        yield name, values


def _file_name(name: str) -> str:
    """llama.cpp's name of a weight."""
    if (known := _WHOLE.get(name)) is not None:
        return known
    match = _LAYER.fullmatch(name)
    if match is None or match[2] not in _IN_BLOCK:
        raise InputError(Fault(f"a tensor '{name}'", "those of a Llama"))
    return f"blk.{match[1]}.{_IN_BLOCK[match[2]]}.weight"


def _turned(weight: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """The rows of queries or keys in llama.cpp's order.

    transformers turns the first half of a head with the second, llama.cpp neighbours.
    """
    half = weight.shape[0] // heads // 2
    split = weight.reshape(heads, 2, half, weight.shape[1])
    return np.ascontiguousarray(split.swapaxes(1, 2).reshape(weight.shape))


def _kind_of(tensor: str, values: NDArray[np.float32], bits: Bits) -> str:
    if values.ndim == 1:
        return "F32"
    return "Q8_0" if tensor in _EMBEDDINGS and bits in ("Q5_0", "Q4_0") else bits


def _describe(writer: Any, config: Any, bits: Bits, name: str) -> None:
    import gguf

    rope = getattr(config, "rope_parameters", None) or {}
    heads = int(config.num_attention_heads)
    width = int(getattr(config, "head_dim", None) or config.hidden_size // heads)
    writer.add_name(name)
    writer.add_context_length(int(config.max_position_embeddings))
    writer.add_embedding_length(int(config.hidden_size))
    writer.add_block_count(int(config.num_hidden_layers))
    writer.add_feed_forward_length(int(config.intermediate_size))
    writer.add_head_count(heads)
    writer.add_head_count_kv(int(config.num_key_value_heads))
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or config.rope_theta))
    writer.add_layer_norm_rms_eps(float(config.rms_norm_eps))
    writer.add_vocab_size(int(config.vocab_size))
    writer.add_file_type(int(getattr(gguf.LlamaFileType, f"MOSTLY_{bits}")))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _add_tokenizer(writer: Any, words: GgufTokenizer, tokenizer: Any) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(words.pre)
    writer.add_token_list(words.tokens)
    writer.add_token_types(words.types)
    writer.add_token_merges(words.merges)
    for known, add in (
        (tokenizer.bos_token_id, writer.add_bos_token_id),
        (tokenizer.eos_token_id, writer.add_eos_token_id),
        (tokenizer.pad_token_id, writer.add_pad_token_id),
        (tokenizer.unk_token_id, writer.add_unk_token_id),
    ):
        if known is not None:
            add(int(known))
    writer.add_add_bos_token(_begins(tokenizer))
    writer.add_add_space_prefix(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _begins(tokenizer: Any) -> bool:
    """Does it put its token of the beginning before a text?"""
    return bool(tokenizer("a").input_ids[:1] == [tokenizer.bos_token_id])
