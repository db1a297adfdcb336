"""A PEFT folder as another program leaves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def foreign(base: Path, folder: Path, config: Any = None, seed: int = 1) -> Path:
    """Put an adapter (LoRA unless `config` is given) on `base`, move it, and save it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    lora = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules="all-linear")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config or lora)
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn_like(parameter))
    adapted.save_pretrained(folder)
    return folder
