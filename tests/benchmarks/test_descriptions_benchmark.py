"""Classes told from descriptions: which are learned from, and what is counted."""

from __future__ import annotations

import random

import pytest

from descriptions import LEARNED, WAYS, Grocery, any_classes, whole_categories

NAMES = [f"class {i:02}" for i in range(81)]
GROCERY = Grocery(
    {"train": [], "test": []},
    dict.fromkeys(NAMES, "a text"),
    {name: f"category {i // 3}" for i, name in enumerate(NAMES)},
    {name: f"group {i % 3}" for i, name in enumerate(NAMES)},
)


@pytest.mark.parametrize("way", WAYS.values())
def test_about_half_of_the_classes_are_learned_from(way) -> None:
    known = way(GROCERY, random.Random(0))
    assert len(known) == len(set(known))
    assert LEARNED <= len(known) <= LEARNED + 2
    assert known == way(GROCERY, random.Random(0)) != way(GROCERY, random.Random(1))


def test_no_category_is_on_both_sides() -> None:
    known = whole_categories(GROCERY, random.Random(0))
    learned = {GROCERY.coarse[name] for name in known}
    assert learned.isdisjoint(GROCERY.coarse[name] for name in NAMES if name not in known)
    mixed = any_classes(GROCERY, random.Random(0))
    shared = {GROCERY.coarse[name] for name in mixed}
    assert not shared.isdisjoint(GROCERY.coarse[name] for name in NAMES if name not in mixed)
