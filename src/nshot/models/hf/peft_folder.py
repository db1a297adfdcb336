"""An adapter's folder as PEFT writes it, read without PEFT: is it whole, safe, and of this model?

What is asked for here is known before anything runs. PEFT itself would only warn of tensors that
it finds no place for, and go on with an adapter that is partly or wholly untrained.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from nshot.core.errors import Fault, InputError
from nshot.core.types import ModelRef
from nshot.models import catalog

CONFIG, TENSORS = "adapter_config.json", "adapter_model.safetensors"
FILES = (CONFIG, TENSORS)
_PICKLED = "adapter_model.bin"
_PREFIX = "base_model.model."
_OWN = ("lora_", "ia3_")
"""How the parts of a tensor's name begin that are the adapter's; before them stands the module."""

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class PeftFolder:
    """A PEFT folder that can be put on some causal language model.

    `config` is its ``adapter_config.json``, `shapes` those of its tensors by name.
    """

    folder: Path
    config: Mapping[str, Any]
    shapes: Shapes

    @property
    def base(self) -> str:
        """The model it was trained on, as its folder says; "" where it does not say."""
        return str(self.config.get("base_model_name_or_path") or "")

    @property
    def sha256(self) -> str:
        """SHA-256 over the two files that make it; what else lies in the folder is not it."""
        whole = hashlib.sha256()
        for name in FILES:
            whole.update(hashlib.sha256((self.folder / name).read_bytes()).digest())
        return whole.hexdigest()

    def misfits(self, ref: ModelRef) -> list[Fault]:
        """Why it cannot be put on `ref`, as far as names and shapes tell."""
        if ref.engine != "hf":
            expected = "a transformers model"
            return [Fault(f"no adapter can be put on {ref.name}", expected, where=str(self.folder))]
        place = catalog.locate(ref)
        known = dict(_shapes(*sorted(place.glob("*.safetensors"))))
        config = json.loads((place / "config.json").read_text(encoding="utf-8"))
        misfit = next(self._misfits(known, config.get("text_config", config)), None)
        if misfit is None:
            return []
        return [
            Fault(
                f"an adapter of another model than {ref.name}: {misfit}",
                expected=f"an adapter of {ref.name}",
                do=f"--model {self.base}" if self.base else "--model with the one it was made for",
                where=str(self.folder),
            )
        ]

    def _misfits(self, known: Shapes, config: Mapping[str, Any]) -> Iterator[str]:
        """Each tensor that has no place among the base's, and the settings that are not its."""
        modules = {name.rpartition(".")[0]: shape for name, shape in known.items()}
        # Some bases are saved without the name of their body.
        modules |= {
            f"{body}.{n}": s for body in ("model", "transformer") for n, s in modules.items()
        }
        for name, shape in self.shapes.items():
            module = _module(name)
            if module is None:
                continue
            if module not in modules:
                yield f"it changes '{module}', and there is no such module"
            elif not set(shape) & set(modules[module]):
                yield f"'{name}' is {shape}, and the module's weight {modules[module]}"
        layers = config.get("num_hidden_layers", config.get("n_layer"))
        if self.config.get("num_layers") not in (None, layers):
            yield f"it was made for {self.config['num_layers']} layers, the model has {layers}"
        soft, width = self.shapes.get("prompt_embeddings"), config.get("hidden_size")
        embedded = self.config["peft_type"] in ("PROMPT_TUNING", "P_TUNING")
        if soft and width and embedded and soft[-1] != width:
            yield f"its soft prompt is {soft[-1]} wide, the model {width}"


def read(folder: Path) -> PeftFolder:
    """A PEFT folder, looked at. Raises `InputError` for one that cannot answer, and why."""
    missing = _missing(folder)
    if missing:
        raise InputError(missing)
    config = _config(folder / CONFIG)
    try:
        shapes = dict(_shapes(folder / TENSORS))
    except Exception as error:  # the library's own exception is not exported
        raise InputError(
            Fault(
                f"not safetensors: {error}", do="copy the file again", where=str(folder / TENSORS)
            )
        ) from None
    return PeftFolder(folder, config, shapes)


def from_the_future(path: Path) -> list[Fault]:
    """Whether an adapter was written by a later PEFT than is installed, which would skip settings
    that it does not know."""
    from importlib.metadata import version

    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return []  # who reads it says so
    written = str(config.get("peft_version") or "").split("@")[0]
    here = version("peft")
    if _release(written) <= _release(here):
        return []
    expected, do = f"by peft {here} or an earlier one", f"pip install 'peft>={written}'"
    return [Fault(f"written by peft {written}", expected, do, str(path))]


def _release(text: str) -> tuple[int, ...]:
    """The first two numbers of a version; none of a text that is no version."""
    match = re.match(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else ()


def _missing(folder: Path) -> list[Fault]:
    where = str(folder)
    if not folder.is_dir():
        return [Fault("no such folder", f"a folder with {CONFIG} and {TENSORS}", where=where)]
    faults = []
    if not (folder / CONFIG).is_file():
        faults.append(
            Fault(f"no {CONFIG}", "a folder that PEFT's save_pretrained wrote", where=where)
        )
    if (folder / TENSORS).is_file():
        return faults
    if (folder / _PICKLED).is_file():
        do = "load it with PEFT where you trust it, then model.save_pretrained(DIR)"
        faults.append(Fault(f"{_PICKLED} can run code when it is read", TENSORS, do, where))
    else:
        faults.append(Fault(f"no {TENSORS}", "the adapter's weights", where=where))
    return faults


def _config(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(Fault(f"not JSON: {error}", where=str(path))) from None
    if not isinstance(config, dict) or not isinstance(config.get("peft_type"), str):
        raise InputError(Fault("no peft_type", "what PEFT's save_pretrained writes", "", str(path)))
    if config.get("task_type") not in (None, "CAUSAL_LM"):
        raise InputError(
            Fault(
                f"an adapter for {config['task_type']}: which of its outputs is which label of"
                " yours is not in the folder",
                expected="an adapter of a causal language model",
                where=str(path),
            )
        )
    if str(config.get("init_lora_weights")).startswith("pissa"):
        raise InputError(
            Fault(
                "a PiSSA adapter that was not converted: it would be put on other weights than"
                " those it was trained on",
                do="save it with path_initial_model_for_weight_conversion",
                where=str(path),
            )
        )
    return config


def _module(name: str) -> str | None:
    """The module of the base that a tensor changes; None where the name does not tell."""
    parts = name.removeprefix(_PREFIX).split(".")
    at = next((i for i, part in enumerate(parts) if part.startswith(_OWN)), None)
    return None if at is None else ".".join(parts[:at])


def _shapes(*files: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every tensor of safetensors files, from their headers."""
    from safetensors import safe_open

    for path in files:
        with safe_open(path, framework="np") as file:
            for name in file.keys():  # noqa: SIM118
                yield name, tuple(file.get_slice(name).get_shape())
