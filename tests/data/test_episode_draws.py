"""Episodes are a pure function of seed and number, hold distinct things, and are fair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.core.errors import InputError
from nshot.data.episodes import BLOCK, EpisodeShape, draw, fitting

COUNTS = np.array([5, 20, 3, 8, 8, 12, 6])


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.integers(1, 12), min_size=2, max_size=12),
    way=st.integers(1, 4),
    shot=st.integers(1, 3),
    queries=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_items_are_distinct_and_of_distinct_classes(
    counts: list[int], way: int, shot: int, queries: int, seed: int
) -> None:
    known, shape = np.array(counts), EpisodeShape(way, shot, queries)
    if (known >= shot + queries).sum() < way:
        with pytest.raises(InputError, match="classes have"):
            draw(known, shape, 0, 3, seed)
        return
    drawn = draw(known, shape, 0, 3, seed)
    assert drawn.shape == (3, way, shot + queries)
    owner = np.repeat(np.arange(len(known)), known)[drawn]
    assert (owner == owner[:, :, :1]).all(), "a row is of one class"
    for episode, classes in zip(drawn, owner[:, :, 0], strict=True):
        assert len(set(classes.tolist())) == way
        assert len(set(episode.ravel().tolist())) == way * (shot + queries)
        assert (known[classes] >= shot + queries).all()


def test_an_episode_is_the_same_whatever_is_drawn_around_it() -> None:
    shape = EpisodeShape(3, 1, 2)
    whole = draw(COUNTS, shape, 0, 3 * BLOCK + 5, seed=4)
    np.testing.assert_array_equal(draw(COUNTS, shape, 50, 40, seed=4), whole[50:90])
    np.testing.assert_array_equal(draw(COUNTS, shape, 2 * BLOCK, 1, seed=4), whole[128:129])
    assert (draw(COUNTS, shape, 0, 40, seed=5) != whole[:40]).any()


def test_every_class_and_every_item_is_as_likely_as_any_other() -> None:
    drawn = draw(np.full(6, 7), EpisodeShape(2, 1, 2), 0, 6000, seed=0)
    times = np.bincount(drawn.ravel(), minlength=42)
    expected = 6000 * 2 * 3 / 42
    assert np.abs(times - expected).max() < 5 * np.sqrt(expected)
    support = np.bincount(drawn[:, :, 0].ravel(), minlength=42)
    assert np.abs(support - 6000 * 2 / 42).max() < 5 * np.sqrt(6000 * 2 / 42)
    first = np.bincount(drawn[:, 0, 0] // 7, minlength=6)
    assert np.abs(first - 1000).max() < 150, "nor is a class's number in its episode"


def test_classes_with_too_few_items_are_left_out() -> None:
    np.testing.assert_array_equal(fitting(COUNTS, EpisodeShape(2, 5, 3)), [1, 3, 4, 5])
    with pytest.raises(InputError, match="1 of 7 classes have 20 items"):
        fitting(COUNTS, EpisodeShape(2, 5, 15))
