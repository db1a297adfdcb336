"""``nshot gguf``: a language model as a GGUF file for llama.cpp and Ollama."""

from __future__ import annotations

import argparse
from pathlib import Path

from nshot.cli import output
from nshot.core.errors import Fault, InputError

ABOUT = "write a language model, its adapter merged, or an encoder as GGUF for llama.cpp"


def add(parser: argparse.ArgumentParser) -> None:
    """The model, the bits, and where to write."""
    from nshot.models.llamacpp.write_gguf import BITS

    parser.add_argument(
        "model", metavar="MODEL",
        help="a model of the Llama family: an embedded one, a folder, a Hub id; or a folder that"
        " nshot delivered; or a sentence encoder of the BERT family",
    )  # fmt: skip
    parser.add_argument(
        "--bits", metavar="|".join(BITS), default="Q8_0",
        help="how weights are kept: 16 bits, or blocks of 8, 5, 4 (default Q8_0)",
    )  # fmt: skip
    parser.add_argument("--out", metavar="FOLDER", required=True, help="new folder to write")


def run(arguments: argparse.Namespace) -> int:
    """Write it, read it back, and say how far it is from the model."""
    from nshot.models.llamacpp.llamacpp_engine import FILE
    from nshot.use.gguf import is_encoder, write

    target = Path(arguments.out)
    if target.exists():
        raise InputError(Fault(f"--out {target} is there already", expected="a new folder"))
    if is_encoder(arguments.model):
        return _encoder(arguments.model, arguments.bits, target)
    one = write(arguments.model, arguments.bits, target)
    print(f"{one.bytes / 1e6:.1f} MB, {one.bytes_before / 1e6:.1f} MB in float32")
    print(
        f"perplexity {one.after:.2f}, was {one.before:.2f}; the same likeliest next token at"
        f" {one.same} of {one.tokens} places; logits within {one.furthest:.2%} of the largest"
    )
    faults = one.faults(arguments.bits)
    for fault in faults:
        print(f"not the model: {fault}")
    place = output.short(target)
    print(
        f"saved in {place}: llama-cli -m {place}/{FILE}, or ollama create NAME -f {place}/Modelfile"
    )
    return 3 if faults else 0


def _encoder(name: str, bits: str, target: Path) -> int:
    """The same of a sentence encoder."""
    from nshot.use.gguf import write_vectors

    one = write_vectors(name, bits, target)  # type: ignore[arg-type]
    print(f"{one.bytes / 1e6:.1f} MB, {one.bytes_before / 1e6:.1f} MB in float32")
    print(f"cosine with the encoder's own vectors at least {one.cosine:.4f}")
    print(f"saved in {output.short(target)}: nshot compare TASK --encoder {output.short(target)}")
    return 0
