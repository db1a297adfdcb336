"""The learners by name, and how one lies on disk: ``config.json`` and ``model.safetensors``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from nshot.core.errors import Fault, InputError, nearest
from nshot.nets.learner import Learner

KINDS: Mapping[str, str] = {
    "prototypical": "nshot.nets.prototypical:Prototypical",
    "matching": "nshot.nets.matching:Matching",
    "relation": "nshot.nets.relation:Relation",
    "baseline": "nshot.nets.baseline:Baseline",
    "baseline_pp": "nshot.nets.baseline:BaselinePP",
    "meta_baseline": "nshot.nets.meta_baseline:MetaBaseline",
    "maml": "nshot.nets.maml:MAML",
}
"""Kind -> module and class: a closed table."""
RECORD, WEIGHTS = "config.json", "model.safetensors"
_TYPE = "nshot-learner"
"""What the record says of itself, where other folders name an architecture."""


def save(learner: Learner, folder: Path) -> None:
    """Write a learner into a folder that is its own."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.contiguous().cpu() for name, tensor in learner.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    record = {"model_type": _TYPE, "kind": learner.kind, "settings": learner.settings}
    (folder / RECORD).write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")


def load(folder: Path) -> Learner:
    """The learner that `save` wrote, in eval mode, on the CPU; `InputError` for anything else."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        learner = make(record["kind"], record["settings"])
        learner.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise InputError(
            Fault(
                f"no learner can be read: {error}",
                expected=f"{RECORD} and {WEIGHTS} as nshot wrote them",
                do="copy the whole folder again",
                where=str(folder),
            )
        ) from None
    return learner.eval()


def is_learner(folder: Path) -> bool:
    """Whether a model's folder holds a learner."""
    path = folder / RECORD
    if not path.is_file():
        return False
    record = json.loads(path.read_text(encoding="utf-8"))
    return isinstance(record, dict) and record.get("model_type") == _TYPE


def make(kind: str, settings: Mapping[str, object]) -> Learner:
    """An untrained learner; `InputError` for an unknown kind."""
    if kind not in KINDS:
        raise InputError(Fault(f"unknown learner '{kind}'", do=nearest(kind, KINDS)))
    module, name = KINDS[kind].split(":")
    learner: Learner = getattr(import_module(module), name)(**settings)
    return learner
