"""What the benchmarks of fewer bits have measured they do not measure again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import quantised
import quantised_encoders
from encoders import tiny_encoder
from nshot.core.types import Example, Input

ROWS = [Example(f"{i}", Input((("text", f"row {i}"),)), ("x",)) for i in range(25)]


def test_a_part_is_measured_once(tmp_path: Path) -> None:
    calls: list[str] = []

    def make() -> list[float]:
        calls.append("made")
        return [1.5]

    for _ in range(2):
        assert quantised.Parts("float32, torch", tmp_path).of("read_1", make) == [1.5]
    assert calls == ["made"]
    assert (tmp_path / "parts" / "float32.json").is_file()


def test_rows_that_were_answered_before_an_end_are_not_answered_again(tmp_path: Path) -> None:
    answered: list[str] = []

    def right(some: Sequence[Example]) -> list[float]:
        if len(answered) == 2 * quantised.TOGETHER:
            raise KeyboardInterrupt
        answered.extend(one.id for one in some)
        return [float(int(one.id) % 2) for one in some]

    with pytest.raises(KeyboardInterrupt):
        quantised.Parts("Q8_0", tmp_path).answers(ROWS, right)
    answered.append("the end")
    points, peak = quantised.Parts("Q8_0", tmp_path).answers(ROWS, right)
    assert points == [float(i % 2) for i in range(25)]
    assert answered == [str(i) for i in range(20)] + ["the end"] + [str(i) for i in range(20, 25)]
    assert peak > 1e6
    fewer, _ = quantised.Parts("Q8_0", tmp_path).answers(ROWS[:3], right)
    assert fewer == points[:3]


def test_vectors_are_made_once_in_pieces(tmp_path: Path) -> None:
    folder = tiny_encoder(tmp_path / "encoder")
    texts = [f"text {i}" for i in range(quantised_encoders.TOGETHER + 3)]
    vectors, seconds = quantised_encoders.Vectors(str(folder), "float32", tmp_path / "out").of(
        texts
    )
    assert vectors.shape == (len(texts), 32)
    assert seconds > 0
    (tmp_path / "encoder").rename(tmp_path / "gone")
    again, same = quantised_encoders.Vectors(str(folder), "float32", tmp_path / "out").of(texts)
    np.testing.assert_array_equal(vectors, again)
    assert same == seconds
