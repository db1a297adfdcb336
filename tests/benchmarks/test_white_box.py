"""The figures of benchmarks/white_box.py: differences on the same rows, and what is fewer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

import white_box
from nshot.core.types import Label, Shots, Task
from table import mark


def piece(right: list[bool], nll: list[float], seconds: float, parameters: int):
    return white_box.Piece(right, nll, seconds, 1.0, parameters, [])


def test_a_difference_is_of_the_same_rows() -> None:
    one, other = [True, True, False, True], [True, False, False, False]
    half = 1.96 * np.std([0, 100, 0, 100], ddof=1) / 2
    assert white_box.less(one, other, 100) == f"+50.0 ({50 - half:+.1f} to {50 + half:+.1f})"
    assert white_box.less([1.5, 2.0], [1.0, 1.5]).startswith("+0.500 (+0.500")


def test_the_tables_say_what_was_kept() -> None:
    whole = piece([True] * 4, [0.1] * 4, 10.0, 200)
    small = piece([True, True, True, False], [0.4] * 4, 4.0, 100)
    known = {"sst2": dict.fromkeys(("alone", "taught", "rounded", "qat"), small) | {"lora": whole}}
    last = white_box.layers(known).splitlines()[-1]
    assert "| `lora`: 100.0 % | `fewer_layers` | 75.0 % | 75.0 % |" in last
    assert last.endswith("| 75 % | +0.0 (+0.0 to +0.0) | 50 % | 2.5x |")
    assert "| sst2 | Q4_0, `qat` | 75.0 % | 0.400 | +0.300 (+0.300" in white_box.grid(known)


def test_each_table_has_its_place_on_the_page() -> None:
    one = piece([True, False], [0.1, 0.2], 10.0, 200)
    known = {"sst2": dict.fromkeys(white_box.KINDS, one)}
    plans = white_box.PLANS
    assert list(white_box.tables(known, plans["quick"])) == ["grid"]
    for name in ("", "long"):
        for part, text in white_box.tables(known, plans[name]).items():
            assert mark(f"white_box.py, {part}") in white_box.PAGE.read_text(encoding="utf-8")
            assert "sst2: 2 test rows; one thread of" in text


def test_what_was_measured_is_not_made_again(tmp_path: Path) -> None:
    one = piece([True, False], [0.1, 0.2], 10.0, 200)
    (tmp_path / "sst2").mkdir()
    (tmp_path / "sst2" / "lora.json").write_text(json.dumps(one._asdict()), encoding="utf-8")
    none = white_box.Rows(Task("t", "classify", (Label("a"), Label("b"))), Shots(), ())
    assert white_box.piece("sst2", "lora", tmp_path, none, white_box.PLANS[""]) == one
