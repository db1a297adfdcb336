"""What is looked at in a picture, and what is kept of what a network saw in it. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from nshot.models.base import View

RINGS = 14
"""Most rings of a layer's map, from the middle to the edge of its inscribed circle: one for each
step that a place can be away from the middle, where there are fewer."""
COLOUR_RINGS = 37
"""Rings of the radial colour profile."""
GREY = 127
"""What lies outside the circle in the round views."""

_TURNS: Mapping[View, int] = {"circle": 0, "circle90": 1, "circle180": 2, "circle270": 3}
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip
_WHITE = np.array([0.95047, 1.0, 1.08883])


def seen(picture: NDArray[np.uint8], side: int, view: View) -> NDArray[np.uint8]:
    """(height, width, 3) -> (side, side, 3): all of it, squeezed to a square, as the view has it.

    ``mirrored`` is flipped left to right; the ``circle`` views keep its inscribed circle alone and
    turn it by quarter turns.
    """
    from PIL import Image

    small = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
    square: NDArray[np.uint8] = np.asarray(small)
    if view == "whole":
        return square
    if view == "mirrored":
        return square[:, ::-1]
    kept = np.where((_radii(side) <= 1)[:, :, None], square, np.uint8(GREY))
    return np.rot90(kept, _TURNS[view])


def pooled(layer: str, values: NDArray[np.floating]) -> dict[str, NDArray[np.float16]]:
    """``LAYER.mean``, ``.std`` and ``.rings`` of a map (channels, side, side).

    Means and standard deviations of each channel over all places, and the mean over each ring:
    (rings, channels) in one row. What the corners hold is in no ring.
    """
    flat = np.asarray(values, np.float64).reshape(len(values), -1)
    side = values.shape[1]
    ringed = _ring_weights(side, max(1, min(RINGS, side // 2))) @ flat.T
    return {
        f"{layer}.mean": _half(flat.mean(axis=1)),
        f"{layer}.std": _half(flat.std(axis=1)),
        f"{layer}.rings": _half(ringed.ravel()),
    }


def colours(square: NDArray[np.uint8]) -> dict[str, NDArray[np.float16]]:
    """``colour.rings``: median and standard deviation of L, a and b in `COLOUR_RINGS` rings.

    `square` (side, side, 3), of which the inscribed circle counts; CIE L*a*b* under D65.
    """
    lab = _lab(square.reshape(-1, 3))
    order, ends = _ring_order(square.shape[0], COLOUR_RINGS)
    rows = []
    for places in np.split(order, ends):
        ring = lab[places] if len(places) else np.zeros((1, 3))
        rows += [np.median(ring, axis=0), ring.std(axis=0)]
    return {"colour.rings": _half(np.concatenate(rows))}


def _lab(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(n, 3) sRGB, 0 to 255 -> (n, 3) L*a*b*."""
    light = _linear()[colours] @ _TO_XYZ.T / _WHITE
    f = np.where(light > 216 / 24389, np.cbrt(light), (24389 / 27 * light + 16) / 116)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


@cache
def _linear() -> NDArray[np.float64]:
    """The light of each of the 256 values of sRGB."""
    c = np.arange(256) / 255
    return np.asarray(np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4))


@cache
def _radii(side: int) -> NDArray[np.float64]:
    """(side, side) distance of each place from the middle; 1 at the inscribed circle."""
    at = (np.arange(side) + 0.5) / side * 2 - 1
    return np.asarray(np.hypot(at[:, None], at[None, :]))


@cache
def _ring_weights(side: int, rings: int) -> NDArray[np.float64]:
    """(rings, places) weights of a ring's mean; a ring without places is all zeros."""
    which = np.minimum(_radii(side).ravel() * rings, rings).astype(int)
    inside = (which == np.arange(rings)[:, None]).astype(np.float64)
    return np.asarray(inside / np.maximum(inside.sum(axis=1, keepdims=True), 1))


@cache
def _ring_order(side: int, rings: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The places of the circle, ring by ring, and where the rings after the first begin."""
    which = np.minimum(_radii(side).ravel() * rings, rings).astype(int)
    order = np.argsort(which, kind="stable")[: int((which < rings).sum())]
    return order, np.searchsorted(which[order], np.arange(1, rings))


def _half(values: NDArray[np.float64]) -> NDArray[np.float16]:
    """In half precision, as they are kept: a feature is the same fresh and from the cache."""
    most = np.finfo(np.float16).max
    return np.clip(values, -most, most).astype(np.float16)
