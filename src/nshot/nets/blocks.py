"""A causal language model's blocks: which matrix makes the keys, which ends the attention.

Told by names and by where a matrix stands. Families whose names are not known have no blocks here:
what depends on them says so, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from torch import nn

_APART = (("q_proj", "k_proj", "v_proj"), ("query", "key", "value"))
"""Queries, keys and values as matrices of their own: Llama's kin and OPT, BERT's kin."""
_FUSED = ("query_key_value", "c_attn", "qkv_proj", "Wqkv")
"""All three in one matrix: BLOOM, Falcon and GPT-NeoX, GPT-2, CodeGen and Phi-3, MPT."""
_ATTENDED = ("o_proj", "out_proj", "dense", "c_proj")
"""What ends an attention: the matrix that mixes its heads."""
_INNER = ("down_proj", "c_proj", "dense_4h_to_h", "fc_out", "fc2", "w2", "output.dense")
"""What ends a feed-forward layer: the matrix that reads its inner activations."""
_ELSEWHERE = ("cross", "encoder_attn")
"""Parts of the names of attentions that look at something else than the text."""


class Block(NamedTuple):
    """Full names of a block's matrices. A fused one is queries, keys and values at once.

    `inner` are the matrices that read the inner activations of a feed-forward layer, one for each
    expert; `packed` says that there are experts whose matrices are one tensor, and no modules.
    """

    queries: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    attended: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()
    packed: bool = False


def blocks(module: nn.Module) -> list[Block]:
    """The blocks of a causal language model, first to last; [] where its attention is not known.

    Of a model that also sees or hears, those of its language model.
    """
    decoder: nn.Module = module.get_decoder()  # type: ignore[operator]
    full = {part: name for name, part in module.named_modules()}
    for part in decoder.modules():
        if isinstance(part, nn.ModuleList) and any(any(_attentions(block)) for block in part):
            return [_block(block, full[block]) for block in part]
    return []


def norms(module: nn.Module) -> list[nn.Module]:
    """The layer norms of the language model, first to last, those inside an attention too."""
    decoder: nn.Module = module.get_decoder()  # type: ignore[operator]
    return [
        part
        for name, part in decoder.named_modules()
        if type(part).__name__.endswith("Norm") and not any(word in name for word in _ELSEWHERE)
    ]


def endings(module: nn.Module, names: Collection[str]) -> list[str]:
    """The shortest ends of names by which these modules, and no others, are named; as PEFT reads.

    ``k_proj`` for the keys of all blocks; ``mlp.c_proj`` where attention ends in a ``c_proj`` too.
    """
    others = [f".{name}" for name, _ in module.named_modules() if name not in names]
    out: dict[str, None] = {}
    for name in names:
        parts = name.split(".")
        ends = (".".join(parts[at:]) for at in reversed(range(len(parts))))
        alone = (end for end in ends if not any(o.endswith(f".{end}") for o in others))
        out[next(alone, name)] = None
    return list(out)


def unfit(module: nn.Module) -> list[str] | None:
    """Ends of names of linear layers that no adapter should stand beside; None where all are fit.

    Those of attentions that see no text get no gradient from one. A router answers with more than
    a product. A state space model reads its last matrix past the module, in one kernel.
    """
    names = []
    for name, part in module.named_modules():
        children = dict(part.named_children())
        if any(word in name for word in _ELSEWHERE) and _is_matrix(part):
            names.append(name)
        names += [f"{name}.router"] if _is_matrix(children.get("router")) else []
        mamba = "Mamba" in type(part).__name__ and "out_proj" in children
        names += [f"{name}.out_proj"] if mamba else []
    return endings(module, names) or None


def _block(block: nn.Module, name: str) -> Block:
    """The block called `name`."""
    attentions = list(_attentions(block))
    sublayers = {path.split(".")[0] for path, _ in attentions}
    matrices = [path for path, part in block.named_modules() if _is_matrix(part)]
    inside = [path for path in matrices if path.split(".")[0] in sublayers]
    outside = [path for path in matrices if path.split(".")[0] not in sublayers]
    used = {f"{path}.{child}" for path, children in attentions for child in children}
    experts = (n for n, p in block.named_parameters() if p.dim() == 3)

    def made(kind: int) -> tuple[str, ...]:
        return tuple(f"{name}.{path}.{children[kind]}" for path, children in attentions)

    def ending(paths: list[str], ends: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name}.{p}" for p in paths if f".{p}".endswith(tuple(f".{e}" for e in ends)))

    return Block(
        queries=made(0),
        keys=made(1),
        values=made(2),
        attended=ending([path for path in inside if path not in used], _ATTENDED),
        inner=ending(outside, _INNER),
        packed=any("expert" in n for n in experts),
    )


def _attentions(block: nn.Module) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """The self-attentions of a block: path, and what its queries, keys and values are called."""
    for path, part in block.named_modules():
        if not path or any(word in path for word in _ELSEWHERE):
            continue
        children = {name for name, child in part.named_children() if _is_matrix(child)}
        for names in (*_APART, *((fused,) * 3 for fused in _FUSED)):
            if children >= set(names):
                yield path, (names[0], names[1], names[2])


def _is_matrix(part: nn.Module | None) -> bool:
    from transformers.pytorch_utils import Conv1D

    return isinstance(part, nn.Linear | Conv1D)
