"""A language model whose matrices are packed in 8 or 4 bits, as a folder of transformers."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nshot.core.files import write_folder
from nshot.models.hf.quantised import Packing, options, quiet


def write_packed(module: Any, tokenizer: Any, quant: Packing, folder: Path) -> None:
    """Write a transformers causal language model and its tokenizer, whole or not at all.

    Embeddings, head, norms and biases stay as they are; a tied embedding is written once. The
    packing is done on the CPU. Raises `CannotAdapt` where bitsandbytes is missing, `DiskFull` where
    the disk has no room: beside the folder that includes the model in float32, which is put there
    for as long as it is packed.
    """
    import torch
    from transformers import AutoModelForCausalLM

    quiet()
    how = options(quant, torch.float32, "cpu")

    def fill(draft: Path) -> None:
        with TemporaryDirectory(dir=draft) as place:
            module.save_pretrained(place)
            packed = AutoModelForCausalLM.from_pretrained(
                place, dtype=torch.float32, use_safetensors=True, local_files_only=True, **how
            )
            packed.save_pretrained(draft)
        tokenizer.save_pretrained(draft)

    write_folder(folder, fill)
