"""Vectors and weights as whole numbers of 8 bits, each vector with one scale.

A vector's largest number is 127 or -127, the others round(value / scale). In memory they are the
numbers that the file holds, as float64: the same answers before it is saved and after.
"""

from __future__ import annotations

from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nshot.models.base import Floats
from nshot.predictors.base import Predictor
from nshot.predictors.folder import SCALES, Arrays

_MOST = 127


@runtime_checkable
class InEightBits(Predictor, Protocol):
    """A predictor that can keep its vectors or weights in 8 bits."""

    @property
    def source(self) -> Any:
        """Where its features come from."""
        ...

    def in_eight_bits(self) -> Self:
        """The same with its numbers rounded, and kept so in its folder."""
        ...


def on_grid(values: NDArray[np.floating], axis: int) -> Floats:
    """The nearest numbers of 8 bits, float64, of the same shape; vectors lie along `axis`.

    ``on_grid(on_grid(v, a), a)`` is ``on_grid(v, a)``, to the bit.
    """
    whole, scales = _in_whole_numbers(values, axis)
    return np.asarray(whole.astype(np.float64) * scales)


def as_kept(name: str, values: NDArray[np.floating], axis: int, eight_bits: bool) -> Arrays:
    """An array as a folder holds it: as it is, or as int8 and float32 scales beside them."""
    if not eight_bits:
        return {name: values}
    whole, scales = _in_whole_numbers(values, axis)
    return {name: whole, f"{name}{SCALES}": scales}


def _in_whole_numbers(
    values: NDArray[np.floating], axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    exact = np.asarray(values, dtype=np.float64)
    scales = (np.abs(exact).max(axis=axis, keepdims=True, initial=0) / _MOST).astype(np.float32)
    steps = exact / np.where(scales > 0, scales, 1)
    return np.rint(steps).clip(-_MOST, _MOST).astype(np.int8), scales
