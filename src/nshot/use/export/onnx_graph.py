"""The torch module that becomes an ONNX graph: encoder, pooling, head."""

from __future__ import annotations

import copy
import logging
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from nshot.core.errors import Fault, InputError
from nshot.core.files import replacing, write_atomic
from nshot.models.base import LendsCopy
from nshot.models.hf.encoder import prompt_of
from nshot.predictors.folder import array, ref_from_json
from nshot.predictors.ordinal_head import NEVER

if TYPE_CHECKING:
    from nshot.models.base import Models
    from nshot.predictors.folder import Saved

LEAST = 1e-3
OPSET = 18
EXAMPLE = "a text of a few words, by which the graph is traced"


class Graph(nn.Module):
    """Scores (rows, outputs), float64, of token ids (rows, tokens)."""

    def __init__(self, encoder: nn.Module, head: nn.Module, has_types: bool) -> None:
        super().__init__()
        self.encoder, self.head, self.has_types = encoder, head, has_types

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The encoder's modules one after the other, unit length, then the head."""
        features: Any = {"input_ids": input_ids, "attention_mask": attention_mask}
        if self.has_types:
            features["token_type_ids"] = torch.zeros_like(input_ids)
        features = self.encoder(features)
        vectors = nn.functional.normalize(features["sentence_embedding"], dim=-1)
        scores: Tensor = self.head(vectors.double())
        return scores


class Linear(nn.Module):
    """vectors @ weights + bias, as log-probabilities: of one label, or of each by itself."""

    def __init__(self, weights: Any, bias: Any, kind: str) -> None:
        super().__init__()
        self.weights, self.bias, self.kind = _fixed(weights), _fixed(bias), kind

    def forward(self, vectors: Tensor) -> Tensor:
        """(rows, outputs) of (rows, width)."""
        logits = vectors @ self.weights + self.bias
        if self.kind == "label_head":
            return logits.log_softmax(-1)
        return logits.sigmoid().clamp(LEAST, 1 - LEAST).log()


class Prototypes(nn.Module):
    """log softmax(scale * cosine) with each label's prototype; -1 where a label has none."""

    def __init__(self, prototypes: Any, scale: float) -> None:
        super().__init__()
        rows = np.asarray(prototypes, dtype=np.float64)
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        self.rows = _fixed((rows / np.where(lengths > 0, lengths, 1)).T)
        self.absent, self.scale = _fixed(~rows.any(axis=1) * 1.0), scale

    def forward(self, vectors: Tensor) -> Tensor:
        """(rows, labels) of (rows, width)."""
        likeness = vectors @ self.rows * (1 - self.absent) - self.absent
        return (likeness * self.scale).log_softmax(-1)


class Levels(nn.Module):
    """Log-probabilities of levels along a line: see `predictors.ordinal_head.level_logprobs`."""

    def __init__(self, weights: Any, thresholds: Any, known: Any, labels: int) -> None:
        super().__init__()
        self.weights, self.thresholds = _fixed(weights), _fixed(thresholds)
        inside = np.log(-np.expm1(-np.diff(thresholds)))
        self.middle = _fixed(np.concatenate([[0.0], inside, [0.0]]))
        places = np.zeros((len(known), labels))
        places[np.arange(len(known)), known] = 1
        self.places = _fixed(places)
        self.unknown = _fixed(NEVER * (1 - places.sum(axis=0)))

    def forward(self, vectors: Tensor) -> Tensor:
        """(rows, labels) of (rows, width)."""
        edges = self.thresholds - (vectors @ self.weights)[:, None]
        none = torch.zeros_like(edges[:, :1])
        below, above = nn.functional.logsigmoid(edges), nn.functional.logsigmoid(-edges)
        known = torch.cat([below, none], 1) + torch.cat([none, above], 1) + self.middle
        return known @ self.places + self.unknown


def _fixed(values: Any) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.array(values, dtype=np.float64)), requires_grad=False)


def head_of(saved: Saved) -> nn.Module:
    """The head of a saved predictor."""
    if saved.kind == "nearest":
        from nshot.predictors.nearest import TEMPERATURE

        scale = saved.settings.get("scale", 1 / TEMPERATURE)
        return Prototypes(array(saved, "prototypes"), scale)
    weights = array(saved, "weights")
    if saved.kind == "ordinal_head":
        thresholds, known = array(saved, "thresholds"), array(saved, "known")
        return Levels(weights, thresholds, known, len(saved.task.labels))
    return Linear(weights, array(saved, "bias"), saved.kind)


def write_graph(saved: Saved, models: Models, graph: Path, tokenizer: Path) -> tuple[str, int]:
    """Write the graph and the tokenizer; what stands before each text, and tokens read of it.

    Raises `InputError` for an encoder that shows no module of torch, or has no fast tokenizer.
    """
    ref = ref_from_json(saved.settings["source"]["ref"], saved.folder)
    encoder = models.encoder(ref)
    if not isinstance(encoder, LendsCopy):
        problem = f"{ref.name} is no encoder whose weights are at hand"
        raise InputError(Fault(problem, "a sentence encoder on this disk"))
    lent = encoder.lend()
    backend = getattr(lent.tokenizer, "backend_tokenizer", None)
    if backend is None:
        problem = f"the tokenizer of {ref.name} has no file of its own"
        raise InputError(Fault(problem, "one of the package tokenizers"))
    module = copy.deepcopy(lent.module).cpu().float().eval().requires_grad_(False)
    plain = type(backend).from_str(backend.to_str())
    plain.no_padding()
    plain.no_truncation()
    write_atomic(tokenizer, plain.to_str())
    limit = int(module.max_seq_length or 512)
    whole = Graph(module, head_of(saved), "token_type_ids" in lent.tokenizer.model_input_names)
    _traced(whole, plain.encode(EXAMPLE).ids[:limit], limit, graph)
    return prompt_of(module), limit


def _traced(module: Graph, ids: list[int], limit: int, path: Path) -> None:
    """Export with any number of rows, and of tokens up to `limit`; the weights are inside."""
    tokens = torch.tensor([ids, ids])
    size = torch.export.Dim.DYNAMIC
    dynamic = {0: size, 1: size(min=1, max=limit)}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.eval(),
            (tokens, torch.ones_like(tokens)),
            input_names=["input_ids", "attention_mask"],
            output_names=["scores"],
            dynamic_shapes=(dynamic, dynamic),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
        if program is None:
            raise InputError(Fault("torch gives no graph of this encoder"))
        with replacing(path) as draft:
            program.save(str(draft), external_data=False)
