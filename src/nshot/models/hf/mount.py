"""Putting things on a base model, and taking them off so that nothing of them stays.

Adapters, hooks and freed weights all go through one door: a `State` holds how the module is built
and where each weight lies, and makes it that again. It does not trust what was mounted to undo
itself, so it also holds after an exception in the middle of a training step.
"""

from __future__ import annotations

import copy
import fnmatch
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from nshot.core.errors import Fault, InputError
from nshot.core.types import Delta
from nshot.models.hf.cache import NOTHING, CachedPrefix, from_cache
from nshot.models.hf.quantised import tensors

_WORDS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""What a number of so many bytes is summed as."""


class State:
    """A module as it is now: its submodules, hooks, flags, configuration and where its weights lie.

    All by reference: nothing is copied, and to go from one state to another takes milliseconds.
    """

    def __init__(self, module: Any) -> None:
        self._module = module
        self._parts = [(m, _shallow(m.__dict__)) for m in module.modules()]
        self._config = copy.deepcopy(module.config.__dict__)
        self._weights = [
            (p, p.data, p.requires_grad, dict(p.__dict__)) for p in module.parameters()
        ]

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """Its parameters."""
        return [parameter for parameter, *_ in self._weights]

    def restore(self) -> None:
        """Make the module what it was. Gradients stay."""
        for module, state in self._parts:
            _restore(module.__dict__, state)
        self._module.config.__dict__.clear()
        self._module.config.__dict__.update(copy.deepcopy(self._config))
        for parameter, data, requires_grad, marks in self._weights:
            parameter.__dict__.clear()  # packed weights say there how to read them
            parameter.__dict__.update(marks)
            parameter.data = data
            parameter.requires_grad_(requires_grad)


class Bare(State):
    """A base as it was loaded, with a number for each weight that tells whether it was changed."""

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self._sums = self._checksums()

    def intact(self) -> bool:
        """Whether every weight is what it was, wherever the module points now."""
        return self._checksums() == self._sums

    def put_back(self) -> bool:
        """Restore all of it. False when a weight was changed where it lay: then load it again."""
        self.restore()
        for parameter in self.parameters:
            parameter.grad = None
        return self.intact()

    def _checksums(self) -> list[int]:
        """One number per tensor, which a changed weight changes: far cheaper than `fingerprint`."""
        with torch.no_grad():
            return [
                int(t.contiguous().view(_WORDS[t.element_size()]).sum(dtype=torch.int64))
                for parameter, data, *_ in self._weights
                for t in (data, *tensors(parameter)[1:])
            ]


def _shallow(state: dict[str, Any]) -> dict[str, Any]:
    """A copy one level down: the tables of submodules, parameters and hooks are copied too."""
    return {k: v.copy() if isinstance(v, dict) else v for k, v in state.items()}


def _restore(now: dict[str, Any], before: dict[str, Any]) -> None:
    for key in now.keys() - before.keys():
        del now[key]
    for key, value in before.items():
        table = now.get(key)
        if not (isinstance(value, dict) and isinstance(table, dict)):
            now[key] = value
        elif value or table:  # the same table: handles of hooks point at it
            table.clear()
            table.update(value)


def fingerprint(module: torch.nn.Module) -> str:
    """SHA-256 over the names, shapes, dtypes and bytes of the module's parameters."""
    h = hashlib.sha256()
    for name, parameter in sorted(module.named_parameters()):
        h.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}\n".encode())
        for tensor in tensors(parameter):
            raw = tensor.reshape(-1).contiguous().cpu().view(torch.uint8).numpy()
            h.update(raw.data)
    return h.hexdigest()


def matching(module: torch.nn.Module, patterns: Sequence[str]) -> tuple[str, ...]:
    """Names of the parameters that match glob patterns; each must match some, else `InputError`."""
    names = [name for name, _ in module.named_parameters()]
    faults = [
        Fault(f"no parameter matches '{pattern}'", expected=f"names such as {names[-1]}")
        for pattern in patterns
        if not fnmatch.filter(names, pattern)
    ]
    if faults:
        raise InputError(faults)
    return tuple(name for name in names if any(fnmatch.fnmatchcase(name, p) for p in patterns))


def mount(module: torch.nn.Module, deltas: Sequence[Delta]) -> Any:
    """Apply deltas, weights first; the module that answers: `module` itself, or PEFT's wrapper.

    Raises `InputError` for a folder that is not of this model, and for two adapters of which one
    would be put on the other's layers.
    """
    from nshot.nets import bottleneck

    adapters = [delta for delta in deltas if delta.kind != "weights"]
    if len(adapters) > 1 and any(_alone(delta) for delta in adapters):
        raise InputError("bottleneck adapters and label heads stand alone: one adapter, no second")
    for delta in deltas:
        if delta.kind == "weights":
            _mount_weights(module, Path(delta.folder))
    for delta in adapters:
        if delta.kind == "bottleneck":
            bottleneck.load(module, Path(delta.folder))
    folders = [delta.folder for delta in deltas if delta.kind == "peft"]
    return _mount_adapters(module, folders) if folders else module


def _alone(delta: Delta) -> bool:
    """Whether no other adapter can stand beside this one."""
    from nshot.nets.label_head import is_label_head

    return delta.kind == "bottleneck" or is_label_head(Path(delta.folder))


def _mount_weights(module: torch.nn.Module, folder: Path) -> None:
    from safetensors.torch import load_file

    parameters = dict(module.named_parameters())
    for file in sorted(folder.glob("*.safetensors")) or _nothing(folder, "*.safetensors"):
        for name, tensor in load_file(file).items():
            if name not in parameters or parameters[name].shape != tensor.shape:
                raise InputError(
                    Fault(
                        f"weights '{name}' {tuple(tensor.shape)} are not this model's",
                        do="",
                        where=str(file),
                    )
                )
            parameters[name].data = tensor.to(parameters[name].device, parameters[name].dtype)


def _mount_adapters(module: torch.nn.Module, folders: Sequence[str]) -> Any:
    from nshot.nets.label_head import classifier, head_weights, is_label_head

    if is_label_head(Path(folders[0])):
        module = classifier(module, len(head_weights(Path(folders[0]))))
    # Of one length, since PEFT looks for them anywhere in a tensor's name: "1" is in "layers.1".
    names = [f"delta_{index:03}" for index in range(len(folders))]
    wrapped = load_adapter(module, None, names[0], Path(folders[0]))
    for name, folder in zip(names[1:], folders[1:], strict=True):
        load_adapter(module, wrapped, name, Path(folder))
    if len(names) > 1:
        wrapped.base_model.set_adapter(names)
    return wrapped.eval()


def load_adapter(
    module: torch.nn.Module, wrapped: Any, name: str, folder: Path, trainable: bool = False
) -> Any:
    """A PEFT folder under a name, beside those on `wrapped` (None: the first one); PEFT's wrapper.

    Raises `InputError` for a folder that is not of this model.
    """
    from peft import PeftModel

    if not (folder / "adapter_model.safetensors").exists():
        _nothing(folder, "adapter_model.safetensors")
    try:
        if wrapped is None:
            wrapped = PeftModel.from_pretrained(
                module, str(folder), adapter_name=name, is_trainable=trainable
            )
        else:
            wrapped.load_adapter(str(folder), adapter_name=name, is_trainable=trainable)
    except (ValueError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), "")
        raise InputError(Fault(f"PEFT cannot put it on: {reason}", where=str(folder))) from error
    _require_all_used(wrapped, name, folder)
    return wrapped


def _require_all_used(wrapped: Any, name: str, folder: Path) -> None:
    """Raise `InputError` for a tensor without a place, or a place without its tensor.

    PEFT would only warn, and answer with an adapter that is partly untrained.
    """
    from peft import get_peft_model_state_dict
    from safetensors import safe_open

    with safe_open(folder / "adapter_model.safetensors", framework="pt") as file:
        given = set(file.keys())
    places = get_peft_model_state_dict(wrapped, adapter_name=name, save_embedding_layers=False)
    # An adapter saved with the model's own embeddings brings them along.
    unused = given - places.keys() - wrapped.state_dict().keys()
    if wrong := sorted(unused) or sorted(places.keys() - given):
        raise InputError(
            Fault(
                f"an adapter of another model: {len(wrong)} of its tensors have no place here, or"
                f" are missing, such as '{wrong[0]}'",
                do="use it on the model it was trained on",
                where=str(folder),
            )
        )


def _nothing(folder: Path, expected: str) -> Any:
    raise InputError(Fault("no adapter or weights here", f"a file {expected}", where=str(folder)))


def is_soft_prompt(module: Any) -> bool:
    """Whether this is a PEFT model whose adapter stands before the tokens."""
    config = getattr(module, "active_peft_config", None)
    return config is not None and bool(config.is_prompt_learning)


def soft_prefix(answering: Any) -> CachedPrefix:
    """The soft prompt of a PEFT model as keys and values; nothing for other adapters.

    Prefix tuning stores them; prompt tuning stores embeddings, which the base reads once.
    """
    if not is_soft_prompt(answering):
        return NOTHING
    with torch.no_grad():
        soft = answering.get_prompt(batch_size=1)
        cache = soft
        if isinstance(soft, torch.Tensor):
            base = answering.get_base_model()
            cache = base(inputs_embeds=soft.to(base.dtype), use_cache=True).past_key_values
        length = answering.active_peft_config.num_virtual_tokens
        return CachedPrefix(from_cache(cache, length))
