"""docs/leaderboard.md names every key of leaderboard.json."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sample_board

PAGE = Path(__file__).parents[2] / "docs" / "leaderboard.md"
# Settings are each method's own, the others are keyed by method or by what stands beside it.
FREE = ("settings", "beside", "versus_pick")


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _keys(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield key
            if key not in FREE:
                yield from _keys(one)


def test_every_key_is_documented() -> None:
    documented = set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8")))
    assert set(_keys(sample_board.board())) - documented == set()
    assert set(sample_board.details()) - documented == set()
