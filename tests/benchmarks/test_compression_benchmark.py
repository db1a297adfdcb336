"""The files of benchmarks/compression.py: few labelled rows, and the others without labels."""

from __future__ import annotations

import compression


def test_the_first_rows_of_each_label_are_labelled_and_no_row_is_both() -> None:
    rows = [{"text": str(i), "label": "ab"[i % 2]} for i in range(9)]
    first, others = compression.of_each(rows, 2)
    assert [row["text"] for row in first] == ["0", "1", "2", "3"]
    assert [row["text"] for row in others] == ["4", "5", "6", "7", "8"]


def test_an_interval_stands_beside_its_difference() -> None:
    e = compression.Estimate(score=-0.112, low=-0.156, high=-0.068)
    assert compression.points(e) == "-11.2 (-15.6 to -6.8)"
