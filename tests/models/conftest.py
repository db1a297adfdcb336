"""Tiny transformers with random weights, one folder per architecture, and a tokenizer of words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TEXT = (
    "the quick brown fox jumps over the lazy dog . a film of great charm and wit \n\n "
    "review : this was good , bad , very good , very bad , fine and dull \n sentiment : positive "
    "negative neutral query intent card arrival card payment lost or stolen card"
)
CHAT = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant:{% endif %}"
)
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}


def tokenizer() -> Any:
    """A byte-level BPE that merges across spaces, so that prompt and answer can grow together."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([TEXT] * 4, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")
    made.chat_template = CHAT
    return made


def config(kind: str) -> Any:
    import transformers as t

    window = {"sliding_window": 8}
    mixed = {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}
    made: dict[str, Callable[[], Any]] = {
        "llama": lambda: t.LlamaConfig(**SIZES),
        "qwen3": lambda: t.Qwen3Config(**SIZES),
        "gemma3": lambda: t.Gemma3TextConfig(**SIZES, **window, **mixed),
        "mistral": lambda: t.MistralConfig(**SIZES, **window),
        "gpt2": lambda: t.GPT2Config(
            n_embd=32, n_layer=3, n_head=4, n_positions=256, initializer_range=0.3,
            bos_token_id=0, eos_token_id=1,
        ),
        "bloom": lambda: t.BloomConfig(
            hidden_size=32, n_layer=2, n_head=4, initializer_range=0.3,
            bos_token_id=0, eos_token_id=1,
        ),
        "mamba": lambda: t.MambaConfig(
            hidden_size=32, num_hidden_layers=2, state_size=4, bos_token_id=0, eos_token_id=1,
        ),
    }  # fmt: skip
    return made[kind]()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model of the given architecture."""
    import torch
    from transformers import AutoModelForCausalLM

    root = tmp_path_factory.mktemp("tiny")

    def folder(kind: str) -> Path:
        place = root / kind
        if not place.exists():
            torch.manual_seed(0)
            words = tokenizer()
            settings = config(kind)
            settings.vocab_size = len(words)
            AutoModelForCausalLM.from_config(settings).save_pretrained(place)
            words.save_pretrained(place)
        return place

    return folder
