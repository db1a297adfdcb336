"""Columns of numbers as a task of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from nshot.core.errors import InputError
from nshot.core.types import Kind
from nshot.data.loading import load


def prices(path: Path, cells: list[str]) -> Path:
    body = "".join(f'a flat of kind {i} here,"{cell}"\n' for i, cell in enumerate(cells))
    path.write_text(f"text,price\n{body}", encoding="utf-8")
    return path


def test_prices_are_read_as_numbers_and_it_is_said(tmp_path: Path) -> None:
    path = prices(tmp_path / "a.csv", [f"${1000 + 37 * i:,}.50" for i in range(30)])
    loaded = load(path, label="price")
    assert (loaded.task.kind, loaded.task.metric) == ("number", "mae_skill")
    assert loaded.train[1].targets == ("1037.5",)
    assert loaded.task.scale is not None
    assert loaded.task.scale.median == pytest.approx(1000.5 + 37 * 14.5)
    assert any("kind number (--kind classify" in note for note in loaded.notes)
    assert any("median" in note for note in loaded.notes)


def test_decimal_commas_are_told_from_the_whole_column(tmp_path: Path) -> None:
    path = prices(tmp_path / "a.csv", [f"{i},5" for i in range(30)])
    loaded = load(path, label="price")
    assert [e.targets[0] for e in loaded.train[:2]] == ["0.5", "1.5"]
    assert any("decimal commas" in note for note in loaded.notes)


def test_a_row_without_a_number_is_a_fault_of_its_line(tmp_path: Path) -> None:
    path = prices(tmp_path / "a.csv", ["1.5", "2.5", "cheap", "3.5"])
    with pytest.raises(InputError, match=r"line 4.*'price' holds 'cheap'"):
        load(path, label="price", kind="number")


@pytest.mark.parametrize("gap", ["", "NaN", "n/a", "NULL", "-", "Unknown"])
@pytest.mark.parametrize("kind", [None, "number"])
def test_rows_with_a_gap_are_left_out_and_counted(
    gap: str, kind: Kind | None, tmp_path: Path
) -> None:
    cells = [gap if i in (3, 9) else f"{i}.25" for i in range(40)]
    loaded = load(prices(tmp_path / "a.csv", cells), kind=kind)
    assert loaded.task.kind == "number"
    assert len(loaded.train) == 38
    words = repr(gap) if gap else "empty"
    note = f"a.csv: 2 of 40 rows have no number in 'price' ({words}), left out"
    assert note in loaded.notes


def test_equal_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all numbers of 'price' are 7"):
        load(prices(tmp_path / "a.csv", ["7"] * 5), label="price", kind="number")


@pytest.mark.parametrize(
    "cells",
    [
        [str(i % 5 + 1) for i in range(60)],
        [str(i % 30) for i in range(120)],
        [str(i % 2) for i in range(40)],
    ],
)
def test_stars_and_numbers_of_classes_stay_labels(cells: list[str], tmp_path: Path) -> None:
    assert load(prices(tmp_path / "a.csv", cells), label="price").task.kind == "classify"
