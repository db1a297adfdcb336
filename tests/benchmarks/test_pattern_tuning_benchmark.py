"""The cells of pattern tuning: each once, taken up where it ended, and a page of what is there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import pattern_tuning as bench
import table
import tiny
from nshot.core.types import Example, Input, Label, ModelRef, Task
from nshot.models import open_models

LABELS = ("negative", "positive")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    return tmp_path


def films() -> bench.Board:
    rows = [
        Example(f"{i}", Input((("Review", f"{'지루한' if i % 2 else 'warm'} film {i}"),)),
                (LABELS[(i + 1) % 2],))
        for i in range(48)
    ]  # fmt: skip
    task = Task("sst2", "classify", tuple(map(Label, LABELS)))
    return bench.Board(task, tuple(rows[:40]), tuple(rows[40:]))


def record(board: str, variant: str, seed: int, right: str) -> dict:
    points = [float(one) for one in right]
    return {"board": board, "variant": variant, "seed": seed, "points": points, "tokens": 40.0,
            "build_seconds": 10.0, "use_seconds": 5.0}  # fmt: skip


def put(folder: Path, *records: dict) -> None:
    for one in records:
        cell = bench.Cell(one["board"], one["variant"], one["seed"])
        cell.path.write_text(json.dumps(one), encoding="utf-8")


@pytest.mark.parametrize("variant", ["patterns, shown", "in_context_tuning"])
def test_a_cell_has_its_points_or_the_reason(
    variant: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = {**bench.VARIANTS, **bench.IN_CONTEXT}
    quick = {**every[variant], "learning_rate": 1e-2, "max_steps": 8}
    monkeypatch.setattr(bench, "VARIANTS", {variant: quick})
    monkeypatch.setattr(bench, "IN_CONTEXT", {})
    base = ModelRef("hf", str(tiny.tiny_llama(tmp_path / "tiny", context=512)))
    others = tuple(
        Example(f"o{i}", Input((("Text", f"say {w}"),)), (w,), group="ag_news")
        for i, w in enumerate(["one", "two"] * 3)
    )
    made = bench.measure(bench.Cell("sst2", variant, 13), films(), others, open_models(), base)
    assert len(made["points"]) == 8, made.get("failed")
    assert made["score"] == np.mean(made["points"])
    quick["learning_rate"] = 0.0
    failed = bench.measure(bench.Cell("sst2", variant, 13), films(), others, open_models(), base)
    assert "did not learn" in failed["failed"]


def test_what_is_there_is_not_measured_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, *(record("sst2", variant, 13, "10") for variant in bench.VARIANTS))
    tried: list[bench.Cell] = []

    def measure(cell: bench.Cell, *rest: object) -> dict:
        tried.append(cell)
        return record(cell.board, cell.variant, cell.seed, "11")

    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(bench, "load", lambda name, data: films())
    monkeypatch.setattr(bench, "some_rows", lambda sets, data: ())
    bench.run(["sst2"])
    assert len(tried) == 5 * 7 - 5
    assert tried[0] == bench.Cell("sst2", "lora", 21), "the main comparison comes first"
    assert tried[12] == bench.Cell("sst2", "patterns, shown", 21)
    tried.clear()
    bench.run(["sst2"])
    assert tried == []


def test_the_interval_is_of_draws_and_rows() -> None:
    mean, low, high = bench.interval(np.array([[1.0, 0.0, 1.0, 0.0]] * 3))
    assert (mean, low >= 0, high <= 1) == (0.5, True, True)
    assert low < 0.3 < 0.7 < high
    assert bench.interval(np.ones((2, 5))) == (1, 1, 1)
    assert bench.points((0.1, 0.02, 0.2)) == "**+10.0 (+2.0 to +20.0)**"
    assert bench.points((-0.1, -0.2, 0.02)) == "−10.0 (−20.0 to +2.0)"


def test_the_page_pairs_draws_and_names_what_is_missing(folder: Path, tmp_path: Path) -> None:
    put(
        folder,
        record("sst2", "lora", 13, "1100"),
        record("sst2", "lora", 21, "0000"),
        record("sst2", "patterns", 13, "1111"),
        {"board": "nsmc", "variant": "lora", "seed": 13, "failed": "did not learn"},
    )
    text = bench.page()
    (row,) = [one for one in text.splitlines() if one.startswith("| sst2 | `patterns` |")]
    assert "| 1 | 100.0 (100.0 to 100.0) | **+50.0" in row or "| +50.0" in row
    assert "3 cells of 130 are measured" in text, "three boards of 35 cells, one of 25"
    assert "`full` on sst2" in text
    assert "`lora` on nsmc" in text, "it failed"
    assert "`lora` on sst2" not in text
    assert "None of these is measured yet." in text
    page = tmp_path / "page.md"
    page.write_text(f"# x\n{table.mark('pattern_tuning.py')}\nold\n{table.END}\nafter\n", "utf-8")
    table.write("pattern_tuning.py", text, page)
    assert "old" not in page.read_text(encoding="utf-8")
