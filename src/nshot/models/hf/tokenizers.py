"""A model's tokenizer without its weights."""

from __future__ import annotations

from typing import Any

from nshot.core.types import ModelRef
from nshot.models.catalog import locate, unreadable


def read_alike(ref: ModelRef, other: ModelRef) -> bool:
    """Whether two models read every text and every chat as the same tokens."""
    if ref.effective.base == other.effective.base:
        return True
    one, two = (open_tokenizer(model.effective)[0] for model in (ref, other))
    same_words = one.get_vocab() == two.get_vocab()
    return bool(same_words and one.chat_template == two.chat_template)


def open_tokenizer(ref: ModelRef) -> tuple[Any, int | None]:
    """The tokenizer of `ref`, and the model's context in tokens (None where it says nothing)."""
    from transformers import AutoConfig, AutoTokenizer

    folder = locate(ref)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(folder, **options)
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    except (OSError, ValueError, KeyError) as error:
        raise unreadable(folder, error) from error
    return tokenizer, getattr(config, "max_position_embeddings", None)
