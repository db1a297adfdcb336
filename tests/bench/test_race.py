"""Question 1: who runs how far, the same rounds after a kill, and what is delivered."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nshot.bench.contenders import Contender
from nshot.bench.forecast import Budget
from nshot.bench.ladder import Ladder
from nshot.bench.plan import Known
from nshot.bench.prepare import Prepared, prepare
from nshot.bench.race import Step
from nshot.bench.request import Request
from nshot.bench.run import Result, carry_out
from nshot.bench.store import Store
from nshot.board.events import Event, Started, ignore
from nshot.core.errors import InputError
from nshot.core.types import Cost, Input, ModelRef, Prediction, Shots, Task
from nshot.methods.contract import Brief, Method, Workbench
from nshot.methods.fewshot.setfit import SetFit
from nshot.models.base import Models
from nshot.predictors import KINDS, load
from nshot.predictors.base import Predictor
from nshot.predictors.folder import Saved, write
from spine import jsonl, rows_of, setting_of, stay_here

LABELS = ("refund", "parcel", "로그인")


@dataclass(frozen=True)
class Drawn:
    """Knows the right label of a text, and says it for a share `quality` of them."""

    task: Task
    quality: float
    salt: str

    def predict(self, inputs: Sequence[Input]) -> list[Prediction]:
        return [Prediction(self._answer(one.text)) for one in inputs]

    def _answer(self, text: str) -> str:
        right = text.split()[0]
        number = int(hashlib.sha256(f"{self.salt}{text}".encode()).hexdigest()[:8], 16) / 16**8
        return right if number < self.quality else LABELS[LABELS.index(right) - 1]

    def save(self, folder: Path) -> None:
        write(folder, "drawn", self.task, {"quality": self.quality, "salt": self.salt})

    @classmethod
    def restore(cls, saved: Saved, models: Models) -> Drawn:
        return cls(saved.task, saved.settings["quality"], saved.settings["salt"])


class Head(Method):
    """Answers at once."""

    name: ClassVar = "head"
    rung: ClassVar = "fewshot"
    trains: ClassVar = "head"

    quality: float = 0.8

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        return Drawn(task, self.quality, self.name)


class Dear(Head):
    """Costs minutes, by its forecast."""

    name: ClassVar = "dear"
    fast: ClassVar = False
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"quality": (0.8, 0.9)}
    search_folds: ClassVar = 2

    def forecast(self, brief: Brief) -> Cost:
        return Cost(seconds=50 + brief.labelled / 10)

    def use_forecast(self, brief: Brief) -> Cost:
        return Cost(seconds=brief.test / 10)


class Worse(Dear):
    """So far behind that a trial shows it."""

    name: ClassVar = "worse"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"quality": (0.35, 0.3)}
    quality: float = 0.35


class Cousin(Worse):
    """No better than `worse`, wherever both were compared."""

    name: ClassVar = "cousin"
    after: ClassVar = "worse"


class Behind(Head):
    """Slow, not dear: it begins with some test rows, and they show that it is behind."""

    name: ClassVar = "behind"
    fast: ClassVar = False
    quality: float = 0.55

    def use_forecast(self, brief: Brief) -> Cost:
        return Cost(seconds=brief.test / 10)


METHODS = (Head(), Dear(), Worse(), Cousin(), Behind())


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    stay_here(monkeypatch)
    monkeypatch.setitem(KINDS, "drawn", f"{__name__}:Drawn")  # type: ignore[arg-type]


def rows(count: int, salt: str = "") -> list[dict[str, str]]:
    """`count` rows of each label, sorted by it: the worst order to look at the first of."""
    return [{"text": f"{x} number {salt}{i}", "label": x} for x in LABELS for i in range(count)]


def prepared(tmp_path: Path, name: str = "run", **more: Any) -> Prepared:
    train = jsonl(tmp_path / "train.jsonl", rows(60))
    test = jsonl(tmp_path / "test.jsonl", rows(200, "t"))
    request = Request(train, test=test, methods=("majority",), out=str(tmp_path / name), **more)
    return setting_of(prepare(request), *METHODS)


def run(tmp_path: Path, name: str = "run", **more: Any) -> Result:
    return carry_out(prepared(tmp_path, name, **more), ignore)


def test_the_slow_ones_go_only_as_far_as_they_may_win(tmp_path: Path) -> None:
    result = run(tmp_path)
    board = rows_of(result.board)
    assert board["head"]["test_rows"] == 600
    assert board["dear"]["test_rows"] == 600
    assert board["dear"]["searched"]
    assert board["dear"]["settings"] == {"quality": 0.9}
    assert board["worse"]["status"] == "aside"
    assert board["worse"]["score"] is None
    assert re.search(r"behind head on (16|32|64) labelled rows", board["worse"]["reason"])
    assert board["cousin"]["status"] == "aside"
    assert "untried" in board["cousin"]["reason"]
    assert board["behind"]["status"] == "aside"
    assert board["behind"]["test_rows"] == 100
    assert "100 of 600 test rows" in board["behind"]["reason"]
    assert result.pick == "dear"
    assert result.board.points.contenders == 5


def test_the_measured_folder_is_what_is_delivered(tmp_path: Path) -> None:
    result = run(tmp_path)
    winner = result.folder / "winner"
    points = result.board.points
    texts = {e.id: e for e in prepared(tmp_path).split.test}
    saved = load(winner, None)  # type: ignore[arg-type]
    answers = saved.predict([texts[name].input for name in points.ids])
    right = [a.answer == texts[name].label for a, name in zip(answers, points.ids, strict=True)]
    assert right == [bool(x) for x in points.rows["dear"].points[0]]
    assert not result.board.outside, "nothing was adapted a second time"
    kinds = [kind for _, kind, _ in Store(result.folder).jobs()]
    assert kinds.count("deliver") == 1


def test_what_needs_no_model_is_measured_before_models_are_opened(tmp_path: Path) -> None:
    train, test = jsonl(tmp_path / "a.jsonl", rows(20)), jsonl(tmp_path / "b.jsonl", rows(20, "t"))
    for shots in (None, (4,)):
        out = tmp_path / f"run{shots}"
        methods, models = ("majority", "knn"), {"encoder": "fake:encoder", "model": "fake:scorer"}
        request = Request(train, test=test, methods=methods, shots=shots, out=str(out), **models)
        carry_out(prepare(request), ignore)
        kinds = [kind for _, kind, _ in Store(out).jobs()]
        assert kinds.index("measure") < kinds.index("rates")


def test_thorough_measures_everything(tmp_path: Path) -> None:
    board = rows_of(run(tmp_path, thorough=True).board)
    assert {row["status"] for row in board.values()} == {"ok"}
    assert {row["test_rows"] for row in board.values()} == {600}
    assert board["worse"]["settings"] == {"quality": 0.35}


@pytest.mark.parametrize("moment", [1, 3, 5, 7, 9])
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
        [(r.name, r.status, r.reason, r.test_rows, r.chance) for r in result.board.contest]
        for result in (whole, again)
    )
    assert now == was
    assert sorted(Store(half.out).jobs())[0][1:] == sorted(Store(whole.folder).jobs())[0][1:]


def test_the_order_of_the_file_changes_nothing(tmp_path: Path) -> None:
    first, texts = run(tmp_path), texts_of(prepared(tmp_path))
    body = (tmp_path / "test.jsonl").read_text().splitlines()
    random.Random(1).shuffle(body)
    (tmp_path / "other.jsonl").write_text("\n".join(body) + "\n")
    request = replace(
        prepared(tmp_path).request, test=str(tmp_path / "other.jsonl"), out=str(tmp_path / "again")
    )
    again = setting_of(prepare(request), *METHODS)
    second = carry_out(again, ignore)
    others = texts_of(again)
    assert [texts[name] for name in first.board.points.ids] == [
        others[name] for name in second.board.points.ids
    ]
    assert second.board.points.rows == first.board.points.rows
    was, now = ([(r.name, r.status, r.reason) for r in x.board.contest] for x in (first, second))
    assert now == was


def texts_of(prepared: Prepared) -> dict[str, str]:
    """The test rows' texts by id."""
    return {e.id: e.input.text for e in prepared.split.test}


def test_minutes_leave_rows_out_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refusal(self: Budget, name: str, forecast: float) -> str | None:
        asked.append(name)
        return "forecast 9 min, and 2 s were left" if asked.count("dear") > 2 else None

    monkeypatch.setattr(Budget, "refusal", refusal)
    board = rows_of(run(tmp_path).board)
    assert board["dear"]["status"] == "aside"
    assert "stopped after 100 of 600 test rows: forecast 9 min" in board["dear"]["reason"]
    assert board["dear"]["stopped"]


def test_a_trial_stands_on_its_row_where_the_minutes_end_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refusal(self: Budget, name: str, forecast: float) -> str | None:
        asked.append(name)
        return "forecast 9 min, and 2 s were left" if asked.count("dear") > 1 else None

    monkeypatch.setattr(Budget, "refusal", refusal)
    board = run(tmp_path).board
    row = rows_of(board)["dear"]
    assert row["status"] == "skipped"
    assert row["chance"] >= 0.05, "its trial let it go on"
    assert row["left_seconds"] > 0
    assert row["trial"]["rows"] == 64
    advice = board.advice
    assert advice is not None
    assert advice.verdict != "settled", "nobody knows what it would have scored"
    words = next(one for one in advice.reasons if "--minutes" in one)
    assert words.startswith("Not reached: dear. dear: in its trial it scored")
    goes_on = r"The same command goes on from here: --minutes \d+ has time for dear\.$"
    assert re.search(goes_on, words)
    trial = r"forecast 9 min, and 2 s were left; in its trial it scored \d\d\.\d % on 64 labelled"
    assert re.match(trial, row["reason"])


def test_rows_of_a_group_are_answered_together(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "train.jsonl", [{**row, "who": "me"} for row in rows(60)])
    grouped = [{**row, "who": f"w{i // 7}"} for i, row in enumerate(rows(200, "t"))]
    test = jsonl(tmp_path / "test.jsonl", grouped)
    request = Request(train, test=test, group="who", methods=("majority",), out=str(tmp_path / "g"))
    result = carry_out(setting_of(prepare(request), Head(), Behind()), ignore)
    points = result.board.points
    assert points.groups is not None
    count = len(points.rows["behind"].points[0])
    assert 100 <= count < 107
    assert points.groups[count] != points.groups[count - 1]
    assert result.board.advice is not None
    assert result.board.advice.groups == 86


def test_without_test_rows_folds_measure_and_all_rows_are_delivered(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "train.jsonl", rows(40))
    request = Request(train, methods=("majority",), out=str(tmp_path / "folds"))
    result = carry_out(setting_of(prepare(request), Head(), Dear(), Worse()), ignore)
    points = result.board.points
    assert {name: (row.folds, len(row.points)) for name, row in points.rows.items()}["head"][0] == 5
    assert rows_of(result.board)["worse"]["status"] == "aside"
    assert json.loads((result.folder / "winner" / "method.json").read_text())["spec"]["method"]
    assert load(result.folder / "winner", None)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------- looks


def test_new_rows_are_answered_by_what_was_measured(tmp_path: Path) -> None:
    first = run(tmp_path)
    measures = [job for job, kind, _ in Store(first.folder).jobs() if kind == "measure"]
    more = jsonl(tmp_path / "more.jsonl", [*rows(100, "m"), *rows(5, "t")])
    again = prepared(tmp_path, more_test=(more,))
    result = carry_out(again, ignore)
    points = result.board.points
    assert len(points.ids) == result.board.task.test == 900, "rows of the run are not counted twice"
    assert points.ids[:600] == first.board.points.ids
    assert points.rows["dear"].points[0][:600] == first.board.points.rows["dear"].points[0]
    assert len(points.rows["behind"].points[0]) == 100, "what was put aside stays aside"
    assert [job for job, kind, _ in Store(first.folder).jobs() if kind == "measure"] == measures
    advice = result.board.advice
    assert advice is not None
    assert (advice.look, advice.alpha) == (2, 0.025)
    assert result.board.fingerprint != first.board.fingerprint


def test_what_was_not_kept_cannot_be_looked_at_again(tmp_path: Path) -> None:
    more = jsonl(tmp_path / "more.jsonl", rows(10, "m"))
    with pytest.raises(InputError, match="its draws are not kept"):
        prepared(tmp_path, shots=(4,), more_test=(more,))
    train = jsonl(tmp_path / "few.jsonl", rows(20))
    with pytest.raises(InputError, match="without test rows"):
        prepare(Request(train, methods=("majority",), more_test=(more,)))


# ------------------------------------------------------------------------------- more labels


class Learner(Head):
    """The more rows, the better."""

    name: ClassVar = "learner"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        return Drawn(task, 1 - 4 / len(shots.labelled) ** 0.5, f"{self.name}{bench.seed}")


def test_fast_methods_say_what_more_labels_brought(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "train.jsonl", rows(60))
    test = jsonl(tmp_path / "test.jsonl", rows(200, "t"))
    request = Request(train, test=test, methods=("majority",), out=str(tmp_path / "run"))
    result = carry_out(setting_of(prepare(request), Learner(), Behind()), ignore)
    row = result.board.row("learner")
    assert [(point.rows, point.shots) for point in row.curve][:2] == [(45, "all"), (90, "all")]
    expected = 4 / 90**0.5 - 4 / 180**0.5
    assert row.gain is not None
    assert row.gain.low is not None
    assert row.gain.high is not None
    assert row.gain.low < expected < row.gain.high
    assert row.gain.low > 0
    assert result.board.advice is not None
    assert any("last doubling brought" in reason for reason in result.board.advice.reasons)
    assert result.board.row("behind").gain is None, "a slow one is not measured for that"
    assert len(list((tmp_path / "run" / "jobs").iterdir())) == 2, "only what may be delivered stays"


def test_a_trial_is_of_the_method_as_it_is_tried(tmp_path: Path) -> None:
    contender = Contender(SetFit(), None, ModelRef("fake", "e"), "setfit")
    ladder = Ladder.of(prepared(tmp_path))
    (job,) = Step(ladder, contender, "trial").work(Known("context")).ready
    assert job.spec["iterations"] == SetFit().for_trial.iterations < SetFit().iterations


# ------------------------------------------------------------------------------------- trials


class Trains(Dear):
    """Knows little after six of its steps."""

    name: ClassVar = "trains"
    trains: ClassVar = "adapter"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    quality: float = 0.97
    at_first: float = 0.55
    steps: int = 24

    def for_short_trial(self, brief: Brief, seconds: float) -> Method | None:
        return self.model_copy(update={"steps": 6})

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        bench.learned([1.0] * self.steps, [])
        return Drawn(task, self.at_first if self.steps == 6 else self.quality, self.name)


class Asked(Dear):
    """Trains nothing."""

    name: ClassVar = "asked"
    trains: ClassVar = "nothing"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    quality: float = 0.3

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        bench.note(f"learned from {len(shots.labelled)}")
        return super().adapt(task, shots, bench)

    def forecast(self, brief: Brief) -> Cost:
        return Cost(seconds=70)


class Never(Trains):
    """Has not begun to learn after six steps."""

    name: ClassVar = "never"
    at_first: float = 0.0


class After(Trains):
    """Its leader's trial speaks for it, once it has had a short one of its own."""

    name: ClassVar = "after"
    after: ClassVar = "worse"


TRIED = (Head(), Trains(), Asked(), Never(), After(), Worse())


def test_every_dear_one_is_tried_before_one_is_measured(tmp_path: Path) -> None:
    titles: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, Started):
            titles.append(event.piece)

    result = carry_out(setting_of(prepared(tmp_path), *TRIED), hear)
    board = rows_of(result.board)
    dear = [title for title in titles if not title.startswith("head")]
    first = [dear.index(next(t for t in dear if t.startswith(m.name))) for m in TRIED[1:]]
    assert sorted(first) == list(range(5)), "nobody has a second turn before each has had one"
    assert board["trains"]["test_rows"] == 600
    assert board["never"]["reason"].startswith("put aside after 6 steps: ")
    assert board["never"]["trial"]["steps"] == 6
    assert board["never"]["trial"]["learned"] == 24
    assert board["asked"]["trial"]["learned"] > 100, "it costs no more to learn from all of them"
    assert board["asked"]["trial"]["rows"] < 64, "it was hopeless before"
    assert re.match(r"put aside: [\d.]+ points behind head on (16|32) ", board["asked"]["reason"])
    assert board["after"]["reason"].startswith("put aside: worse, which measured no lower")
    assert {board[name]["status"] for name in ("never", "asked", "after")} == {"aside"}


def test_a_short_trial_stands_on_its_row_where_the_minutes_end_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refusal(self: Budget, name: str, forecast: float) -> str | None:
        asked.append(name)
        return "forecast 9 min, and 2 s were left" if asked.count("trains") > 1 else None

    monkeypatch.setattr(Budget, "refusal", refusal)
    row = rows_of(carry_out(setting_of(prepared(tmp_path), *TRIED), ignore).board)["trains"]
    assert row["status"] == "skipped"
    assert "; in its short trial, after 6 steps, it scored" in row["reason"]
