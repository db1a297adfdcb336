"""How much of a text a model reads at once, told from its folder: no weights, no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nshot.core.types import ModelRef
from nshot.models.catalog import locate
from nshot.models.embedded.packages import EMBEDDED, Role


@dataclass(frozen=True)
class Window:
    """What one model reads at once: `limit` tokens, its own marks and its prompt among them."""

    limit: int
    tokenizer: Any
    prompt: str = ""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, as if the model read all of it."""
        prompted = [self.prompt + text for text in texts]
        return [len(encoding) for encoding in self.tokenizer.encode_batch_fast(prompted)]


def reads_at_least(ref: ModelRef) -> int:
    """Tokens that the model certainly reads at once, without a look at its folder."""
    return EMBEDDED[ref.name].reads if ref.name in EMBEDDED else 0


def window(ref: ModelRef, role: Role) -> Window | None:
    """The window of a model of a role; None where its folder does not say it.

    An embedded model that was never used on this machine is converted first, for a minute.
    """
    from tokenizers import Tokenizer

    if ref.engine != "hf":
        return None
    folder = locate(ref)
    limit = _limit(folder, role)
    if limit is None or not (folder / "tokenizer.json").exists():
        return None
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return Window(limit, tokenizer, _prompt(folder) if role == "encoder" else "")


def _limit(folder: Path, role: Role) -> int | None:
    """As sentence-transformers and transformers find it."""
    positions = _number(_read(folder / "config.json"), "max_position_embeddings")
    if role != "encoder":
        return positions
    own = _number(_read(folder / "sentence_bert_config.json"), "max_seq_length")
    return own or positions


def _prompt(folder: Path) -> str:
    settings = _read(folder / "config_sentence_transformers.json")
    prompts = settings.get("prompts") or {}
    return str(prompts.get(settings.get("default_prompt_name")) or "")


def _number(settings: Mapping[str, Any], key: str) -> int | None:
    value = settings.get(key)
    return value if isinstance(value, int) and value > 0 else None


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    settings = json.loads(path.read_text(encoding="utf-8"))
    return settings if isinstance(settings, dict) else {}
