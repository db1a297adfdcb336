"""A picture at the size a small network was made for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def fitted(picture: NDArray[np.uint8], shape: Sequence[int]) -> NDArray[np.uint8]:
    """(height, width, channels) -> `shape`, which is (channels, height, width).

    Squeezed to the size, each new pixel the mean of those under it. One channel is the mean of
    three, three are one repeated; what fits already stays as it is, byte for byte.
    """
    from PIL import Image

    channels, height, width = shape
    if picture.shape[2] != channels:
        grey = np.round(picture.mean(axis=2)).astype(np.uint8)
        picture = np.repeat(grey[:, :, None], channels, axis=2)
    if picture.shape[:2] != (height, width):
        flat = picture[:, :, 0] if channels == 1 else picture
        small = Image.fromarray(flat).resize((width, height), Image.Resampling.BOX)
        picture = np.asarray(small).reshape(height, width, channels)
    return np.ascontiguousarray(picture.transpose(2, 0, 1))
