"""Small pictures made when a test asks for them: no two look the same, a class shares a tint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image as pillow

from nshot.core.types import digest


def scene(seed: int = 0, size: tuple[int, int] = (96, 64), tint: str = "") -> pillow.Image:
    """Smooth random colours, as a photograph has them; `tint` names a colour that lies over all."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3))
    if tint:
        over = np.array([int(digest(tint)[i : i + 2], 16) for i in (0, 2, 4)])
        coarse = 0.4 * coarse + 0.6 * over
    picture = pillow.fromarray(coarse.astype(np.uint8))
    return picture.resize(size, pillow.Resampling.BICUBIC)


def shelf(root: Path, counts: Mapping[str, int], first: int = 0) -> Path:
    """A folder with a sub-folder of so many pictures for each class: ``root/red/0.png``."""
    for place, (label, count) in enumerate(counts.items()):
        (root / label).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + count):
            seed = 1000 * place + number
            scene(seed, (32, 24), tint=label).save(root / label / f"{number}.png")
    return root
