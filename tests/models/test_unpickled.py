"""A file of torch's first format is read without its pickle: by hand, and the embedded one."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from nshot.models.embedded.lite0 import TENSORS
from nshot.models.embedded.packages import FEATURES
from nshot.models.hf.unpickled import tensors

WEIGHT, BIAS = np.arange(6, dtype="<f4"), np.array([1.5, -2.0], "<f4")
COUNTER = np.array([7], "<i8")
BY_TORCH = "5ad48093c30780652da9fcdd57670d73d4474bc4f128c8378eaf0575bf1345b1"
"""SHA-256 of every name and its numbers, in order of the names, as torch gave them once."""


def string(text: str) -> bytes:
    return b"X" + len(text).to_bytes(4, "little") + text.encode() + b"q\x01"


def content(order: tuple[str, ...] = ("30", "10", "20"), rest: bytes = b"") -> bytes:
    """Three tensors whose storages lie in the order of their keys, not of their names."""
    named = (("a.weight", "10"), ("a.bias", "20"), ("n.num_batches_tracked", "30"))
    index = b"\x80\x02}q\x00(" + b"".join(
        string(name) + string("storage") + string(key) + string("cpu") for name, key in named
    )
    keys = b"u.\x80\x02]q\x00(" + b"".join(map(string, order)) + b"e."
    numbers = {"10": WEIGHT, "20": BIAS, "30": COUNTER}
    stored = (numbers[key] for key in order if key in numbers)
    return (
        index + keys + b"".join(len(x).to_bytes(8, "little") + x.tobytes() for x in stored) + rest
    )


def test_numbers_are_found_by_the_key_of_their_storage() -> None:
    found = tensors(content(), 3)
    assert set(found) == {"a.weight", "a.bias"}, "a counter is no weight"
    np.testing.assert_array_equal(found["a.weight"], WEIGHT)
    np.testing.assert_array_equal(found["a.bias"], BIAS)


def test_a_file_that_is_laid_out_otherwise_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fill the file"):
        tensors(content(rest=b"more"), 3)
    with pytest.raises(ValueError, match="a storage for each tensor"):
        tensors(content(order=("30", "10", "40")), 3)
    with pytest.raises(ValueError, match="a storage for each tensor"):
        tensors(content(), 4)


@pytest.mark.embedded
def test_the_embedded_file_is_read_as_torch_reads_it() -> None:
    found = tensors(FEATURES.read(), TENSORS)
    seen = hashlib.sha256()
    for name in sorted(found):
        seen.update(name.encode() + found[name].tobytes())
    assert seen.hexdigest() == BY_TORCH
