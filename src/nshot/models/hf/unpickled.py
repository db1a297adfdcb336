"""The tensors of a file of torch's first format, read without running the pickle in it.

Such a file is an index (a pickle, which could run code) and then each storage's length and numbers,
in the order of a list of keys. The index is only searched for its strings: tensor names and the
keys of their storages. That is enough for a file whose content is known by its hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_STRING = re.compile(rb"X(.)\0\0\0", re.DOTALL)
"""What stands before a string of less than 256 bytes: a mark and its length."""
_END = b"e."
"""What ends the list of keys: the numbers begin behind it."""
_COUNT = 8
"""Bytes of a storage's length."""


def tensors(content: bytes, expected: int) -> dict[str, NDArray[np.float32]]:
    """The float32 tensors of `content` by name, flat; counters (int64) are left out.

    `expected` counts all tensors, each with a storage of its own. Raises `ValueError` where the
    file is not laid out so.
    """
    named: dict[str, str] = {}
    order: list[str] = []
    name, start = "", 0
    for text, end in _strings(content):
        if "." in text:
            name = text
        elif text.isdecimal() and len(named) < expected:
            named[text] = name
        elif text.isdecimal():
            order.append(text)
        if len(order) == expected:
            start = content.index(_END, end) + len(_END)
            break
    if sorted(order) != sorted(named):
        raise ValueError("the index does not name a storage for each tensor")
    return _numbers(content, start, [named[key] for key in order])


def _strings(content: bytes) -> Iterator[tuple[str, int]]:
    """Each string of the index, and where it ends."""
    for mark in _STRING.finditer(content):
        end = mark.end() + mark[1][0]
        yield content[mark.end() : end].decode("latin-1"), end


def _numbers(content: bytes, start: int, names: list[str]) -> dict[str, NDArray[np.float32]]:
    arrays = {}
    for name in names:
        count = int.from_bytes(content[start : start + _COUNT], "little")
        start += _COUNT
        if name.endswith(".num_batches_tracked"):
            start += 8 * count
            continue
        arrays[name] = np.frombuffer(content, "<f4", count, start)
        start += 4 * count
    if start != len(content):
        raise ValueError("the storages do not fill the file")
    return arrays
