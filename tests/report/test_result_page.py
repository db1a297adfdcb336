"""The docs' result pages: generated from a run's files, with what was written by hand kept."""

from __future__ import annotations

import importlib.util
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sample_board

from nshot.board.schema import Board, Details

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "result_page.py"


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("result_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(folder: Path, board: dict[str, Any] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "leaderboard.json").write_text(json.dumps(board or sample_board.board()))
    (folder / "details.json").write_text(json.dumps(sample_board.details()))
    return folder


def test_keeps_what_was_written_by_hand(page: ModuleType, tmp_path: Path) -> None:
    name = tmp_path / "docs" / "tickets"
    page.write(_run(tmp_path / "run"), name)
    file = tmp_path / "docs" / "tickets.md"
    file.write_text(
        file.read_text().replace("# support", "My words first.\n\n# support") + "Last.\n"
    )
    page.write(_run(tmp_path / "run"), name)
    text = file.read_text()
    assert text.startswith("My words first.")
    assert text.endswith("Last.\n")
    assert text.count(page.START) == text.count(page.END) == 1
    assert "| ◆ | `linear_probe` | fewshot | 77.8 (69.3–85.3) | +19.2 | 4.2 s | 9.2 s |" in text
    assert "`ppo` skipped" in text


def test_what_was_put_aside_is_listed_and_not_in_the_table(
    page: ModuleType, tmp_path: Path
) -> None:
    page.write(_run(tmp_path / "run", sample_board.board_of_all_rows()), tmp_path / "tickets")
    text = (tmp_path / "tickets.md").read_text()
    assert "- `full` 30 of 80: 75.2 (66.7–82.7) %; put aside after 30 of 80" in text
    assert "- `lora`; put aside: 12 points behind" in text
    assert "| `full` |" not in text
    assert "all 239 labelled rows, one fit a method, as delivered" in text


def test_further_metrics_are_columns(page: ModuleType, tmp_path: Path) -> None:
    board = sample_board.board()
    board["task"]["also"] = ["macro_f1"]
    first = next(row for row in board["rows"] if row["name"] == "linear_probe")
    first["also"] = {"macro_f1": {"score": 0.5, "low": 0.4, "high": 0.6}}
    page.write(_run(tmp_path / "run", board), tmp_path / "tickets")
    text = (tmp_path / "tickets.md").read_text()
    assert "| score | macro_f1 | gap |" in text
    assert "| 77.8 (69.3–85.3) | 50.0 (40.0–60.0) | +19.2 |" in text


def test_pictures_are_files_the_page_shows(page: ModuleType, tmp_path: Path) -> None:
    page.write(_run(tmp_path / "run"), tmp_path / "tickets")
    text = (tmp_path / "tickets.md").read_text()
    for ending in ("board", "cost", "curve"):
        file = tmp_path / f"tickets-{ending}.svg"
        assert f"]({file.name})" in text
        ET.fromstring(file.read_text(encoding="utf-8"))


def test_one_size_has_no_curve(page: ModuleType, tmp_path: Path) -> None:
    board = sample_board.board()
    for row in board["rows"]:
        row["curve"] = row["curve"][:1]
    page.write(_run(tmp_path / "run", board), tmp_path / "tickets")
    assert not (tmp_path / "tickets-curve.svg").exists()


def test_half_a_pair_of_markers_is_refused(page: ModuleType) -> None:
    with pytest.raises(SystemExit, match="put it back"):
        page.put(f"# A\n{page.START}\n", "new")


def test_the_place_of_the_data_is_not_told(
    page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSHOT_DATA", str(tmp_path / "data"))
    details = {**sample_board.details(), "command": f"nshot compare {tmp_path}/data/sst2.csv"}
    board = Board.model_validate(sample_board.board())
    text = page.block(board, Details.model_validate(details), {})
    assert "nshot compare $NSHOT_DATA/sst2.csv" in text
    assert str(tmp_path) not in text
