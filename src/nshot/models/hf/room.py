"""A cache of keys and values that takes its room at the start.

transformers' own copies all that it holds for every token, and once more when a row leaves: at 32
rows of 350 tokens that took as long as the model itself.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

from nshot.models.hf.cache import CachedPrefix


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of a layer: views of (rows, heads, `capacity`, width of a head).

    There is room for `most` rows, or for as many as it begins with.
    """

    def __init__(self, capacity: int, most: int = 0) -> None:
        super().__init__()
        self._capacity, self._most = capacity, most
        self._rooms: tuple[torch.Tensor, ...] = ()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the next positions of all rows; everything up to there comes back."""
        start = self.get_seq_length()
        if not self._rooms:
            self.lazy_initialization(key_states, value_states)
            most = max(self._most, len(key_states))
            self._rooms = tuple(_room(x, self._capacity, most) for x in (key_states, value_states))
        end = start + key_states.shape[-2]
        for room, states in zip(self._rooms, (key_states, value_states), strict=True):
            room[: len(states), :, start:end] = states
        self._show(len(key_states), end)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep the rows `indices`: each where it stands, or from behind the last that stays."""
        for place, row in enumerate(indices.tolist()):
            if place != row:
                for room in self._rooms:
                    room[place] = room[row]
        self._show(len(indices), self.get_seq_length())

    def batch_repeat(self, rows: torch.Tensor) -> None:
        """Hold the row `rows[i]` in row i: as often as it stands there, in rooms of their own."""
        end = self.get_seq_length()
        spread = [_room(x[rows], self._capacity) for x in (self.keys, self.values)]
        for room, states in zip(spread, (self.keys, self.values), strict=True):
            room[:, :, :end] = states[rows]
        self._rooms = tuple(spread)
        self._show(len(rows), end)

    def has_room(self, rows: int, positions: int) -> bool:
        """Whether so many fit."""
        return rows <= len(self._rooms[0]) and positions <= self._capacity

    def append_rows(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Hold these rows too; shorter ones stand behind zeros, so that all end at one position."""
        rows, end = len(self.keys), self.get_seq_length()
        start = end - keys.shape[-2]
        for room, states in zip(self._rooms, (keys, values), strict=True):
            room[rows : rows + len(states), :, :start] = 0
            room[rows : rows + len(states), :, start:end] = states
        self._show(rows + len(keys), end)

    def _show(self, rows: int, end: int) -> None:
        self.keys, self.values = (room[:rows, :, :end] for room in self._rooms)


class RoomyCache(Cache):  # type: ignore[misc]
    """A cache of such layers."""

    def batch_repeat(self, rows: torch.Tensor) -> None:
        """See `RoomyLayer.batch_repeat`."""
        for layer in self.layers:
            layer.batch_repeat(rows)

    def has_room(self, rows: int, positions: int) -> bool:
        """Whether so many rows of so many positions fit."""
        return all(layer.has_room(rows, positions) for layer in self.layers)


def _room(states: torch.Tensor, capacity: int, rows: int | None = None) -> torch.Tensor:
    own, heads, _, width = states.shape
    return states.new_empty(rows or own, heads, capacity, width)


def roomy(before: CachedPrefix, rows: int, capacity: int, most: int = 0) -> Any:
    """A transformers cache of `capacity` positions a row; every row begins with `before`.

    `most` rows may be held later on, where that is more.
    """
    cache = RoomyCache(layer_class_to_replicate=partial(RoomyLayer, capacity, most))
    for index, (keys, values) in enumerate(before.layers):
        shape = (rows, -1, -1, -1)
        cache.update(keys.expand(shape), values.expand(shape), index)
    return cache


def position_bytes(module: Any) -> int:
    """Bytes of the keys and values of one token in all layers."""
    text = module.config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return int(2 * text.num_hidden_layers * heads * width * module.dtype.itemsize)
