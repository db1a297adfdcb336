"""A Hugging Face tokenizer as llama.cpp is told of it; what it could not repeat is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nshot.core.errors import Fault, InputError

_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_NORMAL, _CONTROL, _USER = 1, 3, 4


@dataclass(frozen=True)
class GgufTokenizer:
    """`tokens` by id with their `types`, `merges` as two pieces with a space between.

    `pre` is llama.cpp's name of how a text is cut before pieces are merged.
    """

    pre: str
    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...]


def gguf_tokenizer(tokenizer: Any, size: int) -> GgufTokenizer:
    """Of a fast tokenizer, filled up to `size` tokens, which the model's embedding has.

    Raises `InputError` for one that is no byte-level BPE, or cuts texts in a way that llama.cpp
    has no name for: it would read other tokens than the model learned.
    """
    body = json.loads(tokenizer.backend_tokenizer.to_str())
    model = body["model"]
    if model["type"] != "BPE" or model.get("byte_fallback"):
        kind = f"{model['type']} with byte fallback" if model["type"] == "BPE" else model["type"]
        raise InputError(Fault(f"a tokenizer of kind {kind}", "byte-level BPE: Llama 3, SmolLM"))
    ids: dict[int, str] = {number: token for token, number in model["vocab"].items()}
    types = dict.fromkeys(ids, _NORMAL)
    for added in body.get("added_tokens", ()):
        ids[added["id"]] = added["content"]
        types[added["id"]] = _CONTROL if added["special"] else _USER
    if max(ids, default=0) >= size:
        problem = f"token {max(ids)}, and an embedding of {size} rows"
        raise InputError(Fault(problem, "a row for each token"))
    return GgufTokenizer(
        pre=_pre(body.get("pre_tokenizer") or {}, body.get("normalizer")),
        tokens=tuple(ids.get(number, f"[PAD{number}]") for number in range(size)),
        types=tuple(types.get(number, _CONTROL) for number in range(size)),
        merges=tuple(one if isinstance(one, str) else " ".join(one) for one in model["merges"]),
    )


def _pre(cut: Mapping[str, Any], normalizer: Any) -> str:
    """llama.cpp's name of a pre-tokenizer, by what it does."""
    steps = cut.get("pretokenizers", [cut])
    kinds = [step.get("type") for step in steps]
    bytes_last = bool(kinds) and kinds[-1] == "ByteLevel" and not steps[-1]["add_prefix_space"]
    if bytes_last and not normalizer:
        regex = steps[-1].get("use_regex", True)
        if kinds == ["ByteLevel"] and regex:
            return "gpt-2"
        if kinds == ["Digits", "ByteLevel"] and steps[0]["individual_digits"] and regex:
            return "smollm"
        if kinds == ["Split", "ByteLevel"] and steps[0]["pattern"].get("Regex") == _LLAMA3:
            return "llama-bpe"
    raise InputError(
        Fault(
            f"a tokenizer that cuts texts by {', '.join(map(str, kinds)) or 'nothing'}"
            + " after a normalizer" * bool(normalizer),
            "that of GPT-2, SmolLM or Llama 3, which llama.cpp repeats",
        )
    )
