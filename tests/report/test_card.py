"""The model card of a delivered folder: the Hub reads it, and it says what the board says."""

from __future__ import annotations

from pathlib import Path

import pytest
import sample_board
from huggingface_hub import ModelCard

from nshot.board.schema import Board
from nshot.report.card import FILE, card, write_card


@pytest.fixture
def board() -> Board:
    return Board.model_validate(sample_board.board())


def test_the_hub_reads_its_metadata(board: Board, tmp_path: Path) -> None:
    write_card(tmp_path, board)
    read = ModelCard.load(tmp_path / FILE)
    assert read.data.library_name == "nshot"
    assert read.data.pipeline_tag == "text-classification"
    assert read.data.model_name == board.task.name
    (result,) = read.data.eval_results
    assert result.metric_value == pytest.approx(board.row(board.advice.pick).score, abs=1e-4)
    assert result.metric_type == board.task.metric


def test_it_says_board_data_labels_and_limits(board: Board) -> None:
    text = card(board, board.advice)
    assert board.fingerprint in text
    for row in board.contest:
        assert (f"| {row.name} |" in text) == (row.score is not None)
    for label in board.task.labels:
        assert f"`{label.name}`" in text
    for reason in board.advice.reasons:
        assert f"- {reason}" in text
    assert f"expect {board.advice.corrected_score:.3f}" in text
    assert "another origin, time or language" in text


def test_rows_stand_best_first_and_the_same_board_gives_the_same_bytes(board: Board) -> None:
    text = card(board, board.advice)
    scores = [float(line.split("|")[2]) for line in text.splitlines() if line.startswith("| ")
              and line.split("|")[2].strip()[:1].isdigit()]  # fmt: skip
    assert scores == sorted(scores, reverse=True)
    assert len(scores) > 3
    assert card(Board.model_validate(sample_board.board()), board.advice) == text


def test_a_base_is_named_where_the_hub_can_know_it(board: Board) -> None:
    row = board.row(board.advice.pick)
    for base, named in (("org/model", True), ("/models/mine", False), ("smollm2", False)):
        other = board.model_copy(
            update={
                "rows": tuple(
                    one.model_copy(update={"base": base}) if one is row else one
                    for one in board.rows
                )
            }
        )
        assert ("base_model: org/model" in card(other, board.advice)) == named


def test_without_a_pick_there_is_no_card(board: Board, tmp_path: Path) -> None:
    write_card(tmp_path, board.model_copy(update={"advice": None}))
    assert not (tmp_path / FILE).exists()
