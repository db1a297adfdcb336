"""A language model with its cache as an ONNX graph, written node by node from its weights.

One pass reads the tokens of ``input_ids`` (rows, tokens) behind those whose keys and values are in
``past_key_values.N.key`` and ``.value`` (rows, heads, tokens before, width), and gives ``logits``
(rows, tokens, vocabulary) and ``present.N.key`` and ``.value``, the same with the new tokens: the
names that Optimum gives them. Tracing a model of thirty layers takes torch many minutes; a decoder
of Llama's kind is thirty operations a layer, of which any runtime knows every one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from nshot.core.errors import Fault, InputError

GRAPH, WEIGHTS = "model.onnx", "model.onnx_data"
FAMILIES = frozenset({"llama", "mistral", "qwen2", "qwen3"})
"""Of transformers: rotary positions, norms by the root mean square before attention and MLP."""
OPSET, IR = 18, 10
PAGE = 4096
"""Weights begin at its multiples, where a runtime can map them into memory."""


@dataclass(frozen=True)
class Shape:
    """What is needed to begin with an empty cache: (rows, `heads`, 0, `width`) for each layer."""

    layers: int
    heads: int
    width: int


def why_no_graph(config: Any) -> str | None:
    """What of a model's configuration the graph does not have; None where it is whole."""
    if config.model_type not in FAMILIES:
        return f"a model of the family {config.model_type}, not of {', '.join(sorted(FAMILIES))}"
    if config.hidden_act != "silu":
        return f"the activation {config.hidden_act}, not silu"
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"} or (
        config.model_type == "mistral" and config.sliding_window is not None
    ):
        return "attention to a window of the last tokens"
    rope = str((config.rope_parameters or {}).get("rope_type", "default"))
    if rope in ("dynamic", "longrope"):
        return f"positions of the kind {rope}, which change with a text's length"
    return None


def write_graph(module: Any, folder: Path) -> Shape:
    """Write a causal language model of transformers, and its weights in float32 beside it.

    Raises `InputError` for one that `why_no_graph` has something against.
    """
    import onnx

    config = module.config
    if problem := why_no_graph(config):
        raise InputError(
            Fault(problem, "a decoder of Llama's kind", "nshot export DIR --to merged --out FOLDER")
        )
    width = int(
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    shape = Shape(config.num_hidden_layers, config.num_key_value_heads, width)
    with (folder / WEIGHTS).open("wb") as weights:
        writer = _Writer(weights)
        logits, present = _decoder(writer, module, shape)
        graph = onnx.helper.make_graph(
            writer.nodes, "decoder", _inputs(shape), _outputs(shape), writer.tensors
        )
    for name, value in (("logits", logits), *present.items()):
        graph.node.append(onnx.helper.make_node("Identity", [value], [name]))
    opsets = [onnx.helper.make_opsetid("", OPSET)]
    model = onnx.helper.make_model(
        graph, opset_imports=opsets, ir_version=IR, producer_name="nshot"
    )
    (folder / GRAPH).write_bytes(model.SerializeToString(deterministic=True))
    return shape


class _Writer:
    """Nodes and tensors; the weights go to a file at once, so that they are in memory once."""

    def __init__(self, weights: IO[bytes]) -> None:
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []
        self._weights = weights
        self._numbers: dict[tuple[str, Any], str] = {}

    def op(self, kind: str, *inputs: str, outputs: int = 0, **attributes: Any) -> Any:
        """The name of what a node gives, or the names of its several `outputs`."""
        import onnx

        at = len(self.nodes)
        names = [f"{kind}_{at}_{i}" for i in range(outputs or 1)]
        self.nodes.append(onnx.helper.make_node(kind, list(inputs), names, **attributes))
        return names if outputs else names[0]

    def number(self, value: Any, dtype: type = np.int64) -> str:
        """A small constant, once."""
        import onnx

        key = (dtype.__name__, str(value))
        if key not in self._numbers:
            name = self._numbers[key] = f"constant_{len(self._numbers)}"
            self.tensors.append(onnx.numpy_helper.from_array(np.array(value, dtype), name))
        return self._numbers[key]

    def weight(self, name: str, values: Any, turned: bool = False) -> str:
        """A tensor of torch in the file of weights, transposed where it is `turned`."""
        import onnx

        array = values.detach().cpu().float().numpy()
        array = np.ascontiguousarray(array.T if turned else array)
        self._weights.write(b"\0" * (-self._weights.tell() % PAGE))
        tensor = onnx.TensorProto(
            name=name,
            dims=array.shape,
            data_type=onnx.TensorProto.FLOAT,
            data_location=onnx.TensorProto.EXTERNAL,
        )
        place = {"location": WEIGHTS, "offset": self._weights.tell(), "length": array.nbytes}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self._weights.write(array.data)
        self.tensors.append(tensor)
        return name

    def linear(self, name: str, layer: Any, x: str) -> str:
        """x @ weight.T + bias."""
        y = self.op("MatMul", x, self.weight(f"{name}.weight", layer.weight, turned=True))
        if layer.bias is not None:
            y = self.op("Add", y, self.weight(f"{name}.bias", layer.bias))
        return str(y)

    def norm(self, name: str, layer: Any, x: str) -> str:
        """x by its root mean square over the last axis, times the weight."""
        mean = self.op("ReduceMean", self.op("Mul", x, x), self.number([-1]), keepdims=1)
        least = self.number(float(layer.variance_epsilon), np.float32)
        scale = self.op("Sqrt", self.op("Add", mean, least))
        weight = self.weight(f"{name}.weight", layer.weight)
        return str(self.op("Mul", self.op("Div", x, scale), weight))


@dataclass(frozen=True)
class _Places:
    """What depends on the tokens' places alone: cosines and sines (tokens, width), and the mask
    (tokens, tokens with those before), which is added to what attention looks at."""

    cosines: str
    sines: str
    mask: str


def _decoder(w: _Writer, module: Any, shape: Shape) -> tuple[str, dict[str, str]]:
    """What holds the logits, and the cache by name."""
    inner = module.model
    table = w.weight("embedding", inner.embed_tokens.weight)
    x = w.op("Gather", table, "input_ids")
    places = _places(w, inner.rotary_emb)
    present: dict[str, str] = {}
    for i, layer in enumerate(inner.layers):
        name = f"layers.{i}"
        read = w.norm(f"{name}.input_layernorm", layer.input_layernorm, x)
        seen, keys, values = _attention(w, layer.self_attn, read, i, shape, places)
        x = w.op("Add", x, seen)
        read = w.norm(f"{name}.post_attention_layernorm", layer.post_attention_layernorm, x)
        x = w.op("Add", x, _mlp(w, layer.mlp, read, f"{name}.mlp"))
        present |= {f"present.{i}.key": keys, f"present.{i}.value": values}
    x = w.norm("norm", inner.norm, x)
    head = module.lm_head
    tied = head.weight.data_ptr() == inner.embed_tokens.weight.data_ptr()
    rows = table if tied else w.weight("lm_head.weight", head.weight)
    flat = w.op("Reshape", x, w.number([-1, module.config.hidden_size]))
    logits = w.op("Gemm", flat, rows, transB=1)
    sizes = w.op("Concat", w.op("Shape", "input_ids"), w.number([-1]), axis=0)
    return str(w.op("Reshape", logits, sizes)), present


def _places(w: _Writer, rotary: Any) -> _Places:
    """Of the tokens that are read, behind those in the cache."""
    before = w.op("Squeeze", w.op("Shape", "past_key_values.0.key", start=2, end=3))
    new = w.op("Squeeze", w.op("Shape", "input_ids", start=1, end=2))
    end = w.op("Add", before, new)
    at = w.op("Unsqueeze", w.op("Range", before, end, w.number(1)), w.number([1]))
    angles = w.op("Mul", w.op("Cast", at, to=1), w.weight("rotary", rotary.inv_freq))
    angles = w.op("Concat", angles, angles, axis=-1)
    scale = w.number(float(rotary.attention_scaling), np.float32)
    cosines, sines = (w.op("Mul", w.op(kind, angles), scale) for kind in ("Cos", "Sin"))
    every = w.op("Range", w.number(0), end, w.number(1))
    later = w.op("Greater", every, at)
    least = w.number(float(np.finfo(np.float32).min), np.float32)
    return _Places(cosines, sines, w.op("Where", later, least, w.number(0.0, np.float32)))


def _attention(
    w: _Writer, layer: Any, x: str, index: int, shape: Shape, places: _Places
) -> tuple[str, str, str]:
    """What attention adds, and all keys and values (rows, heads, tokens, width).

    Several heads of queries look at one of keys: they are put behind one another, as one axis.
    """
    name, width = f"layers.{index}.self_attn", shape.width

    def split(part: str, heads: int) -> str:
        """(rows, heads, tokens, width)."""
        y = w.linear(f"{name}.{part}_proj", getattr(layer, f"{part}_proj"), x)
        y = w.op("Reshape", y, w.number([0, 0, heads, width]))
        norm = getattr(layer, f"{part}_norm", None)  # qwen3 has them, of queries and keys
        if norm is not None:
            y = w.norm(f"{name}.{part}_norm", norm, y)
        return str(w.op("Transpose", y, perm=[0, 2, 1, 3]))

    groups = layer.q_proj.out_features // (shape.heads * width)
    queries = _turned(w, split("q", shape.heads * groups), width, places)
    keys = _turned(w, split("k", shape.heads), width, places)
    keys = w.op("Concat", f"past_key_values.{index}.key", keys, axis=2)
    values = w.op("Concat", f"past_key_values.{index}.value", split("v", shape.heads), axis=2)
    queries = w.op("Reshape", queries, w.number([0, shape.heads, groups, -1, width]))
    wide_keys, wide_values = (w.op("Unsqueeze", one, w.number([2])) for one in (keys, values))
    likeness = w.op("MatMul", queries, w.op("Transpose", wide_keys, perm=[0, 1, 2, 4, 3]))
    likeness = w.op("Mul", likeness, w.number(float(layer.scaling), np.float32))
    shares = w.op("Softmax", w.op("Add", likeness, places.mask), axis=-1)
    seen = w.op("MatMul", shares, wide_values)
    seen = w.op("Reshape", seen, w.number([0, shape.heads * groups, -1, width]))
    seen = w.op("Transpose", seen, perm=[0, 2, 1, 3])
    seen = w.op("Reshape", seen, w.number([0, 0, shape.heads * groups * width]))
    return w.linear(f"{name}.o_proj", layer.o_proj, seen), keys, values


def _turned(w: _Writer, x: str, width: int, places: _Places) -> str:
    """Su et al. 2021, https://arxiv.org/abs/2104.09864, eq. 34, with halves in place of pairs."""
    first, second = w.op("Split", x, w.number([width // 2, width // 2]), outputs=2, axis=-1)
    other = w.op("Concat", w.op("Neg", second), first, axis=-1)
    return str(w.op("Add", w.op("Mul", x, places.cosines), w.op("Mul", other, places.sines)))


def _mlp(w: _Writer, layer: Any, x: str, name: str) -> str:
    """down(silu(gate(x)) * up(x))."""
    gate = w.linear(f"{name}.gate_proj", layer.gate_proj, x)
    gate = w.op("Mul", gate, w.op("Sigmoid", gate))
    up = w.linear(f"{name}.up_proj", layer.up_proj, x)
    return w.linear(f"{name}.down_proj", layer.down_proj, w.op("Mul", gate, up))


def _inputs(shape: Shape) -> list[Any]:
    from onnx import TensorProto, helper

    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["rows", "tokens"])
    return [ids, *_cache(shape, "past_key_values", "before")]


def _outputs(shape: Shape) -> list[Any]:
    from onnx import TensorProto, helper

    sizes = ["rows", "tokens", "vocabulary"]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, sizes)
    return [logits, *_cache(shape, "present", "all")]


def _cache(shape: Shape, name: str, tokens: str) -> list[Any]:
    from onnx import TensorProto, helper

    sizes: list[str | int | None] = ["rows", shape.heads, tokens, shape.width]
    return [
        helper.make_tensor_value_info(f"{name}.{i}.{part}", TensorProto.FLOAT, sizes)
        for i in range(shape.layers)
        for part in ("key", "value")
    ]
