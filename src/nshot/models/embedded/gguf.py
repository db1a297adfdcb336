"""Language models that come as GGUF files.

transformers reads a file's pieces and merges, and not how it cuts a text before pieces are merged
(``tokenizer.ggml.pre``): of SmolLM's tokenizer, which cuts digits apart, that was lost. Texts with
several spaces or a line's end before a digit then became other tokens than the model had learned.
"""

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
    from transformers import AutoModelForCausalLM

    where: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    with redirect_stderr(io.StringIO()):  # bars of three kinds, on a screen that is the display's
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **where)
        model.hf_quantizer = None  # transformers refuses to save what came from GGUF
        model.config.__dict__.pop("quantization_config", None)
        model.config.name_or_path = name
        model.save_pretrained(folder)
        tokenizer_of(gguf).save_pretrained(folder)


def tokenizer_of(gguf: Path) -> Any:
    """The tokenizer in a GGUF file as transformers reads it, digits apart where it has them so."""
    from tokenizers.pre_tokenizers import Digits, Sequence
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name, local_files_only=True)
    if cut_of(gguf) == "smollm":
        core = words.backend_tokenizer
        core.pre_tokenizer = Sequence([Digits(individual_digits=True), core.pre_tokenizer])
    return words


def cut_of(gguf: Path) -> str:
    """llama.cpp's name of how the file cuts texts; "" where it has none."""
    from gguf import GGUFReader

    known = GGUFReader(gguf).get_field("tokenizer.ggml.pre")
    return str(known.contents()) if known else ""
