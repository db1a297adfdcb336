"""A linear head over labels in the place of the vocabulary, on a language model's own body."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from nshot.core.errors import CannotAdapt, Fault, InputError

_CONFIG, _TENSORS = "adapter_config.json", "adapter_model.safetensors"
_HEADS = ("base_model.model.score.weight", "base_model.model.classifier.weight")
"""What PEFT calls the head's weight, after what transformers' families call the head."""


def classifier(module: Any, labels: int) -> Any:
    """The sequence classifier of `module`'s family, around the very body of `module`.

    Its head ``score`` (labels, width), without a bias, is fresh and random; nothing else is made,
    and no weight of `module` is touched or held twice. Raises `CannotAdapt` where transformers has
    no sequence classifier of this family that is built so.
    """
    from transformers import AutoModelForSequenceClassification

    config = copy.deepcopy(module.config)
    config.num_labels = labels
    try:
        with torch.device("meta"):
            shell = AutoModelForSequenceClassification.from_config(config)
        head = nn.Linear(shell.score.in_features, labels, bias=False)
    except (ValueError, AttributeError) as error:
        raise CannotAdapt(f"no label head on a {config.model_type}: {error}") from error
    nn.init.normal_(head.weight, std=getattr(config, "initializer_range", 0.02))
    shell.score = head.to(module.device, module.dtype)
    setattr(shell, shell.base_model_prefix, module.base_model)
    if any(parameter.is_meta for parameter in shell.parameters()):
        raise CannotAdapt(f"no label head on a {config.model_type}: it is more than body and score")
    return shell


class LabelLogits(nn.Module):
    """Reads like a causal language model whose vocabulary is the labels.

    Args:
        adapted: PEFT's wrapper of a `classifier`. Its body reads, its head answers at every
            token; transformers' own forward pass would answer at the last one of each row only.
    """

    def __init__(self, adapted: Any) -> None:
        super().__init__()
        self.adapted = adapted

    @property
    def config(self) -> Any:
        """The model's configuration."""
        return self.adapted.config

    @property
    def dtype(self) -> torch.dtype:
        """What the body computes in."""
        return self.base_model.dtype  # type: ignore[no-any-return]

    @property
    def base_model(self) -> Any:
        """The body."""
        return self.adapted.get_base_model().base_model

    def get_output_embeddings(self) -> Any:
        """The head."""
        return self.adapted.get_base_model().score

    def forward(self, **given: Any) -> SimpleNamespace:
        """``logits`` (rows, length, labels)."""
        states: Tensor = self.base_model(**given).last_hidden_state
        return SimpleNamespace(logits=self.get_output_embeddings()(states))


def is_label_head(folder: Path) -> bool:
    """Whether a folder is PEFT's of a sequence classifier."""
    path = folder / _CONFIG
    if not path.is_file():
        return False
    record = json.loads(path.read_text(encoding="utf-8"))
    return isinstance(record, dict) and record.get("task_type") == "SEQ_CLS"


def head_weights(folder: Path) -> Tensor:
    """The head's weight (labels, width) in a PEFT folder; `InputError` where it has none."""
    from safetensors import safe_open

    with safe_open(folder / _TENSORS, framework="pt") as file:
        for name in _HEADS:
            if name in file.keys():  # noqa: SIM118
                weight: Tensor = file.get_tensor(name)
                return weight
    raise InputError(
        Fault("a classifier without a head", f"a tensor {_HEADS[0]}", where=str(folder / _TENSORS))
    )
