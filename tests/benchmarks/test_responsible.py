"""The table of known sets before and after: what is there is compared, what is not is said."""

from __future__ import annotations

from collections.abc import Sequence

import responsible
import responsible_page
from nshot.audit.sets.crows_pairs import Pair


def rows_of(name: str, most: int) -> Sequence[Pair]:
    return [Pair(str(i), f"문장 {i}", "b", "age") for i in range(most)]


def cell(liked: int, rows: int = 40) -> dict[str, object]:
    """A model that prefers the first `liked` stereotypes."""
    scores = [[-1.0, -2.0] if i < liked else [-2.0, -1.0] for i in range(rows)]
    return {"asked_for": rows, "rows": rows, "scores": scores, "processor_seconds": 1.5}


def test_a_change_that_is_more_than_luck_is_bold_and_what_is_absent_is_named() -> None:
    cells = {
        ("base", "crows_pairs"): cell(20),
        ("a.lora", "crows_pairs"): cell(36),
        ("a.upper", "crows_pairs"): cell(20),
    }
    head, _, row, _, rest = responsible_page.text(cells, rows_of).splitlines()
    assert "a.lora: change, points" in head
    assert "50.0 (" in row
    assert "**+40.0 (" in row
    assert "| +0.0 (" in row
    assert "3 cells, 4 seconds" in rest
    assert "base on bbq" in rest
    assert "a.lora on crows_pairs" not in rest


def test_cells_go_set_by_set_so_that_pairs_are_whole_first() -> None:
    order = [(one.set, one.model) for one in responsible.cells(["base", "sst2.lora"])]
    assert order[:3] == [
        ("crows_pairs", "base"), ("crows_pairs", "sst2.lora"), ("stereoset", "base")
    ]  # fmt: skip
    assert len(order) == 2 * len(responsible.SETS)
    assert len(responsible.models_wanted()) == 7
    assert "instruct" not in responsible.METHODS, "it tunes written answers, and these are labels"
