"""The drawings of fewer bits are made of the pages that show them, and are up to date."""

from __future__ import annotations

import numpy as np

import compression_drawings as drawings


def test_the_committed_files_are_what_the_pages_give() -> None:
    for path, svg in drawings.drawings().items():
        assert path.read_text(encoding="utf-8") == svg, "python benchmarks/compression_drawings.py"


def test_a_table_is_read_with_its_intervals() -> None:
    page = (
        "<!-- table of benchmarks/quantised.py -->\n| a | b |\n| --- | --: |\n| Q8_0 | 145 MB |\n"
    )
    assert drawings.rows_of("quantised.py", f"{page}<!-- end of table -->\n| x |") == [
        ["Q8_0", "145 MB"]
    ]
    assert drawings.numbers("74.0 % (65.4 to 82.6)") == [74.0, 65.4, 82.6]
    assert drawings.numbers("1,054 MB") == [1054.0]
    (spot,) = drawings.trace("Q8_0", "adapter", 145, "74.0 % (65.4 to 82.6)").spots
    assert (spot.x, spot.y, spot.low, spot.high) == (145, 0.74, 0.654, 0.826)


def test_four_bits_have_sixteen_values_at_most_in_a_block() -> None:
    names = drawings.steps(drawings.STEPS.read_text(encoding="utf-8"))
    lanes = drawings.lanes(names)
    counts = {name: len(np.unique(values.round(9))) for name, values in lanes.items()}
    assert counts["before"] == drawings.SHOWN
    assert counts["4 bits, one scale for all"] <= 3, "an outlier takes the levels"
    assert counts["quantiles, a scale for 64 (NF4)"] <= 16
    assert 16 < counts["4 bits, a scale for 32 (Q4_0)"] <= 32, "two blocks"
