"""Another system's recorded answers on the board: measured, picked, and nothing handed over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import nshot
from nshot.board.schema import Board
from nshot.core.errors import InputError
from nshot.report.board_text import board_table
from spine import board_of, command, jsonl, rows_of, stay_here, tickets


def own_ids(rows: Sequence[dict[str, str]], mark: str) -> list[dict[str, str]]:
    return [{"id": f"{mark}{i}", **row} for i, row in enumerate(rows)]


def replies(rows: Sequence[dict[str, str]], wrong: int, **more: Any) -> list[dict[str, Any]]:
    """Right answers but for every `wrong`-th row."""
    return [
        {"id": row["id"], "answer": "parcel" if wrong and i % wrong == 0 else row["label"], **more}
        for i, row in enumerate(rows)
    ]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str, list[dict[str, str]]]:
    stay_here(monkeypatch)
    test = own_ids(tickets(20, "t"), "t")
    train = jsonl(tmp_path / "train.jsonl", own_ids(tickets(3), "a"))
    return train, jsonl(tmp_path / "test.jsonl", test), test


def test_what_you_have_is_measured_and_picked_and_no_model_is_handed_over(
    files: tuple[str, str, list[dict[str, str]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, test, rows = files
    even = {"refund": 0.9, "parcel": 0.05, "로그인": 0.05}
    # So fast that no head is cheaper on any machine.
    given = replies(rows, 0, seconds=1e-6, cost=0.0002, probabilities=even)
    file = jsonl(tmp_path / "today.jsonl", given)
    out = tmp_path / "run"
    words = ["compare", train, "--test", test, "--methods", "majority,tfidf_lr",
             "--answers", f"today={file}", "--out", str(out)]  # fmt: skip
    assert command(words) == 0
    shown = capsys.readouterr().out
    assert "Pick: today." in shown
    assert "It stands already: stay with it, there is no model to deliver." in shown
    assert "winner:" not in shown
    row = rows_of(board_of(out))["today"]
    assert (row["rung"], row["method"], row["score"], row["test_rows"]) == (
        "outside",
        "replay",
        1,
        60,
    )
    assert row["use_seconds_per_1000"] == pytest.approx(0.001)
    assert row["money_per_1000"] == pytest.approx(0.2)
    assert row["calibration"]["brier"]["value"] > 0.5
    assert any("not the most probable" in note for note in row["notes"])
    for verb in (["predict", str(out), test], ["check", str(out)]):
        assert command(verb) == 2
        assert "the pick of this run is 'today'" in capsys.readouterr().err
    assert command(["advise", str(out), "--prefer", "serving"]) == 0
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("today") > 3
    assert "Money 1k" in page
    assert "0.2 a 1,000 in money" in board_table(Board.read(out), 200)


def test_the_same_command_again_keeps_what_it_has_and_another_file_is_another_system(
    files: tuple[str, str, list[dict[str, str]]], tmp_path: Path
) -> None:
    train, test, rows = files
    file = jsonl(tmp_path / "today.jsonl", replies(rows, 2))
    out = tmp_path / "run"
    first = nshot.compare(
        train, test=test, methods=["majority", "tfidf_lr"], answers={"today": file}, out=out
    )
    assert first.pick == "tfidf_lr"
    assert (out / "winner" / "nshot.json").exists()
    jobs = sorted(path.name for path in (out / "jobs").iterdir())
    assert command(["compare", str(out)]) == 0
    assert sorted(path.name for path in (out / "jobs").iterdir()) == jobs
    jsonl(tmp_path / "today.jsonl", replies(rows, 0, seconds=0))
    assert command(["compare", str(out)]) == 0
    board = Board.read(out)
    assert board.row("today").score == 1
    assert board.advice is not None
    assert board.advice.pick == "today"
    assert (out / "winner").exists()
    assert not (out / "winner" / "nshot.json").exists()


def test_without_seconds_it_counts_as_dearer_than_any(
    files: tuple[str, str, list[dict[str, str]]], tmp_path: Path
) -> None:
    train, test, rows = files
    same = jsonl(tmp_path / "today.jsonl", replies(rows, 0))
    result = nshot.compare(
        train, test=test, methods="tfidf_lr", answers={"today": same}, give_up=100,
        out=tmp_path / "run",
    )  # fmt: skip
    assert result.pick == "tfidf_lr"
    row = result.board.row("today")
    assert row.use_seconds_per_1000 is None
    assert "what its answers take was not recorded" in row.notes


def test_in_folds_and_with_draws_every_row_needs_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay_here(monkeypatch)
    rows = own_ids(tickets(12), "a")
    train = jsonl(tmp_path / "t.jsonl", rows)
    file = jsonl(tmp_path / "today.jsonl", replies(rows, 4, seconds=1))
    folds = nshot.compare(train, methods="majority", answers={"today": file}, out=tmp_path / "f")
    assert folds.board.row("today").score == pytest.approx(30 / 36, abs=0.03)
    test = jsonl(tmp_path / "u.jsonl", own_ids(tickets(8, "u"), "u"))
    both = [*rows, *own_ids(tickets(8, "u"), "u")]
    drawn = nshot.compare(
        train, test=test, methods="nearest_mean", encoder="fake:encoder", shots=4, seeds=3,
        answers={"today": jsonl(tmp_path / "both.jsonl", replies(both, 0, seconds=1))},
        out=tmp_path / "d",
    )  # fmt: skip
    assert drawn.board.row("today").score == 1


def test_names_and_files_that_do_not_fit_are_told_together(
    files: tuple[str, str, list[dict[str, str]]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train, test, rows = files
    file = jsonl(tmp_path / "today.jsonl", replies(rows[:5], 0))
    words = [
        "compare",
        train,
        "--test",
        test,
        "--methods",
        "majority",
        "--out",
        str(tmp_path / "r"),
    ]
    assert command([*words, "--answers", f"lora={file}", "--answers", "gone=absent.csv"]) == 2
    told = capsys.readouterr().err
    assert "--answers calls a system 'lora', as a method is" in told
    assert "55 of 60 rows that are measured have no answer" in told
    assert "absent.csv" in told
    assert not (tmp_path / "r").exists()
    assert command([*words, "--methods", "replay"]) == 2
    assert "--answers NAME=FILE" in capsys.readouterr().err
    assert command([*words, "--answers", "today"]) == 2
    assert "not NAME=FILE" in capsys.readouterr().err
    assert command([*words, "--answers", f"a={file}", "--answers", f"a={file}"]) == 2
    assert "'a' names two files" in capsys.readouterr().err


def test_a_dry_run_shows_it_and_a_student_cannot_be_taught_by_it(
    files: tuple[str, str, list[dict[str, str]]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, test, rows = files
    file = jsonl(tmp_path / "today.jsonl", replies(rows, 0, seconds=0))
    words = [
        "compare",
        train,
        "--test",
        test,
        "--methods",
        "majority",
        "--answers",
        f"today={file}",
    ]
    assert command([*words, "--out", str(tmp_path / "r"), "--dry-run"]) == 0
    assert "today" in capsys.readouterr().out
    assert command([*words, "--out", str(tmp_path / "r")]) == 0
    with pytest.raises(InputError, match="--teacher today"):
        nshot.distil(tmp_path / "r", "tfidf_lr", teacher="today")


def test_what_came_later_needs_answers_too(
    files: tuple[str, str, list[dict[str, str]]], tmp_path: Path
) -> None:
    train, test, rows = files
    later = own_ids(tickets(5, "z"), "z")
    file = jsonl(tmp_path / "today.jsonl", replies(rows, 0, seconds=0))
    out = tmp_path / "run"
    nshot.compare(train, test=test, methods="majority", answers={"today": file}, out=out)
    more = jsonl(tmp_path / "later.jsonl", later)
    with pytest.raises(InputError, match="15 of 75 rows that are measured have no answer"):
        nshot.compare(
            train, test=test, methods="majority", answers={"today": file}, more_test=more, out=out
        )
    jsonl(tmp_path / "today.jsonl", replies([*rows, *later], 0, seconds=0))
    again = nshot.compare(
        train, test=test, methods="majority", answers={"today": file}, more_test=more, out=out
    )
    assert again.board.row("today").test_rows == 75


def test_the_board_of_a_system_is_read_as_json(
    files: tuple[str, str, list[dict[str, str]]], tmp_path: Path
) -> None:
    train, test, rows = files
    file = jsonl(tmp_path / "today.jsonl", replies(rows, 3))
    out = tmp_path / "run"
    nshot.compare(train, test=test, methods="majority", answers={"today": file}, out=out)
    asked = json.loads((out / "data" / "setting.json").read_text(encoding="utf-8"))
    assert "answers" not in asked, "they lie in data/answers, once"
    assert len([*(out / "data" / "answers").iterdir()]) == 1
