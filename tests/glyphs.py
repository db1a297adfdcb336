"""Drawings of made-up letters: a few strokes a class, each copy a little moved. For tests only."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIDE = 16


def glyphs(classes: int, each: int, seed: int = 0, moved: float = 0.7) -> NDArray[np.uint8]:
    """(classes * each, 16, 16), class by class, ink 255; copies lie `moved` pixels apart."""
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(classes):
        corners = rng.uniform(3, SIDE - 3, size=(4, 2))
        for _ in range(each):
            shaken = corners + rng.normal(0, 0.4, size=corners.shape)
            drawn.append(_ink(shaken + rng.normal(0, moved, size=2)))
    return np.stack(drawn)


def _ink(corners: NDArray[np.float64]) -> NDArray[np.uint8]:
    picture = np.zeros((SIDE, SIDE), dtype=np.uint8)
    for start, end in pairwise(corners):
        for share in np.linspace(0, 1, 24):
            row, column = np.clip(np.round(start + share * (end - start)), 0, SIDE - 1).astype(int)
            picture[row, column] = 255
    return picture


def glyph_file(path: Path, classes: int = 40, background: int = 30, each: int = 8) -> Path:
    """An npz file of letters that lie anywhere, the first `background` classes to learn from."""
    ids = np.repeat(np.arange(classes), each)
    np.savez(
        path,
        images=glyphs(classes, each, moved=1.5),
        class_id=ids,
        split=(ids >= background).astype(np.uint8),
        class_names=np.array([f"letter {i}" for i in range(classes)]),
    )
    return path
