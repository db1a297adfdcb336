"""The cells of prompts' parts: which there are, in which order, and the page of those that are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import prompting


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(prompting, "FOLDER", tmp_path / "cells")
    (tmp_path / "cells").mkdir()
    monkeypatch.setattr(prompting, "PAGE", tmp_path / "prompts.md")
    return tmp_path


def put(variant: str, seed: int, right: str, board: str = "sst2") -> None:
    points = [float(one) for one in right]
    record = {"board": board, "variant": variant, "seed": seed, "points": points, "tokens": 40.0,
              "score": sum(points) / len(points), "milliseconds": 12.0}  # fmt: skip
    path = prompting.FOLDER / prompting.Cell(board, variant, seed).file
    path.write_text(json.dumps(record), encoding="utf-8")


def test_the_first_draw_of_every_board_comes_before_the_second_of_any() -> None:
    every = list(prompting.cells([*prompting.LABELLED, *prompting.WRITTEN]))
    assert len({cell.file for cell in every}) == len(every)
    seeds = [cell.seed for cell in every]
    assert seeds == sorted(seeds)
    assert {cell.variant for cell in every if cell.seed == 21} == {*prompting.SHOWN}
    assert {cell.seed for cell in every if cell.board == "e2e"} == {13}


def test_a_row_is_compared_in_pairs_and_a_curve_begins_without_examples(folder: Path) -> None:
    put("zero-shot", 13, "1100" * 20)
    for seed in (13, 21):
        put("8 shots", seed, "1110" * 20)
    put("4 shots", 13, "1100" * 20)
    made = prompting.whole()
    text = prompting.table(made)
    (row,) = [line for line in text.splitlines() if "| 8 shots |" in line]
    assert "| 2 | 75.0 (" in row
    assert "**+25.0 (" in row
    (other,) = [line for line in text.splitlines() if "| 4 shots |" in line]
    assert "+0.0 (+0.0 to +0.0)" in other
    assert "4 cells of" in text
    curve = prompting.curve("sst2", made)
    assert curve is not None
    assert [point[0] for point in curve.points] == [0, 4, 8]
    prompting.drawings(made)
    assert (folder / "prompts-curves.svg").exists()
    assert (folder / "prompts-sst2.svg").exists()


def test_texts_have_one_or_several_references() -> None:
    assert prompting._references({"output": "a"}) == ("a",)
    assert prompting._references({"references": ["a", "b"]}) == ("a", "b")
