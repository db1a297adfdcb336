"""A model's tokenizer without its weights."""

from __future__ import annotations

from typing import Any

from nshot.core.types import ModelRef
from nshot.models.catalog import locate, unreadable


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
