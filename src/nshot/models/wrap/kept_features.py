"""Features on disk: made once for a picture's content, found again by any run, bounded in size."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nshot.core.files import write_atomic

Kept: TypeAlias = Mapping[str, NDArray[np.float16]]

LIMIT = 2 << 30
"""Bytes of features that are kept, of all networks together."""
ROOM = 0.75
"""What is left of the limit when room has been made: those used longest ago go."""
WRITES = 500
"""Files written between two looks at the size of it all."""
DAY = 86_400.0


class KeptFeatures:
    """Arrays by name, one safetensors file each, under ``root/engine``.

    A file is written whole or not at all, so that a run that was killed goes on where it was; one
    that cannot be read is made again. `engine` names all that the values depend on but the picture.
    """

    def __init__(self, root: Path, engine: str, limit: int = LIMIT) -> None:
        self._root = root
        self._folder = root / engine
        self._limit = limit
        self._writes = 0

    def get(self, name: str) -> Kept | None:
        """What was put under `name`, and None where nothing is."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = self._path(name)
        try:
            kept: Kept = load(path.read_bytes())
            if time.time() - path.stat().st_mtime > DAY:
                os.utime(path)  # used: what has not been for longest goes first
        except (OSError, SafetensorError):
            return None
        return kept

    def put(self, name: str, arrays: Kept) -> None:
        """Keep `arrays`; now and then make room."""
        from safetensors.numpy import save

        path = self._path(name)
        write_atomic(path, save(dict(arrays)), sync=False)  # a broken file is read as none
        if self._writes % WRITES == 0:
            self._make_room()
        self._writes += 1

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}.safetensors"

    def _make_room(self) -> None:
        files = _stats(self._root)
        size = sum(stat.st_size for _, stat in files)
        if size <= self._limit:
            return
        for path, stat in sorted(files, key=lambda one: one[1].st_mtime):
            path.unlink(missing_ok=True)
            size -= stat.st_size
            if size <= ROOM * self._limit:
                return


def _stats(root: Path) -> list[tuple[Path, os.stat_result]]:
    files = []
    for path in root.rglob("*.safetensors"):
        with contextlib.suppress(FileNotFoundError):  # another run has made room
            files.append((path, path.stat()))
    return files
