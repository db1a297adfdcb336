"""Items of many classes: files in, classes of background and of evaluation kept apart.

An ``.npz`` file holds ``images`` (N, height, width[, channels]) of uint8, or ``features`` (N,
width) of floats; ``class_id`` (N,) of integers; and where the file says itself which classes are
for learning, ``split`` (N,): 0 background, 1 evaluation. ``class_names`` are optional. The names of
data sets that are cut by item (``x_train``, ``y_train``, ``x_test``, ``y_test``) are read too, all
items together. A folder has a sub-folder of pictures for each class, or the two sub-folders
``background`` and ``evaluation`` of such.
"""

from __future__ import annotations

import random
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.errors import Fault, InputError
from nshot.core.types import digest
from nshot.data.fitted import fitted
from nshot.data.pictures import SUFFIXES, read_picture

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
PARTS = ("background", "evaluation")
SIDE = 84
"""Pixels, high and wide, to which a folder's pictures are brought, as in miniImageNet."""
_TURNS = 4
_NAMED = 5
_BY_ITEM = frozenset({"x_train", "y_train", "x_test", "y_test"})
_EXPECTED = (
    "images or features, class_id, and where classes are cut already split (docs/episodes.md)"
)


@dataclass(frozen=True)
class Collection:
    """Items class by class.

    `items` (N, *shape): uint8 pictures (channels, height, width), or float32 vectors. Class c has
    the ``counts[c]`` items from ``starts[c]`` on. Classes of one origin are turned copies.
    """

    items: NDArray[Any]
    counts: NDArray[np.int64]
    names: tuple[str, ...]
    origins: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one item."""
        return self.items.shape[1:]

    @property
    def starts(self) -> NDArray[np.int64]:
        """(classes,) where each begins."""
        return np.asarray(np.cumsum(self.counts) - self.counts)

    @cached_property
    def fingerprint(self) -> str:
        """Names the content; taken once, for there may be a hundred megabytes of it."""
        parts = (np.ascontiguousarray(self.items).tobytes(), self.counts.tobytes())
        return digest(str(self.items.shape), *parts)

    def only(self, classes: Sequence[int]) -> Collection:
        """Some of the classes, in the order given."""
        starts = self.starts
        rows = [np.arange(starts[c], starts[c] + self.counts[c]) for c in classes]
        index = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
        names = tuple(self.names[c] for c in classes)
        counts, origins = self.counts[list(classes)], self.origins[list(classes)]
        return Collection(self.items[index], counts, names, origins)

    def turned(self) -> Collection:
        """Each class four times: as it is, and turned by 90, 180 and 270 degrees as new classes."""
        turns = [np.rot90(self.items, turn, axes=(-2, -1)) for turn in range(_TURNS)]
        names = [f"{n} turned {90 * turn}" for turn in range(1, _TURNS) for n in self.names]
        return Collection(
            np.concatenate(turns),
            np.tile(self.counts, _TURNS),
            (*self.names, *names),
            np.tile(self.origins, _TURNS),
        )

    def at(self, shape: Sequence[int]) -> Collection:
        """The same pictures at another size and number of channels, each by itself."""
        if tuple(shape) == self.shape:
            return self
        items = np.stack([fitted(item.transpose(1, 2, 0), shape) for item in self.items])
        return replace(self, items=items)


@dataclass(frozen=True)
class Cut:
    """Classes to learn from and classes to be measured on; no class is in both."""

    background: Collection
    evaluation: Collection
    notes: tuple[str, ...] = ()


def load(
    path: Path, *, background: int | None = None, rotations: bool = False, side: int = SIDE
) -> Cut:
    """The items of a file or folder, their classes cut in two.

    Args:
        background: how many classes, drawn at random and always the same ones, to learn from,
            whatever the file says. Without it and without a split in the file, all classes are
            for evaluation.
        rotations: turned copies of each class are classes of their own (Vinyals et al. 2016),
            after the cut: all four are on its side.
        side: of a folder's pictures, in pixels.

    Raises `InputError` with everything that is wrong with the file.
    """
    whole, parts, notes = _folder(path, side) if path.is_dir() else _file(path)
    faults = []
    if rotations and len(whole.shape) != 3:
        faults.append(Fault("vectors cannot be turned", do="leave --rotations out"))
    if rotations and len(whole.shape) == 3 and whole.shape[1] != whole.shape[2]:
        faults.append(Fault(f"pictures of {_size(whole.shape)} cannot be turned", "squares"))
    if background is not None and not 0 <= background < len(whole.names):
        expected = f"0 to {len(whole.names) - 1}: the file has {len(whole.names)} classes"
        faults.append(Fault(f"--background {background}", expected))
    if faults:
        raise InputError([replace(fault, where=str(path)) for fault in faults])
    if background is not None:
        parts = _drawn(len(whole.names), background)
    known, new = (whole.only(np.flatnonzero(parts == part).tolist()) for part in (0, 1))
    if rotations:
        known, new = known.turned(), new.turned()
    return Cut(known, new, notes)


def _drawn(classes: int, background: int) -> NDArray[np.int64]:
    """(classes,) 0 for `background` of them at random, 1 for the others; seedless: one cut."""
    order = random.Random("classes").sample(range(classes), classes)
    parts = np.ones(classes, dtype=np.int64)
    parts[order[:background]] = 0
    return parts


def _size(shape: Sequence[int]) -> str:
    return " x ".join(str(length) for length in shape[1:])


# ------------------------------------------------------------------ files


def _file(path: Path) -> tuple[Collection, NDArray[np.int64], tuple[str, ...]]:
    arrays = _arrays(path)
    if set(arrays) >= _BY_ITEM:
        arrays = _by_item(arrays)
    if faults := _faults(arrays):
        raise InputError([replace(fault, where=str(path)) for fault in faults])
    items = arrays["images"] if "images" in arrays else arrays["features"]
    ids, number = np.unique(arrays["class_id"], return_inverse=True)
    order = np.argsort(number, kind="stable")
    counts = np.bincount(number, minlength=len(ids))
    names = _names(arrays, ids)
    collection = Collection(_arranged(items)[order], counts, names, np.arange(len(ids)))
    split = arrays.get("split")
    parts = np.ones(len(ids), dtype=np.int64)
    if split is not None:
        parts = split[order][collection.starts].astype(np.int64)
    return collection, parts, ()


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an npz file; nothing in it is ever run."""
    expected, do = "an .npz file of plain arrays", "see docs/episodes.md"
    if not path.is_file():
        raise InputError(Fault("no such file or folder", f"{expected}, or a folder", do, str(path)))
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise InputError(Fault(f"cannot be read: {error}", expected, do, str(path))) from None


def _by_item(arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Items cut into train and test, together again: here it is classes that are cut."""
    joined = {
        "images": np.concatenate([arrays["x_train"], arrays["x_test"]]),
        "class_id": np.concatenate([arrays["y_train"], arrays["y_test"]]),
    }
    return joined | {name: arrays[name] for name in ("class_names",) if name in arrays}


def _faults(arrays: Arrays) -> list[Fault]:
    """Everything that is wrong with the arrays."""
    kinds = [name for name in ("images", "features") if name in arrays]
    if len(kinds) != 1 or "class_id" not in arrays:
        return [Fault(f"arrays {', '.join(sorted(arrays)) or 'none'}", _EXPECTED)]
    items, ids, split = arrays[kinds[0]], arrays["class_id"], arrays.get("split")
    faults = _item_faults(kinds[0], items)
    for name, array in (("class_id", ids), ("split", split)):
        if array is not None and (array.shape != items.shape[:1] or array.dtype.kind not in "iub"):
            problem = f"{name} is {array.dtype} of shape {array.shape}"
            faults.append(Fault(problem, f"integers of shape ({len(items)},): one for each item"))
    if faults or split is None:
        return faults
    if not set(np.unique(split).tolist()) <= {0, 1}:
        return [Fault(f"split has {np.unique(split)[:_NAMED]}", "0 background, 1 evaluation")]
    both = np.intersect1d(ids[split == 0], ids[split == 1])
    if len(both):
        problem = f"{len(both)} classes are in both parts of split: {both[:_NAMED].tolist()}"
        return [Fault(problem, "each class in one part", "leave split out and say --background N")]
    return []


def _item_faults(kind: str, items: NDArray[Any]) -> list[Fault]:
    if kind == "images":
        if items.dtype != np.uint8 or items.ndim not in (3, 4) or 0 in items.shape:
            problem = f"images are {items.dtype} of shape {items.shape}"
            return [
                Fault(problem, "uint8 of shape (N, height, width) or (N, height, width, channels)")
            ]
        if items.ndim == 4 and items.shape[3] not in (1, 3):
            return [Fault(f"images have {items.shape[3]} channels", "1 or 3")]
        return []
    if items.dtype.kind != "f" or items.ndim != 2 or 0 in items.shape:
        problem = f"features are {items.dtype} of shape {items.shape}"
        return [Fault(problem, "floats of shape (N, width)")]
    wrong = np.flatnonzero(~np.isfinite(items).all(axis=1))
    if len(wrong):
        problem = f"{len(wrong)} features are no finite numbers, rows {wrong[:_NAMED].tolist()}"
        return [Fault(problem, "finite numbers")]
    return []


def _arranged(items: NDArray[Any]) -> NDArray[Any]:
    """Pictures as (N, channels, height, width), vectors as float32."""
    if items.ndim == 2:
        return items.astype(np.float32)
    return items[:, None] if items.ndim == 3 else np.ascontiguousarray(items.transpose(0, 3, 1, 2))


def _names(arrays: Arrays, ids: NDArray[Any]) -> tuple[str, ...]:
    """What the classes are called, where the file says it of each."""
    names = arrays.get("class_names")
    if names is not None and names.ndim == 1 and ids.min() >= 0 and ids.max() < len(names):
        return tuple(str(names[i]) for i in ids)
    return tuple(str(i) for i in ids)


# ------------------------------------------------------------------ folders


def _folder(path: Path, side: int) -> tuple[Collection, NDArray[np.int64], tuple[str, ...]]:
    """The pictures of a folder, all of its faults in one error."""
    cut = all((path / part).is_dir() for part in PARTS)
    roots = [path / part for part in PARTS] if cut else [path]
    classes = [(part, folder) for part, root in enumerate(roots) for folder in _folders(root)]
    items, counts, faults, others = [], [], list[Fault](), 0
    for _, folder in classes:
        files = sorted(p for p in folder.iterdir() if p.is_file() and p.name[0] != ".")
        pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
        others += len(files) - len(pictures)
        counts.append(len(pictures))
        items += [_read(file, side, faults) for file in pictures]
        if not pictures:
            faults.append(
                Fault("no pictures", "a sub-folder of pictures for each class", where=str(folder))
            )
    names = tuple(str(folder.relative_to(path)) for _, folder in classes)
    if not classes:
        faults.append(
            Fault("no sub-folders", "a sub-folder of pictures for each class", where=str(path))
        )
    if repeated := {f.name for p, f in classes if cut and p == 0} & {
        f.name for p, f in classes if p
    }:
        problem = f"classes are in both parts: {', '.join(sorted(repeated)[:_NAMED])}"
        faults.append(Fault(problem, "each class in one part", where=str(path)))
    if faults:
        raise InputError(faults)
    notes = (f"{others} files that are no pictures were left out",) if others else ()
    parts = np.array([part if cut else 1 for part, _ in classes], dtype=np.int64)
    collection = Collection(
        np.stack(items), np.array(counts, dtype=np.int64), names, np.arange(len(names))
    )
    return collection, parts, notes


def _folders(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.is_dir() and p.name[0] != ".")


def _read(file: Path, side: int, faults: list[Fault]) -> NDArray[np.uint8]:
    """(3, side, side) of a picture; where it cannot be read, its faults are put to the others."""
    shape = (3, side, side)
    try:
        return fitted(read_picture(file), shape)
    except InputError as error:
        faults += error.faults
        return np.zeros(shape, dtype=np.uint8)
