"""Frozen image networks: what they see in a picture at several depths, each picture by itself.

A picture goes through the network alone, never in a batch: its features then cannot depend on
what else was asked, and on two cores one at a time is no slower.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nshot.core import machine
from nshot.core.errors import Fault, InputError
from nshot.core.types import Image, ModelRef, digest
from nshot.data.fitted import fitted
from nshot.data.pictures import read_picture
from nshot.models import catalog
from nshot.models.base import View
from nshot.models.embedded.conversion import cache_folder
from nshot.models.embedded.lite0 import WEIGHTS
from nshot.models.embedded.packages import FEATURES
from nshot.models.hf.views import colours, pooled, seen
from nshot.models.wrap.kept_features import Kept, KeptFeatures
from nshot.nets import learners
from nshot.nets.efficientnet import SHOWN, SIDE, EfficientNetLite0

VERSION = 1
"""Raised when the same picture and weights give other features."""
DEPTHS = 6
"""Layers shown of a transformers network, evenly from shallow to deep, before the last."""
HEAD = "head"
TIMED = 3
"""Pictures that a process looks at anew though they are kept, to know what the others save."""


class Network(Protocol):
    """A network that shows its maps."""

    side: int
    layers: tuple[str, ...]
    module: nn.Module

    def maps(self, square: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """One (channels, side, side) map a layer, of one picture (side, side, 3)."""
        ...


class Lite0:
    """The embedded EfficientNet-Lite0."""

    side = SIDE
    layers = (*(f"block{i}" for i in SHOWN), HEAD)

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file

        module = EfficientNetLite0()
        module.load_state_dict(load_file(folder / WEIGHTS))
        self.module = _frozen(module)

    @torch.inference_mode()
    def maps(self, square: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Of the blocks shown and of the head; the colours go in less 127, by 128."""
        x = _tensor(square).sub_(127).div_(128)
        return [made[0].cpu().numpy() for made in self.module(x)]


class Backbone:
    """A vision model of the transformers library: a folder, or a Hub model by name.

    Convolutional maps are taken as they are; of a row of tokens the patches make the map, and the
    head is the class token, where there is one.
    """

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel
        from transformers.utils import logging

        _check_kind(folder)
        logging.disable_progress_bar()
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        model = AutoModel.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, **options
        )
        self.module = _frozen(getattr(model, "vision_model", model))
        self._mean, self._std, self.side = _preprocessing(folder, model.config)
        maps = self._hidden(np.zeros((self.side, self.side, 3), np.uint8))[0]
        deep = np.linspace(1, len(maps) - 1, min(DEPTHS, len(maps) - 1)).round().astype(int)
        self._shown = tuple(dict.fromkeys(deep.tolist()))
        self.layers = (*(f"layer{i}" for i in self._shown), HEAD)

    def maps(self, square: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Of the layers shown; the head's is what the network hands on, in one place or more."""
        maps, head = self._hidden(square)
        return [*(maps[i] for i in self._shown), head]

    @torch.inference_mode()
    def _hidden(
        self, square: NDArray[np.uint8]
    ) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
        x = (_tensor(square).div_(255) - _colour(self._mean)) / _colour(self._std)
        outputs = self.module(pixel_values=x, output_hidden_states=True)
        states = getattr(outputs, "reshaped_hidden_states", None) or outputs.hidden_states
        maps = [_map(state) for state in states]
        last = outputs.last_hidden_state
        first = last[0, :1].T[:, :, None] if last.ndim == 3 and _classed(last) else None
        head = maps[-1] if first is None else first.cpu().numpy()
        return maps, head


class Taught:
    """The embedding of a learner that `nshot episodes` trained, at the size it was trained on."""

    layers: tuple[str, ...] = (HEAD,)

    def __init__(self, folder: Path) -> None:
        self._learner = learners.load(folder).to(machine.device())
        self.module: nn.Module = self._learner
        if len(self._learner.shape) != 3:
            problem = f"a learner of vectors of {self._learner.shape[0]} numbers"
            raise InputError(Fault(problem, "one that reads pictures", where=str(folder)))
        if not self._learner.embeds:
            problem = f"{self._learner.kind} embeds nothing before it has seen a support set"
            raise InputError(Fault(problem, "a learner that embeds", where=str(folder)))
        self.side = self._learner.shape[1]

    @torch.inference_mode()
    def maps(self, square: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """What it embeds the picture as: its maps, or its numbers as maps of one place."""
        item = torch.from_numpy(fitted(square, self._learner.shape)).to(machine.device())
        features = self._learner.embed(item[None])[0].cpu().numpy()
        return [features if features.ndim == 3 else features.reshape(-1, 1, 1)]


def _frozen(module: nn.Module) -> nn.Module:
    module = module.to(machine.device()).eval().requires_grad_(False)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _tensor(square: NDArray[np.uint8]) -> Tensor:
    """(1, 3, side, side), float32, channels last in memory, on the machine's device."""
    x = torch.from_numpy(np.array(square)).to(machine.device())
    return x.permute(2, 0, 1)[None].float().contiguous(memory_format=torch.channels_last)


def _colour(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, device=machine.device()).view(1, 3, 1, 1)


def _classed(states: Tensor) -> bool:
    """Whether tokens stand before the patches, which fill a square."""
    return int(states.shape[1] ** 0.5) ** 2 != states.shape[1]


def _map(state: Tensor) -> NDArray[np.float32]:
    """(channels, side, side) of a layer's (1, channels, h, w), or (1, tokens, channels)."""
    if state.ndim == 3:
        side = int(state.shape[1] ** 0.5)
        patches = state[0, state.shape[1] - side * side :]
        return patches.T.reshape(-1, side, side).cpu().numpy()
    return state[0].cpu().numpy()


def _check_kind(folder: Path) -> None:
    """Raises `InputError` for a timm folder where timm is not installed."""
    import importlib.util

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "model_type" not in config and importlib.util.find_spec("timm") is None:
        raise InputError(
            Fault(
                "a timm model, and timm is not installed",
                expected="a vision model that transformers can read by itself",
                do="pip install timm torchvision",
                where=str(folder),
            )
        )


def _preprocessing(folder: Path, config: Any) -> tuple[list[float], list[float], int]:
    """Mean and deviation of the colours (0 to 1), and the side in pixels."""
    file = folder / "preprocessor_config.json"
    settings = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    size = settings.get("crop_size") or settings.get("size") or {}
    side = size if isinstance(size, int) else size.get("height") or size.get("shortest_edge")
    inner = getattr(config, "vision_config", config)
    side = side or getattr(inner, "image_size", None) or SIDE
    mean, std = settings.get("image_mean") or [0.5] * 3, settings.get("image_std") or [0.5] * 3
    return mean, std, int(side if isinstance(side, int) else side[0])


class VisionEncoder:
    """See `nshot.models.base.PictureEncoder`; features are kept on disk between runs."""

    def __init__(self, ref: ModelRef) -> None:
        folder = catalog.locate(ref)
        self._ref = ref
        self._network: Network
        if ref.name == FEATURES.name:
            self._network = Lite0(folder)
        else:
            self._network = Taught(folder) if learners.is_learner(folder) else Backbone(folder)
        engine = digest(str(VERSION), _weights(folder), repr(self.layers), machine.device())
        self._kept = KeptFeatures(cache_folder() / "pictures", engine)
        self._times: dict[View, list[float]] = {}

    @property
    def ref(self) -> ModelRef:
        """What this is."""
        return self._ref

    @property
    def layers(self) -> tuple[str, ...]:
        """Its layers that are shown, shallow to deep, the head last."""
        return self._network.layers

    @property
    def bytes(self) -> int:
        """Bytes of its weights."""
        return sum(p.numel() * p.element_size() for p in self._network.module.parameters())

    def encode(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """(images, width), unit length rows: the head's mean over all of the picture."""
        rows = self.features(images, "whole")[f"{self.layers[-1]}.mean"]
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(rows / np.where(length > 0, length, 1), np.float32)

    def features(self, images: Sequence[Image], view: View) -> dict[str, NDArray[np.float32]]:
        """(images, width of the part) by the name of the part."""
        kept = [self._of(image, view) for image in images]
        names = kept[0] if kept else self._look(np.zeros((1, 1, 3), np.uint8), view)
        widths = {name: len(values) for name, values in names.items()}
        return {
            name: np.array([one[name] for one in kept], np.float32).reshape(-1, width)
            for name, width in widths.items()
        }

    def _of(self, image: Image, view: View) -> Kept:
        name = f"{image.sha256}-{view}"
        kept = self._kept.get(name)
        if kept is None:
            kept = self._timed(image, view)
            self._kept.put(name, kept)
        elif len(times := self._times.setdefault(view, [])) < TIMED:
            with contextlib.suppress(InputError):  # the picture itself may be gone
                self._timed(image, view)
        else:
            machine.saved(sum(times) / len(times))
        return kept

    def _timed(self, image: Image, view: View) -> Kept:
        start = time.perf_counter()
        made = self._look(read_picture(image), view)
        self._times.setdefault(view, []).append(time.perf_counter() - start)
        return made

    def _look(self, picture: NDArray[np.uint8], view: View) -> Kept:
        square = seen(picture, self._network.side, view)
        maps = self._network.maps(square)
        parts = colours(square) if view == "whole" else {}
        for layer, values in zip(self.layers, maps, strict=True):
            parts |= pooled(layer, values)
        parts.pop(f"{self.layers[-1]}.rings")  # as wide as all else together, and of no use
        return parts


def _weights(folder: Path) -> str:
    """SHA-256 over the folder's weights and configuration."""
    h = hashlib.sha256()
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*config.json")]):
        h.update(file.read_bytes())
    return h.hexdigest()
