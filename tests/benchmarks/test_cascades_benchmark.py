"""Cascades: what is passed on, what it costs, and the frontier, of answers made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import cascades
from cascades import Answers


def parts() -> tuple[Answers, Answers]:
    """A cheap part that is right where it is sure, and a dear one that is right on 95 of 100."""
    sure = np.linspace(0.01, 0.99, 1000)
    cheap = Answers((sure > 0.4).astype(float), sure, 1.0, 2.0)
    dear = Answers(np.array([float(i % 20 > 0) for i in range(1000)]), sure, 50.0, 60.0)
    return cheap, dear


def test_a_row_says_what_is_kept_and_what_of_the_dears_time_it_takes() -> None:
    cheap, dear = parts()
    cells = [one.strip() for one in cascades.cells("sst2", "lora", cheap, dear).split("|")[1:-1]]
    assert cells[:5] == ["sst2", "linear_probe + lora", "60.2", "95.0", "89.0"]
    missed, right, passed, time = (
        float(one.split()[0]) for one in (cells[5], *cells[6:8], cells[9])
    )
    assert missed <= 0.08 * cascades.DRAWS
    assert right > 89
    assert 25 < passed < 50
    assert time == pytest.approx(2 + passed, abs=1.0)


def test_the_frontier_goes_from_the_cheap_part_to_the_dear_one() -> None:
    cheap, dear = parts()
    spots = cascades.frontier(cheap, dear)
    assert (spots[0].x, spots[0].y) == (1.0, pytest.approx(60.2))
    assert (spots[-1].x, spots[-1].y) == (51.0, pytest.approx(95.0))
    assert max(spot.y for spot in spots) > 95, "together they are better than the dear one alone"
    assert "<svg" in cascades.drawing([("sst2", "lora", cheap, dear)])


def test_answers_that_are_kept_are_not_measured_again(tmp_path: Path) -> None:
    record = {"right": [1.0, 0.0], "sure": [0.9, 0.2], "milliseconds": 3.0, "build_seconds": 1.0}
    (tmp_path / "sst2.full.json").write_text(json.dumps(record), encoding="utf-8")
    one = cascades.answers("sst2", "full", tmp_path)
    assert one.right.tolist() == [1.0, 0.0]
    assert cascades.validation_rows("linear_probe") > cascades.validation_rows("full")
