"""A model with what was learned merged into its weights: one whole module, nobody else's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nshot.core.errors import Fault, InputError
from nshot.core.types import ModelRef
from nshot.models.catalog import locate, unreadable

_MERGED = ("LORA", "IA3")
"""Adapters that are a change of the weights they stand beside."""


def unmergeable(ref: ModelRef) -> Fault | None:
    """Why what is on a model cannot become part of its weights; None where it can."""
    if ref.engine != "hf":
        return Fault(f"a model of the engine {ref.engine}", "weights on this disk")
    deltas = ref.effective.deltas
    if wrong := [delta.kind for delta in deltas if delta.kind not in ("peft", "weights")]:
        problem = f"{wrong[0]} adapters cannot be merged into the weights they stand beside"
        return Fault(problem, "LoRA, or weights that were tuned themselves")
    kinds = [_kind(Path(delta.folder)) for delta in deltas if delta.kind == "peft"]
    if others := [kind for kind in kinds if kind not in _MERGED]:
        return Fault(f"{others[0]} cannot be merged into weights", "LoRA or IA3")
    return None


def _kind(folder: Path) -> str:
    """What PEFT calls the adapter in a folder."""
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    return str(config["peft_type"])


def merged(ref: ModelRef) -> tuple[Any, Any]:
    """The model in float32 with its deltas merged, in evaluation mode, and its tokenizer.

    Loaded from its folder for the caller alone. Raises `InputError` for what cannot be merged.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from nshot.models.hf.mount import mount

    if fault := unmergeable(ref):
        raise InputError(fault)
    place = locate(ref.effective)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        module = AutoModelForCausalLM.from_pretrained(
            place, dtype=torch.float32, use_safetensors=True, **options
        )
        tokenizer = AutoTokenizer.from_pretrained(place, **options)
    except (OSError, ValueError, KeyError) as error:
        raise unreadable(place, error) from error
    answering = mount(module, ref.effective.deltas)
    if answering is not module:
        module = answering.merge_and_unload()
    return module.eval(), tokenizer
