"""What is shown while a run goes on: lines for a log, bars for several pieces at once."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import sample_board
from rich.console import Console

from nshot.board.events import Finished, Message, Progress, Started
from nshot.board.schema import Board
from nshot.report.board_text import advice_lines, board_table, result
from nshot.report.headings import question
from nshot.report.terminal import Bars, Lines


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


def test_advice_begins_with_the_pick_and_the_verdict_and_has_every_reason_once() -> None:
    board = Board.model_validate(sample_board.board())
    lines = advice_lines(board.advice).splitlines()
    assert lines[0] == sample_board.REASONS[0]
    assert lines[1].startswith("Leaning: another method")
    assert lines[2] == f"  - {sample_board.REASONS[1]}"
    assert len(lines) == len(sample_board.REASONS)


def all_rows(**task: Any) -> Board:
    body = sample_board.board_of_all_rows()
    body["task"] |= task
    return Board.model_validate(body)


def test_a_board_of_all_rows_says_rows_and_settings_and_no_draws() -> None:
    text = result(all_rows(), width=160)
    lines = text.splitlines()
    assert lines[0].startswith("Pick: linear_probe. The delivered model")
    assert "all 239 labelled rows, one fit a method, as delivered; 80 test rows:" in lines
    for name, rows, settings in (
        ("tfidf_lr", "80", "fixed"),
        ("linear_probe", "80", "searched"),
        ("full", "30 of 80", "default"),
        ("lora", "none", "default"),
    ):
        (line,) = [one for one in lines if one[2:].split()[:1] == [name]]
        assert f" {rows}  {settings}" in line
    without = text.replace("few_shot", "").replace("retrieved_shots", "")
    assert not re.search(r"\bshots?\b|\bdraws?\b", without)


def test_put_aside_stands_apart_with_its_reason_and_is_never_called_ruled_out() -> None:
    parts = board_table(all_rows(), width=200).split("\n\n")
    assert [part.splitlines()[0] for part in parts[1:]] == [
        "put aside, which is not ruled out:",
        "not measured:",
    ]
    whole, aside, missing = parts
    assert " full " not in whole
    assert "lora" not in whole
    assert "12 points behind linear_probe on 40 labelled rows" in aside
    assert "under 5 % that it would be taken instead of linear_probe" in aside
    assert "put aside: put aside" not in aside
    assert "skipped: forecast" in missing
    assert "did not learn" in missing


def test_the_row_outside_the_contest_says_that_it_was_fitted_anew() -> None:
    text = board_table(Board.model_validate(sample_board.board()), width=200)
    part = text.split("as delivered:\n")[1]
    assert "linear_probe" in part
    assert "fitted anew" in part


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({}, "all 239 labelled rows, one fit a method, as delivered"),
        (
            {"mode": "folds", "seeds": 3},
            "all 239 labelled rows in folds, 3 repeats; delivered: fitted on all",
        ),
        ({"question": 2, "shots": [4, 16], "seeds": 3}, "16 examples a label, up to 3 draws"),
        ({"question": 2, "shots": [4], "seeds": 1, "kind": "generate"}, "4 examples, 1 draw"),
    ],
)
def test_the_head_says_which_question_is_answered(task: dict[str, Any], words: str) -> None:
    assert question(all_rows(**task).task) == words


def test_what_moves_the_answers_of_a_model_elsewhere_is_a_line_and_of_a_head_none() -> None:
    body = sample_board.board()
    doubt = {"value": 0.5, "low": 0.27, "high": 0.73, "rows": 20}
    body["rows"][0]["reliance"] = {"injection": doubt, "repeat": {**doubt, "value": 0.0}}
    body["rows"][1]["reliance"] = {"injection": doubt}
    share = {"value": 0.2, "low": 0.1, "high": 0.3}
    body["rows"][0]["calibration"] = {
        **body["rows"][0]["calibration"], "kind": "temperature", "temperature": 2.9,
        "error": {**share, "value": 0.05}, "bare": {"error": share, "brier": share},
    }  # fmt: skip
    said = result(Board.model_validate(body))
    names = [row["name"] for row in body["rows"]]
    assert f"{names[0]}: 10 of 20 answers obey a text that asks for another label" in said
    assert f"{names[0]}: its probabilities were too sure: off by 20 (10 to 30) points" in said
    assert f"{names[1]}: 10 of 20" not in said
