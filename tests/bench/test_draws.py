"""Question 2: what is measured of whom, and the same rounds after a kill."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from test_race import Drawn, rows

from nshot.bench.forecast import FAST_DRAWS, Budget
from nshot.bench.ladder import Ladder
from nshot.bench.prepare import Prepared, prepare
from nshot.bench.request import Request
from nshot.bench.run import Result, carry_out
from nshot.bench.store import Store
from nshot.board.events import Event, Started, ignore
from nshot.board.schema import Details
from nshot.core.types import Cost, Shots, Task
from nshot.methods.contract import Brief, Method, Workbench
from nshot.predictors import KINDS
from nshot.predictors.base import Predictor
from spine import jsonl, rows_of, setting_of, stay_here


class Quick(Method):
    """Answers at once; other draws and sizes have other luck."""

    name: ClassVar = "quick"
    rung: ClassVar = "fewshot"
    trains: ClassVar = "head"

    quality: float = 0.75

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        gained = (self.quality - 0.4) * min(1, len(shots.labelled) / 24)
        return Drawn(task, 0.4 + gained, f"{self.name}{bench.seed}")


class Slow(Quick):
    """Trains; a search brings ten points."""

    name: ClassVar = "slow"
    fast: ClassVar = False
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"quality": (0.8, 0.9)}
    search_folds: ClassVar = 2

    quality: float = 0.8

    def use_forecast(self, brief: Brief) -> Cost:
        return Cost(seconds=brief.test / 100)


class Kept(Slow):
    """A search brings nothing: its defaults are the best."""

    name: ClassVar = "kept"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"quality": (0.88, 0.5)}

    quality: float = 0.88


class Hopeless(Slow):
    """So far behind that the first rows show it."""

    name: ClassVar = "hopeless"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"quality": (0.45, 0.4)}

    quality: float = 0.45


class Prompt(Slow):
    """Learns nothing: no draw moves it."""

    name: ClassVar = "prompt"
    trains: ClassVar = "nothing"
    learns: ClassVar = False
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {}

    quality: float = 0.86

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        return Drawn(task, self.quality, self.name)


class Long(Quick):
    """Twenty draws of it would take more than a minute."""

    name: ClassVar = "long"

    def use_forecast(self, brief: Brief) -> Cost:
        return Cost(seconds=3.1)


METHODS = (Quick(), Slow(), Kept(), Hopeless(), Prompt())


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    stay_here(monkeypatch)
    monkeypatch.setitem(KINDS, "drawn", "test_race:Drawn")  # type: ignore[arg-type]


def prepared(tmp_path: Path, name: str = "run", *methods: Method, **more: Any) -> Prepared:
    train = jsonl(tmp_path / "train.jsonl", rows(40))
    test = jsonl(tmp_path / "test.jsonl", rows(200, "t"))
    request = Request(
        train,
        test=test,
        methods=("majority",),
        out=str(tmp_path / name),
        **({"shots": (8,)} | more),
    )
    return setting_of(prepare(request), *(methods or METHODS))


def run(tmp_path: Path, name: str = "run", *methods: Method, **more: Any) -> Result:
    return carry_out(prepared(tmp_path, name, *methods, **more), ignore)


def sizes(result: Result) -> dict[str, tuple[int, int]]:
    """(draws, rows) of each row's points."""
    points = result.board.points.rows
    return {name: (len(row.points), len(row.points[0])) for name, row in points.items()}


def test_the_fast_have_many_draws_and_the_slow_as_many_as_may_matter(tmp_path: Path) -> None:
    result = run(tmp_path)
    board = rows_of(result.board)
    assert sizes(result) == {
        "quick": (FAST_DRAWS, 600),
        "slow": (3, 600),
        "kept": (2, 300),
        "hopeless": (1, 100),
        "prompt": (1, 600),
    }
    assert board["slow"]["settings"] == {"quality": 0.9}
    assert board["slow"]["searched"]
    assert board["kept"]["status"] == board["hopeless"]["status"] == "aside"
    assert board["kept"]["reason"].startswith(
        "put aside after 2 of 3 draws on 300 of 600 test rows"
    )
    assert not board["hopeless"]["searched"]
    assert board["hopeless"]["chance"] is None
    assert board["hopeless"]["reason"].startswith(
        "put aside after 1 of 3 draws on 100 of 600 test rows with default settings: measuring it"
        " whole was expected to bring 0.0 points over "
    )
    assert board["hopeless"]["left_seconds"] >= 3 * 6 - 1, "by its forecast; and its search"
    assert result.pick == "slow"
    assert result.board.points.contenders == 5
    assert result.board.task.seeds == FAST_DRAWS
    advice = result.board.advice
    assert advice is not None
    assert advice.confirmed, "a pick of three draws is measured on two fresh ones"
    aside = next(reason for reason in advice.reasons if reason.startswith("Put aside"))
    assert "hopeless (after 1 draw on 100 of 600 test rows, with default settings)" in aside


def test_what_is_kept_of_a_draw_answers_its_further_rows(tmp_path: Path) -> None:
    """No draw is adapted twice with the same settings, and no test row asked twice of one."""
    result = run(tmp_path, "run", Quick(), Kept())
    store = Store(result.folder)
    bodies = [(kind, store.get(job)[1]) for job, kind, _ in store.jobs()]  # type: ignore[index]
    own = [(kind, body) for kind, body in bodies if body.get("method") == "kept"]
    asked = [(kind, body["draw"], len(body["ids"])) for kind, body in own if kind != "deliver"]
    assert sorted(asked)[:6] == [
        ("answer", 0, 200), ("answer", 0, 300), ("answer", 1, 300), ("answer", 2, 300),
        ("measure", 0, 100), ("measure", 0, 100),
    ]  # fmt: skip
    first, later = (body for kind, body in own if (kind, body["draw"]) == ("measure", 0))
    assert first["ids"] == later["ids"]
    assert first["build"]["seconds"] == later["build"]["seconds"], "its search changed nothing"
    ids = {name for _, body in own for name in body["ids"] if body["draw"] == 0}
    assert len(ids) == 600


def test_thorough_measures_everything(tmp_path: Path) -> None:
    result = run(tmp_path, thorough=True)
    assert {row["status"] for row in rows_of(result.board).values()} == {"ok"}
    assert sizes(result)["hopeless"] == sizes(result)["slow"] == (3, 600)


def test_never_more_draws_than_were_asked_for(tmp_path: Path) -> None:
    counts = {name: draws for name, (draws, _) in sizes(run(tmp_path, seeds=2)).items()}
    assert counts == {"quick": 2, "slow": 2, "kept": 2, "hopeless": 1, "prompt": 1}


def test_fast_methods_that_would_take_long_have_three_draws(tmp_path: Path) -> None:
    ladder = Ladder.of(prepared(tmp_path, "run", Quick(), Long(), shots=(4, 8)))
    repeats = {
        (c.name, size): ladder.forecasts.repeats(c, size)
        for c in ladder.contenders
        for size in (4, 8)
    }
    assert repeats == {
        ("quick", 4): 3, ("quick", 8): FAST_DRAWS, ("long", 4): 3, ("long", 8): 3
    }  # fmt: skip


def test_smaller_sizes_are_measured_of_who_went_the_whole_way(tmp_path: Path) -> None:
    result = run(tmp_path, shots=(4, 8), seeds=2)
    curves = {
        name: [point["shots"] for point in row["curve"]]
        for name, row in rows_of(result.board).items()
    }
    assert curves == {
        "quick": [4, 8], "slow": [4, 8], "kept": [8], "hopeless": [8], "prompt": [4, 8]
    }  # fmt: skip


@pytest.mark.parametrize("moment", [1, 6, 22, 25, 27, 29, 31])
def test_a_resumed_race_has_the_same_rounds(tmp_path: Path, moment: int) -> None:
    whole = run(tmp_path, "whole")
    heard = 0

    def stop(event: Event) -> None:
        nonlocal heard
        heard += isinstance(event, Started)
        if heard == moment:
            raise KeyboardInterrupt

    half = prepared(tmp_path, "half")
    with contextlib.suppress(KeyboardInterrupt):
        assert carry_out(half, stop).exit_code == 130
    again = carry_out(half, ignore)
    assert again.board.points == whole.board.points
    was, now = (
        [(r.name, r.status, r.reason, r.test_rows, r.per_seed) for r in result.board.contest]
        for result in (whole, again)
    )
    assert now == was
    done, again_done = ({job for job, _, _ in Store(x.folder).jobs()} for x in (whole, again))
    assert again_done == done


def test_it_tells_how_it_stood_after_each_round(tmp_path: Path) -> None:
    result = run(tmp_path, shots=(4, 8), seeds=2)
    race, advice = Details.read(result.folder).race, result.board.advice
    assert race is not None
    assert advice is not None
    assert len(race.rounds) > 2
    assert race.rounds[-1].pick == advice.pick
    last = {step.contender: (step.stage, step.rows) for step in race.steps if step.rows}
    assert last["hopeless"] == ("fit", 100)
    assert last["quick"] == ("fit", 600)


def test_minutes_stop_a_contender_where_it_is_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refusal(self: Budget, name: str, forecast: float) -> str | None:
        asked.append(name)
        return "forecast 9 min, and 2 s were left" if asked.count("kept") > 2 else None

    monkeypatch.setattr(Budget, "refusal", refusal)
    result = run(tmp_path)
    board = rows_of(result.board)
    assert board["kept"]["status"] == "aside"
    assert board["kept"]["reason"] == (
        "stopped after 1 of 3 draws on 100 of 600 test rows: forecast 9 min, and 2 s were left"
    )
    assert board["kept"]["score"] is not None


def test_draws_that_the_minutes_left_out_are_told_in_one_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refusal(self: Budget, name: str, forecast: float) -> str | None:
        asked.append(name)
        return "2 s were left" if len(asked) > 5 else None

    monkeypatch.setattr(Budget, "refusal", refusal)
    result = run(tmp_path, "run", Quick())
    row = rows_of(result.board)["quick"]
    assert (row["status"], len(row["per_seed"])) == ("ok", 5)
    assert row["notes"] == ["8 shots: 15 draws not run: 2 s were left"]


def test_folds_are_measured_whole(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "train.jsonl", rows(40))
    request = Request(
        train, methods=("majority",), shots=(8,), seeds=1, out=str(tmp_path / "folds")
    )
    result = carry_out(setting_of(prepare(request), Quick(), Hopeless()), ignore)
    assert sizes(result) == {"quick": (1, 120), "hopeless": (1, 120)}
