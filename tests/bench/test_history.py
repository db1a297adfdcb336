"""What a run tells of itself: seconds by piece, how it stood, where the best differ, the winner."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest
from test_race import LABELS, Behind, Dear, Drawn, Head, prepared, rows

from nshot.bench.prepare import prepare
from nshot.bench.request import Request
from nshot.bench.run import carry_out
from nshot.board.events import Event, Started, ignore
from nshot.board.schema import Board, Details, Race
from nshot.data.json_lines import read_rows
from nshot.predictors import KINDS
from spine import jsonl, setting_of, stay_here


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    stay_here(monkeypatch)
    monkeypatch.setitem(KINDS, "drawn", "test_race:Drawn")  # type: ignore[arg-type]


def race_in(folder: Path) -> Race:
    race = Details.read(folder).race
    assert race is not None
    return race


def test_steps_follow_each_other_and_say_where_each_stopped(tmp_path: Path) -> None:
    result = carry_out(prepared(tmp_path), ignore)
    race = race_in(result.folder)
    clock = 0.0
    for step in race.steps:
        assert step.started == pytest.approx(clock)
        clock += step.seconds
    assert clock > 0
    last = {step.contender: (step.stage, step.rows) for step in race.steps}
    assert last["worse"] == ("trial", 0)
    assert last["behind"] == ("fit", 100)
    assert last["dear"] == ("answer", 600)
    assert "cousin" not in last, "nothing was done for it"
    (behind, worse) = (result.board.row(name) for name in ("behind", "worse"))
    assert worse.left_seconds is not None
    assert worse.left_seconds > 60, "by its forecast"
    assert behind.left_seconds == pytest.approx(60 * 5 / 6), "500 of 600 rows, a tenth of a second"


def test_the_verdict_stands_from_a_round_on(tmp_path: Path) -> None:
    result = carry_out(prepared(tmp_path), ignore)
    race, advice = race_in(result.folder), result.board.advice
    assert advice is not None
    assert [one.ended for one in race.rounds] == sorted(one.ended for one in race.rounds)
    assert race.rounds[0].verdict == "cannot_tell"
    assert (race.rounds[-1].pick, race.rounds[-1].verdict) == (advice.pick, advice.verdict)


def test_a_resumed_run_tells_the_same_seconds_of_what_was_stored(tmp_path: Path) -> None:
    heard = 0

    def stop(event: Event) -> None:
        nonlocal heard
        heard += isinstance(event, Started)
        if heard == 6:
            raise KeyboardInterrupt

    request = prepared(tmp_path)
    with contextlib.suppress(KeyboardInterrupt):
        carry_out(request, stop)
    before = race_in(request.out).steps
    carry_out(request, ignore)
    whole = race_in(request.out)
    assert before
    assert whole.steps[: len(before)] == before
    carry_out(request, ignore)
    assert race_in(request.out) == whole


class Other(Head):
    """As good as `head`, on other rows."""

    name = "other"
    quality: float = 0.77


def test_where_the_best_differ_is_a_file(tmp_path: Path) -> None:
    both = setting_of(prepared(tmp_path), Head(), Other())
    result = carry_out(both, ignore)
    assert result.board.advice is not None
    assert set(result.board.advice.could_be_best) == {"head", "other"}
    contested = read_rows(result.folder / "disagreements.jsonl")
    head, other = (Drawn(both.task, one.quality, one.name) for one in (Head(), Other()))
    inputs = [e.input for e in both.split.test]
    answers = zip(inputs, head.predict(inputs), other.predict(inputs), strict=True)
    differ = {one.text: (a.answer, b.answer) for one, a, b in answers if a.answer != b.answer}
    assert {
        row["input"]: (row["answers"]["head"], row["answers"]["other"]) for row in contested
    } == differ
    assert {row["label"] for row in contested} <= set(LABELS)
    shown = Details.read(result.folder).disagreements
    assert shown is not None
    assert (shown.total, shown.inputs) == (len(differ), 600)


def test_what_lies_in_the_winner_is_said_and_whether_it_was_fitted_anew(tmp_path: Path) -> None:
    measured = carry_out(setting_of(prepared(tmp_path), Head(), Behind()), ignore)
    folder = Details.read(measured.folder).delivered
    assert folder is not None
    assert not folder.anew
    sizes = {p.name: p.stat().st_size for p in (measured.folder / "winner").iterdir()}
    assert folder.files == sizes
    train = jsonl(tmp_path / "few.jsonl", rows(40))
    request = Request(train, methods=("majority",), out=str(tmp_path / "folds"))
    folds = carry_out(setting_of(prepare(request), Head(), Dear()), ignore)
    again = Details.read(folds.folder).delivered
    assert again is not None
    assert again.anew
    race = race_in(folds.folder)
    assert race.steps
    assert not race.rounds
    assert Board.read(folds.folder).task.question == 1


def test_a_refit_on_all_rows_claims_no_score_of_what_it_delivers(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "many.jsonl", rows(140))
    request = Request(train, methods=("majority",), out=str(tmp_path / "again"), refit_on_all=True)
    result = carry_out(setting_of(prepare(request), Head()), ignore)
    assert result.board.advice is not None
    assert result.board.task.refit == 420
    assert "fitted anew on 420 rows, these test rows among them" in result.board.advice.reasons[0]
    (delivered,) = result.board.outside
    assert delivered.score is None
    folder = Details.read(result.folder).delivered
    assert folder is not None
    assert folder.anew


def test_question_2_tells_its_draws(tmp_path: Path) -> None:
    some = replace(prepared(tmp_path, shots=(4,), seeds=2), out=tmp_path / "some")
    result = carry_out(setting_of(some, Head()), ignore)
    race = race_in(result.folder)
    assert {step.contender for step in race.steps} == {"head"}
    assert sum(step.stage == "fit" for step in race.steps) == 2
    assert [one.pick for one in race.rounds] == ["head"]
