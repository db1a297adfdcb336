"""Training steps of models of 1B and 7B shape on a GPU: speed, utilisation, memory.

    make bench-gpu, or: python benchmarks/gpu.py [--steps 12] [--rows 8] [--length 512]
                        [--peak TERAFLOPS] [--write]

Weights are random and of Llama's shape, made block by block on the device: nothing is downloaded
and no whole model passes through the host. Trained is through nshot's own methods and loop, on rows
of random tokens whose second half is the answer. A step is the time between two of the loop's
reports, each of which waits for the device; the first two steps are left out. Without a GPU the
program says so and ends.

Model FLOPs of a step, for T tokens in rows of s, of which P are supervised, in a model with N
weights in its blocks, L blocks of width d, a vocabulary of V, and n trained adapter weights::

    full     6 N T + 6 L d s T + 6 V d P
    adapter  4 N T + 6 n T + 6 L d s T + 4 V d P

2 for the forward pass, 2 for the gradient of what goes through, 2 for the gradient of the weight,
which a frozen one does not need; 6 L d s is causal attention; unpacking four-bit weights is not
counted. Utilisation is that over the time and the device's peak in dense bfloat16.

Memory of a training on a base in four bits, in bytes::

    N (1/2 + 1/64 + 4/(64 256)) + 2 (rest of the weights)    the base: 4-bit numbers, a byte of
                                                             scale for 64, four bytes for 256 scales
    + 16 n                                                   adapter, gradient and two moments
    + 34 L d T                                               kept for the backward pass (Korthikanti
                                                             et al. 2022, eq. 1, attention fused)
    + 16 V P                                                 logits and their gradients

The last two are a rule of thumb; what was measured on the 7B shape stands beside it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import nn

from nshot.core import machine
from nshot.core.types import ModelRef, Shots, Task
from nshot.methods import TABLE
from nshot.methods.trained import Trained
from nshot.models.base import Lent
from nshot.models.hf.quantised import keep_layout
from nshot.training.data.answers import supervised
from nshot.training.forward import reader
from nshot.training.loop import optimise
from nshot.training.objectives.nll import AnswerTokens
from nshot.training.rows import Row, Schedule
from table import line, write

PEAKS = {
    "B200": 2250e12,
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
}
"""Dense bfloat16 FLOPs a second as their maker gives them, by a part of the device's name."""
UNTIMED = 2
GIB = 2**30


@dataclass(frozen=True)
class Shape:
    """A model of Llama's shape."""

    name: str
    layers: int
    width: int
    inner: int
    heads: int
    key_heads: int
    vocabulary: int = 32000

    @property
    def matrices(self) -> tuple[tuple[int, int], ...]:
        """(in, out) of a block's linear layers."""
        keys = self.width // self.heads * self.key_heads
        square, narrow = (self.width, self.width), (self.width, keys)
        return (square, narrow, narrow, square, *[(self.width, self.inner)] * 2,
                (self.inner, self.width))  # fmt: skip

    @property
    def linear(self) -> int:
        """Weights of all blocks' linear layers."""
        return self.layers * sum(a * b for a, b in self.matrices)

    @property
    def rest(self) -> int:
        """All other weights: norms, embeddings, head."""
        return (2 * self.layers + 1) * self.width + 2 * self.vocabulary * self.width

    @property
    def parameters(self) -> int:
        """All weights."""
        return self.linear + self.rest

    def adapters(self, rank: int) -> int:
        """Weights of LoRA on every linear layer of the blocks."""
        return self.layers * rank * sum(a + b for a, b in self.matrices)


ONE = Shape("1B", 22, 2048, 5632, 32, 4)
SEVEN = Shape("7B", 32, 4096, 11008, 32, 32)
SIXTY_FIVE = Shape("65B", 80, 8192, 22016, 64, 64)


@dataclass(frozen=True)
class Load:
    """What goes through in a step: `rows` of `length` tokens, the second half supervised."""

    rows: int
    length: int

    @property
    def tokens(self) -> int:
        return self.rows * self.length

    @property
    def supervised(self) -> int:
        return self.rows * (self.length - self.length // 2)

    def made(self, vocabulary: int) -> list[Row]:
        """Rows of random tokens."""
        random = torch.Generator().manual_seed(0)
        ids = torch.randint(vocabulary, (self.rows, self.length + 1), generator=random).tolist()
        half = self.length // 2 + 1
        return [
            supervised(f"row{i}", tuple(row[:half]), tuple(row[half:])) for i, row in enumerate(ids)
        ]


def flops(shape: Shape, load: Load, adapters: int | None) -> float:
    """Model FLOPs of a step; `adapters` is None where all weights are trained."""
    frozen = adapters is not None
    each = (4 if frozen else 6) * shape.linear + 6 * (adapters or 0)
    each += 6 * shape.layers * shape.width * load.length
    head = (4 if frozen else 6) * shape.vocabulary * shape.width
    return float(each * load.tokens + head * load.supervised)


def packed_bytes(shape: Shape) -> float:
    """The base with its blocks' linear layers in four bits, doubly quantised."""
    return shape.linear * (1 / 2 + 1 / 64 + 4 / (64 * 256)) + 2 * shape.rest


def qlora_bytes(shape: Shape, load: Load, rank: int) -> float:
    """Memory of QLoRA by arithmetic."""
    kept = 34 * shape.layers * shape.width * load.tokens + 16 * shape.vocabulary * load.supervised
    return packed_bytes(shape) + 16 * shape.adapters(rank) + kept


@contextmanager
def _made_as(dtype: torch.dtype, device: str) -> Iterator[None]:
    """Inside, new modules are of this type and on this device."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


def build(shape: Shape, device: str, dtype: torch.dtype, packed: bool) -> Any:
    """A causal model with random frozen weights; `packed`: each block to four bits once made."""
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.models.llama.modeling_llama import LlamaDecoderLayer

    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=0,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        attn_implementation="sdpa",
    )
    torch.manual_seed(0)
    with _made_as(dtype, device):
        model = LlamaForCausalLM(config)
        for i in range(shape.layers):
            block = LlamaDecoderLayer(config, i)
            if packed:
                _pack(block, dtype, device)
            model.model.layers.append(block)
    config.num_hidden_layers = shape.layers
    keep_layout(model)
    model.is_loaded_in_4bit = packed  # what PEFT asks before it puts LoRA on such a layer
    return model.requires_grad_(False)


def _pack(block: nn.Module, dtype: torch.dtype, device: str) -> None:
    """The block's linear layers in NF4 with double quantisation."""
    from bitsandbytes.nn.modules import Linear4bit, Params4bit

    for name, old in list(block.named_modules()):
        if not isinstance(old, nn.Linear):
            continue
        new = Linear4bit(
            old.in_features, old.out_features, bias=False, compute_dtype=dtype, quant_type="nf4"
        )
        new.weight = Params4bit(
            old.weight.data, requires_grad=False, compress_statistics=True, quant_type="nf4"
        )
        block.set_submodule(name, new.to(device))


@dataclass(frozen=True)
class Measured:
    """A training: parameters trained, median seconds a step, peak bytes on the device."""

    shape: Shape
    method: str
    trained: int
    seconds: float
    peak_bytes: int
    notes: tuple[str, ...] = ()


def measure(shape: Shape, name: str, load: Load, steps: int, device: str) -> Measured:
    """Train random weights of `shape` through a method of the table, as the product would."""
    method = TABLE[name]()
    if not isinstance(method, Trained):
        raise TypeError(f"{name} trains no language model on answers")
    accelerator: Any = torch.get_device_module(device)
    dtype = getattr(torch, machine.dtype())
    model = build(shape, device, dtype, packed=name == "qlora")
    lent = Lent(ModelRef("hf", shape.name), model, None, device)
    if name == "full":
        model.requires_grad_(True)
    module = method.part(Task("gpu", "generate"), Shots(), 0).put_on(lent, 0)
    if reset := getattr(accelerator, "reset_peak_memory_stats", None):
        reset()
    ended, notes = list[float](), list[str]()
    rows = load.made(shape.vocabulary)
    trace = optimise(
        module,
        lambda: reader(module, rows, None, device),
        rows,
        AnswerTokens(),
        Schedule(method.learning_rate, epochs=steps, batch_size=load.rows),
        device=device,
        note=notes.append,
        progress=lambda done, total: ended.append(time.perf_counter()),
    )
    took = [after - before for before, after in pairwise(ended)][UNTIMED - 1 :]
    peak = getattr(accelerator, "max_memory_allocated", lambda: 0)()
    return Measured(shape, name, trace.parameters, statistics.median(took), int(peak), tuple(notes))


def table(found: Sequence[Measured], load: Load, peak: float | None, device: str) -> str:
    """What was measured, and the arithmetic of the 65B shape beside that of the 7B one."""
    heads = ("shape", "method", "trained", "tokens a second", "utilisation", "peak memory",
             "by arithmetic")  # fmt: skip
    lines = [line(*heads), "|--|--|--:|--:|--:|--:|--:|"]
    rank = getattr(TABLE["qlora"](), "rank", 8)
    for one in found:
        work = flops(one.shape, load, None if one.method == "full" else one.trained)
        share = "–" if peak is None else f"{100 * work / one.seconds / peak:.0f} %"
        reckoned = qlora_bytes(one.shape, load, rank) if one.method == "qlora" else None
        lines.append(
            line(
                f"{one.shape.name}, {one.shape.parameters / 1e9:.2f} B",
                one.method,
                f"{one.trained / 1e6:.1f} M",
                f"{load.tokens / one.seconds:,.0f}",
                share,
                f"{one.peak_bytes / GIB:.1f} GiB",
                "–" if reckoned is None else f"{reckoned / GIB:.1f} GiB",
            )
        )
    for rows in (load.rows, 1):
        alone = replace(load, rows=rows)
        size = f"{qlora_bytes(SIXTY_FIVE, alone, rank) / GIB:.1f} GiB"
        name = f"65B, {SIXTY_FIVE.parameters / 1e9:.2f} B, {rows} row(s)"
        trained = f"{SIXTY_FIVE.adapters(rank) / 1e6:.1f} M"
        lines.append(line(name, "qlora", trained, "–", "–", "not measured", size))
    return "\n".join([*lines, "", _how(found, load, peak, device)])


def _how(found: Sequence[Measured], load: Load, peak: float | None, device: str) -> str:
    assumed = "of unknown peak: no utilisation" if peak is None else (
        f"whose peak is taken as {peak / 1e12:.0f} TFLOP/s"
    )  # fmt: skip
    notes = "".join(f" {one.shape.name} {one.method}: {n}." for one in found for n in one.notes)
    return (
        f"Random weights, {machine.dtype()}, {load.rows} rows of {load.length} tokens a step, half "
        f"of them supervised; rank 8 on every linear layer; medians of steps on {_name(device)}, "
        f"{assumed}. The 65B shape's base alone is {packed_bytes(SIXTY_FIVE) / GIB:.1f} GiB in "
        f"four bits.{notes}"
    )


def _name(device: str) -> str:
    """What the device calls itself."""
    named = getattr(torch.get_device_module(device), "get_device_name", None)
    return str(named()) if named else device


def known_peak(name: str) -> float | None:
    """The peak of a device of this name, where it is known."""
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def main() -> int:
    parser = argparse.ArgumentParser(description="Training steps on a GPU.")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rows", type=int, default=8, help="rows a step")
    parser.add_argument("--length", type=int, default=512, help="tokens a row")
    parser.add_argument("--peak", type=float, help="the device's dense bfloat16 TFLOP/s")
    parser.add_argument("--write", action="store_true", help="write it to docs/benchmarks.md")
    given = parser.parse_args()
    device, load = machine.device(), Load(given.rows, given.length)
    if device == "cpu":
        print("no GPU that torch can use: nothing was measured")
        return 0
    if given.steps <= UNTIMED:
        parser.error(f"--steps: more than {UNTIMED}, for the first ones are not timed")
    found = []
    for shape, name in ((ONE, "full"), (ONE, "lora"), (ONE, "qlora"), (SEVEN, "lora"),
                        (SEVEN, "qlora")):  # fmt: skip
        found.append(measure(shape, name, load, given.steps, device))
        print(found[-1], flush=True)
        torch.get_device_module(device).empty_cache()
    peak = given.peak * 1e12 if given.peak else known_peak(_name(device))
    text = table(found, load, peak, device)
    print(text)
    if given.write:
        write("gpu.py", text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
