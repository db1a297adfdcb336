"""Tiny random models of five families, each a real Hugging Face folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny import tiny_tokenizer

FAMILIES = ("llama", "qwen3", "gemma3", "gpt2", "mistral")
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "initializer_range": 0.2,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}


def tiny_config(family: str, window: int = 24) -> Any:
    """Its configuration: two layers of sliding attention in Gemma 3, all of them in Mistral."""
    import transformers as t

    sizes = SIZES | {"vocab_size": len(tiny_tokenizer())}
    if family == "llama":
        return t.LlamaConfig(**sizes)
    if family == "qwen3":
        return t.Qwen3Config(**sizes)
    if family == "mistral":
        return t.MistralConfig(**sizes, sliding_window=window)
    if family == "gemma3":
        kinds = ["sliding_attention", "full_attention", "sliding_attention"]
        return t.Gemma3TextConfig(**sizes, sliding_window=window, layer_types=kinds)
    return t.GPT2Config(
        vocab_size=sizes["vocab_size"], n_embd=32, n_layer=3, n_head=4, n_positions=256,
        initializer_range=0.2, bos_token_id=0, eos_token_id=1,
    )  # fmt: skip


def tiny_module(family: str, window: int = 24, seed: int = 0) -> Any:
    """The model itself, in evaluation mode."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(tiny_config(family, window)).eval()


def tiny_family(folder: Path, family: str, window: int = 24) -> Path:
    """Save the model and its tokenizer."""
    module = tiny_module(family, window)
    module.generation_config.pad_token_id = 1
    module.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder
