"""Language models that come as GGUF files."""

from __future__ import annotations

import importlib.util
import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from nshot.core.errors import Fault, ModelNotFound
from nshot.models.embedded.packages import GEMMA, LM


def convert_smollm2(folder: Path) -> None:
    """Convert the file where it lies."""
    _convert(LM.require(), folder, LM.name)


def convert_gemma(folder: Path) -> None:
    """Put the pieces together, check that they are the published file, and convert it."""
    joined = folder / "joined.gguf"
    joined.write_bytes(GEMMA.read())
    _convert(joined, folder, GEMMA.name)
    joined.unlink()


def _convert(gguf: Path, folder: Path, name: str) -> None:
    """De-quantise a GGUF file into float32 safetensors, with its tokenizer and chat template."""
    if importlib.util.find_spec("gguf") is None:
        raise ModelNotFound(Fault("the package gguf is not installed", do="pip install gguf"))
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    with redirect_stderr(io.StringIO()):  # bars of three kinds, on a screen that is the display's
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **where)
        model.hf_quantizer = None  # transformers refuses to save what came from GGUF
        model.config.__dict__.pop("quantization_config", None)
        model.config.name_or_path = name
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(gguf.parent, **where).save_pretrained(folder)
