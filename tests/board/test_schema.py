"""The typed board: its files, its page in the docs, and the one way to advice."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from pydantic import ValidationError

from nshot.board.schema import (
    Board,
    Details,
    FreshPoints,
    Points,
    Row,
    RowPoints,
    TaskSummary,
    Wish,
)
from nshot.core.errors import InputError

DOCS = Path(__file__).parents[2] / "docs"
TASK = TaskSummary(
    name="t", kind="classify", metric="accuracy", train=9, test=100, mode="file", shots=(4,),
    seeds=1,
)  # fmt: skip


def row(name: str, build: float, trains: str = "head") -> Row:
    return Row(
        name=name, method=name, rung="fewshot", trains=trains, status="ok", score=0.5,
        build_seconds=build, use_seconds_per_1000=1.0,
    )  # fmt: skip


def board(fresh: FreshPoints | None = None) -> Board:
    """`dear` is right on 80 of 100 rows, `cheap` on 79, `prompt` on 76; one row has no score."""
    right = {"dear": 80, "cheap": 79, "prompt": 76}
    points = {
        name: RowPoints(points=((1.0,) * n + (0.0,) * (100 - n),) * 2) for name, n in right.items()
    }
    none = Row(name="none", method="none", rung="peft", status="skipped", reason="no time")
    sent = Row(name="dear", method="dear", rung="peft", status="ok", form="deployed", score=0.9)
    rows = (row("dear", 90, "weights"), row("cheap", 2), row("prompt", 1, "nothing"), none, sent)
    return Board(fingerprint="f", task=TASK, rows=rows).having(
        Points(rows=points, contenders=3, fresh=fresh)
    )


def test_a_wish_decides_what_is_picked_and_nothing_is_measured_again() -> None:
    assert board().decide(Wish()).pick == "cheap"
    assert board().decide(Wish(prefer="accuracy")).pick == "dear"
    assert board().decide(Wish(give_up=0.0, change_base=False)).pick == "cheap"
    advice = board().decide(Wish(training=False))
    assert (advice.pick, advice.top, advice.contenders) == ("prompt", "dear", 3)
    assert advice.versus_pick["dear"].score == pytest.approx(0.04)
    assert "1 more method has no score" in " ".join(advice.reasons)


def test_fresh_points_count_only_where_their_row_is_the_pick() -> None:
    fresh = FreshPoints(pick="cheap", points=((0.0,) * 30 + (1.0,) * 70,))
    assert board(fresh).decide(Wish()).confirmed
    assert not board(fresh).decide(Wish(prefer="accuracy")).confirmed


def test_a_wish_that_leaves_nothing_is_refused() -> None:
    rows = tuple(r.model_copy(update={"trains": "weights"}) for r in board().rows)
    with pytest.raises(InputError, match="excludes every"):
        board().model_copy(update={"rows": rows}).decide(Wish(training=False))
    with pytest.raises(InputError, match="no method was measured"):
        Board(fingerprint="f", task=TASK, rows=()).decide(Wish())


def test_a_board_is_read_as_it_was_written(tmp_path: Path) -> None:
    there = board(FreshPoints(pick="cheap", points=((1.0, 0.0) * 50,)))
    there = there.model_copy(update={"advice": there.decide(Wish())})
    there.write(tmp_path)
    again = Board.read(tmp_path)
    assert again == there
    assert again.decide(Wish()) == there.advice
    assert json.loads((tmp_path / "leaderboard.json").read_text())["schema"] == 2
    half = Details(command="nshot \ud800")
    half.write(tmp_path)
    assert Details.read(tmp_path) == half, "half a surrogate pair comes back"
    assert Details.read(tmp_path / "nowhere") == Details()


def test_a_board_whose_points_are_gone_says_so(tmp_path: Path) -> None:
    board().write(tmp_path)
    (tmp_path / "points.json").unlink()
    with pytest.raises(InputError, match=r"points\.json is not there"):
        Board.read(tmp_path).decide(Wish())
    Board(fingerprint="f", task=TASK, rows=()).write(tmp_path)
    (tmp_path / "points.json").unlink()
    assert Board.read(tmp_path).rows == (), "nothing was measured: none are missed"


def test_a_board_is_frozen_and_knows_its_rows() -> None:
    there = board()
    assert [r.name for r in there.contest] == ["dear", "cheap", "prompt", "none"]
    assert [r.form for r in there.outside] == ["deployed"]
    assert there.row("dear").in_contest
    with pytest.raises(ValidationError):
        there.rows[0].score = 1.0  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Row(name="a", method="a", rung="peft", status="ok", score=float("nan"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"schema": 1, "methods": []}', r"schema 1.*older(.|\n)*nshot compare .*nshot\.yaml"),
        ('{"schema": 3}', "newer"),
        ("[]", "not a JSON object"),
        ("{", "not JSON"),
        ('{"schema": 2, "rows": [{"name": 7}]}', r"rows\.0\.name"),
    ],
)
def test_what_is_no_board_is_refused_with_what_to_type(
    tmp_path: Path, body: str, words: str
) -> None:
    (tmp_path / "leaderboard.json").write_text(body)
    with pytest.raises(InputError, match=words):
        Board.read(tmp_path)


def test_the_page_is_what_the_models_say() -> None:
    made = runpy.run_path(str(DOCS / "make_leaderboard.py"))
    page = (DOCS / "leaderboard.md").read_text(encoding="utf-8")
    assert page == made["page"](made["kept_part"]()), "python docs/make_leaderboard.py"
