"""The example's messages are what its README says of them."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from pathlib import Path

import pytest

from nshot.core.types import Example
from nshot.data import load

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "support-tickets"
LOADED = load(EXAMPLE)
PARTS = {"train": LOADED.train, "test": LOADED.test or ()}


def _text(row: Example) -> str:
    return dict(row.input.fields)["message"]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold().replace("'", ""))


def _korean(rows: tuple[Example, ...]) -> Counter[str]:
    return Counter(row.label for row in rows if re.search("[가-힣]", _text(row)))


@pytest.mark.parametrize(("part", "count", "korean"), [("train", 30, 10), ("test", 50, 17)])
def test_every_topic_has_as_many_messages_and_a_third_are_korean(
    part: str, count: int, korean: int
) -> None:
    names = LOADED.task.label_names
    assert Counter(row.label for row in PARTS[part]) == dict.fromkeys(names, count)
    assert _korean(PARTS[part]) == dict.fromkeys(names, korean)


def test_messages_are_short() -> None:
    lengths = [len(_text(row).split()) for rows in PARTS.values() for row in rows]
    assert statistics.median(lengths) == 13
    assert max(lengths) <= 30


def test_no_two_messages_are_alike() -> None:
    texts = [_words(_text(row)) for rows in PARTS.values() for row in rows]
    assert len(set(map(tuple, texts))) == len(texts) == 640
    owner: dict[tuple[str, ...], int] = {}
    for number, words in enumerate(texts):
        for start in range(len(words) - 5):
            six = tuple(words[start : start + 6])
            assert owner.setdefault(six, number) == number, six
