"""What is shown while a run goes on: lines for a log, bars for several pieces at once."""

from __future__ import annotations

import io

import pytest
import sample_board
from rich.console import Console

from nshot.board.events import Finished, Message, Progress, Started
from nshot.board.schema import Board
from nshot.report.terminal import Bars, Lines, advice_lines, board_table


def test_lines_say_what_begins_and_how_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    shown = Lines()
    for event in (
        Message("a note"),
        Started("knn · 4 shots", 0, 9),
        Progress("knn · 4 shots", 1, 2, "inputs"),
        Finished("knn · 4 shots", "81.0 % in 2 s"),
        Finished("a quiet one", ""),
    ):
        shown(event)
    shown.close()
    note, start, end = capsys.readouterr().err.splitlines()
    assert note == "a note"
    assert start.startswith("[1/9, ")
    assert start.endswith("] knn · 4 shots")
    assert end == "    knn · 4 shots: 81.0 % in 2 s"


def test_each_piece_under_way_has_its_own_bar() -> None:
    text = io.StringIO()
    shown = Bars(Console(file=text, force_terminal=True, width=100))
    shown(Started("lora", 0, 4))
    shown(Started("full", 1, 4))
    shown(Progress("lora", 3, 10, "steps"))
    shown(Progress("full", 7, 10, "steps"))
    assert shown.pieces == ("lora", "full")
    shown(Finished("lora", "did not learn"))
    assert shown.pieces == ("full",)
    shown(Finished("full", ""))
    shown.close()
    assert shown.pieces == ()
    assert "  lora: did not learn" in text.getvalue()


def test_a_name_with_its_model_is_whole_in_the_table() -> None:
    body = sample_board.board()
    body["rows"][0]["name"] = name = "retrieved_shots @ smollm2-135m"
    table = board_table(Board.model_validate(body), width=100)
    assert name in table
    assert "->  linear_probe" in table
    assert "skipped:" in table


def test_advice_is_a_head_and_a_line_for_each_reason() -> None:
    board = Board.model_validate(sample_board.board())
    lines = advice_lines(board.advice).splitlines()
    assert lines[0] == "Pick: linear_probe   verdict: leaning"
    assert len(lines) == 1 + len(sample_board.REASONS)
