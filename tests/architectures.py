"""A tiny random model of every architecture in PEFT's tables that can write a text."""

from __future__ import annotations

from typing import Any

SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "initializer_range": 0.2,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
GROUPED = {"intermediate_size": 48, "num_key_value_heads": 2}
HEADS = GROUPED | {"head_dim": 8}
ENCODER = {"intermediate_size": 48, "is_decoder": True}
SEES = {"vision_config": None, "audio_config": None}
GEMMA4 = {
    "hidden_size_per_layer_input": 0,
    "global_head_dim": 8,
    "layer_types": ["sliding_attention", "full_attention"],
}
SCANS = {"mamba_num_heads": 4, "mamba_head_dim": 8, "n_groups": 2, "ssm_state_size": 8}
OPTIONS: dict[str, dict[str, Any]] = {
    "bart": {"decoder_ffn_dim": 48, "decoder_layers": 2, "decoder_attention_heads": 4},
    "bert": ENCODER,
    "bloom": {},
    "codegen": {"rotary_dim": 4},
    "electra": ENCODER | {"embedding_size": 16},
    "falcon": {},
    "gemma": HEADS,
    "gemma2": HEADS,
    "gemma3_text": HEADS,
    "gemma4": SEES | {"text_config": SIZES | HEADS | GEMMA4},
    "gpt2": {},
    "gpt_bigcode": {},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "intermediate_size": 48},
    "gpt_neox": {"intermediate_size": 48},
    "gptj": {"rotary_dim": 4},
    "llama": GROUPED,
    "llama4": {
        "text_config": SIZES | HEADS | {"intermediate_size_mlp": 48, "num_local_experts": 2}
    },
    "mistral": GROUPED,
    "mixtral": GROUPED | {"num_local_experts": 2},
    "mpt": {},
    "nemotron_h": HEADS | SCANS | {"layers_block_type": ["mamba", "attention", "mlp"]},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "phi": GROUPED,
    "qwen2": GROUPED,
    "qwen3": HEADS,
    "roberta": ENCODER,
    "rwkv": {"intermediate_size": 48},
    "stablelm": GROUPED,
    "xlm-roberta": ENCODER,
}
"""What each is told beside `SIZES`, so that it is as small as they are."""


def tiny_architecture(kind: str) -> Any:
    """The causal language model itself, seeded, in evaluation mode."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    options = OPTIONS[kind]
    config = AutoConfig.for_model(
        kind, **(SIZES | options if "text_config" not in options else options)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config).eval()
