"""A tiny random sentence encoder: a real sentence-transformers folder in 200 KB."""

from __future__ import annotations

import json
from pathlib import Path

from tiny import tiny_tokenizer

KIND = "sentence_transformers.models."
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": f"{KIND}Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": f"{KIND}Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{KIND}Normalize"},
]


def tiny_encoder(folder: Path, *, width: int = 32, context: int = 64, seed: int = 0) -> Path:
    """Save a seeded random BERT of two layers with mean pooling and unit vectors."""
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertModel

    tokenizer = tiny_tokenizer()
    ends = [(tokenizer.bos_token, tokenizer.bos_token_id)]
    ends += [(tokenizer.eos_token, tokenizer.eos_token_id)]
    between = f"{tokenizer.bos_token} $A {tokenizer.eos_token}"
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(between, None, ends)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=context,
        initializer_range=0.2,
        pad_token_id=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    pooling = {"word_embedding_dimension": width, "pooling_mode_mean_tokens": True}
    for name, body in (
        ("modules.json", MODULES),
        ("sentence_bert_config.json", {"max_seq_length": context, "do_lower_case": False}),
        ("1_Pooling/config.json", pooling),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(body), encoding="utf-8")
    return folder
