"""The benchmark of reward models: its figures against examples worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import alignment
from nshot.core.types import Example, Input, Task

TASK = Task("pairs", "rank", metric="pair_accuracy")


def row(name: str, texts: tuple[str, str], group: str | None = None) -> Example:
    asked = Input((("prompt", name),), answers=texts)
    return Example(name, asked, grades=(1.0, 0.0), group=group)


def figures(groups: tuple[str | None, ...], hits: tuple[bool, ...]) -> dict:
    rows = [row(f"r{i}", ("long one", "short"), group) for i, group in enumerate(groups)]
    scores = [(1.0, 0.0) if hit else (0.0, 1.0) for hit in hits]
    answers = [one.input.answers[0 if hit else 1] for one, hit in zip(rows, hits, strict=True)]
    return alignment.figures(TASK, rows, scores, answers)


def test_accuracy_length_and_sureness_are_those_of_the_rows() -> None:
    out = figures((None,) * 8, (True,) * 6 + (False,) * 2)
    assert out["accuracy"] == out["longer"] == 0.75
    assert out["longer_preferred"] == 1.0
    assert out["correlation"] == pytest.approx(0.5)  # (6 - 2) / 8
    assert out["sure"] == pytest.approx(0.7310585786)
    assert out["low"] < 0.75 < out["high"]


def test_rows_of_one_prompt_count_as_one_in_the_interval() -> None:
    hits = (True, True, False, False) * 5
    alone = figures((None,) * 20, hits)
    pairs = figures(tuple(f"g{i // 2}" for i in range(20)), hits)
    assert alone["accuracy"] == pairs["accuracy"]
    assert pairs["high"] - pairs["low"] > 1.2 * (alone["high"] - alone["low"])


def test_the_page_has_a_row_for_each_cell_that_is_there(tmp_path: Path) -> None:
    body = figures((None,) * 8, (True,) * 6 + (False,) * 2) | {"learned": 300}
    for name in ("longest", "reward"):
        (tmp_path / f"{name}.json").write_text(json.dumps(body))
    lines = alignment.page(tmp_path).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| [longest](methods/longest.md) | 75 % (")
    assert lines[2].endswith("| 75 % | +0.50 | 0 |")
    assert lines[3].endswith("| 75 % | +0.50 | 300 |")
