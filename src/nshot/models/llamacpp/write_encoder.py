"""A sentence encoder of the BERT family as a GGUF file, with the tokenizer that reads for it.

The file holds no vocabulary: texts are cut by the tokenizer's own library, whose file lies beside
it, so that an encoder reads the same tokens in any number of bits. Vectors are means over tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.files import replacing, write_atomic
from nshot.models.llamacpp.write_gguf import BLOCK, Bits, finish

WEIGHTS, WORDS, FACTS = "model.gguf", "tokenizer.json", "encoder.json"
"""What a folder of a quantised encoder holds."""
_WHOLE = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.LayerNorm": "token_embd_norm",
}
_IN_LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
_EXACT = ("token_types", "position_embd")
"""Small tables that are added to every token: kept in float32."""


def write_encoder(model: Any, bits: Bits, folder: Path) -> None:
    """Write a sentence-transformers model into `folder`: weights, tokenizer, what it reads.

    Raises `InputError` for another family than BERT, another pooling than the mean, and rows that
    are no whole blocks.
    """
    import gguf

    module, config = model[0].auto_model, model[0].auto_model.config
    if faults := _foreign(model, config, bits):
        raise InputError(faults)
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / WEIGHTS) as draft:
        writer = gguf.GGUFWriter(draft, "bert")
        _describe(writer, config, bits)
        for name, values in _tensors(module):
            exact = values.ndim == 1 or name.startswith(_EXACT)
            kind = getattr(gguf.GGMLQuantizationType, "F32" if exact else bits)
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
        finish(writer, draft)
    write_atomic(folder / WORDS, model.tokenizer.backend_tokenizer.to_str())
    facts = {
        "limit": int(model.max_seq_length or config.max_position_embeddings),
        "prompt": model.prompts.get(model.default_prompt_name) or "",
        "width": int(config.hidden_size),
    }
    write_atomic(folder / FACTS, json.dumps(facts))


def _foreign(model: Any, config: Any, bits: Bits) -> list[Fault]:
    """What llama.cpp's code for BERT would compute otherwise."""
    if config.model_type != "bert":
        return [Fault(f"an encoder of the family {config.model_type}", "bert: MiniLM, e5, BGE")]
    faults = []
    if [part.pooling_mode for part in model if hasattr(part, "pooling_mode")] != ["mean"]:
        faults.append(Fault("vectors that are no mean over tokens", "pooling: mean"))
    if config.hidden_act != "gelu":
        faults.append(Fault(f"the activation {config.hidden_act}", "gelu, as in BERT"))
    if bits != "F16" and config.hidden_size % BLOCK:
        faults.append(Fault(f"rows of {config.hidden_size} weights", f"a multiple of {BLOCK}"))
    return faults


def _tensors(module: Any) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """llama.cpp's name and the float32 values of each weight; the pooler is not asked."""
    for name, weight in module.state_dict().items():
        part, _, what = name.rpartition(".")
        values = weight.detach().float().cpu().numpy()
        if part in _WHOLE:
            yield f"{_WHOLE[part]}.{what}", values
        elif part.startswith("encoder.layer."):
            number, _, inside = part.removeprefix("encoder.layer.").partition(".")
            yield f"blk.{number}.{_IN_LAYER[inside]}.{what}", values


def _describe(writer: Any, config: Any, bits: Bits) -> None:
    import gguf

    writer.add_context_length(int(config.max_position_embeddings))
    writer.add_embedding_length(int(config.hidden_size))
    writer.add_block_count(int(config.num_hidden_layers))
    writer.add_feed_forward_length(int(config.intermediate_size))
    writer.add_head_count(int(config.num_attention_heads))
    writer.add_layer_norm_eps(float(config.layer_norm_eps))
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_vocab_size(int(config.vocab_size))
    writer.add_token_type_count(int(config.type_vocab_size))
    writer.add_tokenizer_model("no_vocab")
    writer.add_file_type(int(getattr(gguf.LlamaFileType, f"MOSTLY_{bits}")))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
