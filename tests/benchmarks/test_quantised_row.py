"""The lines of benchmarks/quantised_row.py, and what benchmarks/packed.py compares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import packed
import quantised_row
from nshot.board.lesson import Side
from nshot.board.schema import Estimate
from nshot.board.shrinking import Shrinking


def test_a_line_has_both_sides_and_the_paired_loss() -> None:
    one = Shrinking(
        bits="int8",
        before=Side(row="lora", score=0.88, rows_per_second=4.0),
        after=Side(row="quantise", score=0.875, rows_per_second=7.06),
        difference=Estimate(score=-0.005, low=-0.02, high=0.01),
        bytes_before=548_000_000,
        bytes_after=80_000,
        give_up=0.02,
    )
    cells = quantised_row.cells("lora", one)
    assert (
        "| int8 | 0.08 MB | 548 MB | 87.5 % | 88.0 % | -0.5 (-2.0 to +1.0) | 7.1 | 4.0 |" in cells
    )


def test_bytes_that_depend_on_what_is_beside_are_counted() -> None:
    def beside(texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([[len(text) + len(texts) * (text == "b")] for text in texts], np.float32)

    assert packed.as_alone(beside, ["a", "b", "c"]) == "2 of 3"
