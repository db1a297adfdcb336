"""How a predictor lies on disk: ``nshot.json``, ``arrays.safetensors``, and nothing executable."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.files import RECORD, STAY, unsafe_files, write_atomic, write_folder
from nshot.core.serial import from_data, read_json, to_data
from nshot.core.types import Delta, ModelRef, Task
from nshot.models.hf import peft_folder
from nshot.predictors.checks import PICTURES

FORMAT = 1
"""Raised when a folder written today could not be read by yesterday's code."""
ARRAYS = "arrays.safetensors"

SCALES = ".scales"
"""Behind the name of an array of whole numbers: what each vector of it is to be multiplied by."""

Arrays: TypeAlias = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Saved:
    """A predictor's folder, read: its kind, task, settings (JSON) and arrays by name."""

    folder: Path
    kind: str
    task: Task
    settings: Mapping[str, Any]
    arrays: Arrays = field(default_factory=dict)


def write(
    folder: Path, kind: str, task: Task, settings: Mapping[str, Any], arrays: Arrays | None = None
) -> None:
    """Write a predictor's record and arrays, the record last: with it the folder is whole."""
    from safetensors.numpy import save

    folder.mkdir(parents=True, exist_ok=True)
    if arrays:
        plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        write_atomic(folder / ARRAYS, save(plain))
    record = {
        "format": FORMAT,
        "kind": kind,
        "task": to_data(task),
        "settings": settings,
        "files": hashes(folder),
    }
    text = json.dumps(record, ensure_ascii=False, indent=1, sort_keys=True)
    write_atomic(folder / RECORD, text)


def read(folder: Path) -> Saved:
    """Read a predictor's folder; `InputError` for what is missing, newer or able to run code."""
    record = _record(folder)
    if unsafe := unsafe_files(folder):
        raise InputError(
            Fault(
                f"{unsafe[0]} in the folder can run code when it is read",
                expected="safetensors and JSON only",
                do="delete it, or take the folder that nshot wrote",
                where=str(folder),
            )
        )
    arrays = _arrays(folder / ARRAYS) if (folder / ARRAYS).exists() else {}
    return Saved(
        folder, record["kind"], from_data(Task, record["task"]), record["settings"], arrays
    )


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 by name of the files that answers come from: the arrays, and all in folders below.

    What is laid beside them once the predictor is saved (checks, a card) is not among them.
    """
    files = [folder / ARRAYS, *(path for path in sorted(folder.rglob("*")) if path.is_file())]
    names = (path.relative_to(folder).as_posix() for path in files if path.is_file())
    inside = dict.fromkeys(name for name in names if name == ARRAYS or "/" in name)
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in inside
        if not name.startswith(f"{PICTURES}/")
    }


def require_intact(folder: Path) -> None:
    """Raise `InputError` for each file that is not as it was saved, or of a package to come.

    Folders of before hashes were kept are taken as they are.
    """
    kept: Mapping[str, str] = _record(folder).get("files", {})
    now = hashes(folder)
    again = "copy the whole folder again, or adapt it anew"
    faults = [
        Fault(
            "changed since it was saved" if name in now else "missing",
            "the file that nshot wrote",
            again,
            str(folder / name),
        )
        for name, sha256 in kept.items()
        if now.get(name) != sha256
    ]
    for path in sorted(folder.rglob(peft_folder.CONFIG)):
        faults += peft_folder.from_the_future(path)
    if faults:
        raise InputError(faults)


def array(saved: Saved, name: str) -> NDArray[Any]:
    """One array of a saved predictor; whole numbers with scales are multiplied out, in float64.

    Raises `InputError` when its file or the array is missing.
    """
    if name not in saved.arrays:
        raise InputError(
            Fault(
                f"no array '{name}'",
                expected=f"{ARRAYS} beside {RECORD}",
                do="copy the whole folder again",
                where=str(saved.folder),
            )
        )
    scales = saved.arrays.get(f"{name}{SCALES}")
    values = saved.arrays[name]
    return values if scales is None else values.astype(np.float64) * scales


def in_eight_bits(saved: Saved, name: str) -> bool:
    """Whether an array is kept as whole numbers with scales."""
    return f"{name}{SCALES}" in saved.arrays


def ref_to_json(ref: ModelRef, folder: Path) -> dict[str, Any]:
    """A model's name as JSON; its deltas are copied in, so that `folder` stands alone."""
    return {
        "engine": ref.engine,
        "name": ref.name,
        "revision": ref.revision,
        "quant": ref.quant,
        "deltas": [_copied(delta, folder, i) for i, delta in enumerate(ref.deltas)],
    }


def ref_from_json(data: Mapping[str, Any], folder: Path) -> ModelRef:
    """The inverse of `ref_to_json`; a delta outside `folder` is refused."""
    ref = ModelRef(data["engine"], data["name"], data["revision"], data["quant"])
    return replace(ref, deltas=tuple(_delta(d, folder) for d in data["deltas"]))


def _copied(delta: Delta, folder: Path, index: int) -> dict[str, Any]:
    source, root = Path(delta.folder).resolve(), folder.resolve()
    name = f"delta-{index}"
    if source.is_relative_to(root):
        name = str(source.relative_to(root))
    else:
        copy = partial(shutil.copytree, source, ignore=_foreign(delta), dirs_exist_ok=True)
        write_folder(root / name, copy)
    return {"kind": delta.kind, "folder": name, "sha256": delta.sha256}


def _foreign(delta: Delta) -> Callable[[str, list[str]], list[str]] | None:
    """What stays behind: a PEFT folder made elsewhere may hold a whole trainer's state."""
    if delta.kind != "peft":
        return None
    return lambda _, names: [name for name in names if name not in peft_folder.FILES]


def _delta(data: Mapping[str, Any], folder: Path) -> Delta:
    root = folder.resolve()
    place = (root / data["folder"]).resolve()
    if not place.is_relative_to(root):
        raise InputError(Fault("a path leads out of the folder", where=str(folder / RECORD)))
    if not place.is_dir():
        raise InputError(
            Fault(f"no folder {data['folder']}", do="copy the whole folder again", where=str(root))
        )
    return Delta(data["kind"], str(place), data["sha256"])


def _record(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    if (folder / STAY).is_file():
        pick = read_json(folder / STAY).get("pick")
        raise InputError(
            Fault(
                f"the pick of this run is '{pick}', which stands already: there is no model",
                "a run whose pick nshot has built",
                f"ask '{pick}' itself, or nshot adapt TASK --method NAME --out DIR",
                str(folder),
            )
        )
    if not path.is_file():
        raise InputError(
            Fault(
                f"no {RECORD}",
                expected="a folder that `nshot compare` or `nshot adapt` wrote",
                do="name the folder `winner` of a run's output",
                where=str(folder),
            )
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(Fault(f"not JSON: {error}", where=str(path))) from None
    if not isinstance(record, dict) or not {"format", "kind", "task", "settings"} <= set(record):
        raise InputError(
            Fault(
                "not a predictor's record", expected="format, kind, task, settings", where=str(path)
            )
        )
    if not isinstance(record["format"], int) or record["format"] > FORMAT:
        raise InputError(
            Fault(
                f"format {record['format']}",
                expected=f"at most {FORMAT}",
                do="pip install --upgrade nshot",
                where=str(path),
            )
        )
    return record


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return dict(load(path.read_bytes()))
    except SafetensorError as error:
        raise InputError(
            Fault(f"not safetensors: {error}", do="copy the whole folder again", where=str(path))
        ) from None
