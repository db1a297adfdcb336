"""A request carried out: what runs, in which order, what is kept, and what the board says."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

import nshot
from nshot.bench import schedule
from nshot.bench.adapt_one import adapt_one
from nshot.bench.dry_run import plan
from nshot.bench.execute.base import Hello, Outcome
from nshot.bench.ladder import Ladder
from nshot.bench.prepare import prepare
from nshot.bench.request import Request
from nshot.bench.run import Result, carry_out
from nshot.bench.store import Store
from nshot.bench.task_rows import FOLDS, SLOW_FOLDS, SLOW_REPEATS
from nshot.board.events import Event, Message, Started, Subscriber, ignore
from nshot.board.schema import Board, Wish
from nshot.core.errors import DidNotLearn, InputError, RunFailed
from nshot.core.types import Cost, Input, ModelRef, Shots, Task
from nshot.methods import STANDARD, TABLE
from nshot.methods.contract import Brief, Workbench
from nshot.methods.fewshot.nearest_mean import NearestMean
from nshot.models.hf.hf_engine import HFModels
from nshot.predictors.base import Predictor
from nshot.report.board_text import board_table
from spine import Here, board_of, jsonl, points_of, rows_of, setting_of, stay_here, tickets
from tiny import tiny_llama

DOCS = Path(__file__).parents[2] / "docs"


class Ear:
    """Remembers what it heard, and can interrupt."""

    def __init__(self, stop_at: str = "") -> None:
        self.started: list[str] = []
        self.messages: list[str] = []
        self._stop_at = stop_at

    def __call__(self, event: Event) -> None:
        if isinstance(event, Message):
            self.messages.append(event.text)
        if isinstance(event, Started):
            assert 0 <= event.done < event.total
            if self._stop_at and self._stop_at in event.piece:
                raise KeyboardInterrupt
            self.started.append(event.piece)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    stay_here(monkeypatch)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    return (
        jsonl(tmp_path / "train.jsonl", tickets(12)),
        jsonl(tmp_path / "test.jsonl", tickets(20, "t")),
    )


def request(files: Sequence[str], out: Path, **more: Any) -> Request:
    train, *test = files
    base = Request(
        train, test=test[0] if test else None, model="fake:scorer", encoder="fake:encoder",
        methods=("majority", "nearest_mean"), shots=(4,), seeds=2, out=str(out),
    )  # fmt: skip
    return replace(base, **more)


def go(files: Sequence[str], out: Path, ear: Subscriber = ignore, **more: Any) -> Result:
    return carry_out(prepare(request(files, out, **more)), ear, "a command")


def written(out: Path) -> dict[str, float]:
    with sqlite3.connect(out / "store.sqlite") as db:
        return dict(db.execute("select id, written from results"))


# ---------------------------------------------------------------- a whole run

PINS = {
    "few_shot": {"format": "plain", "calibration": "none", "n": 4},
    "retrieved_shots": {"format": "plain", "calibration": "none", "k": 2},
}
WHOLE: dict[str, Any] = {
    "methods": ("majority", "nearest_mean", "knn", "few_shot", "retrieved_shots", "lora"),
    "settings": PINS,
    "shots": (2, 4),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    files = (
        jsonl(folder / "train.jsonl", tickets(12)),
        jsonl(folder / "test.jsonl", tickets(20, "t")),
    )
    with pytest.MonkeyPatch.context() as patch:
        stay_here(patch)
        result = go(files, folder / "run", **WHOLE)
    assert result.exit_code == 0
    return result.folder


def test_a_run_leaves_what_the_store_says(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()} - {"logs"}
    assert names == {
        "nshot.yaml", "lock", "data", "store.sqlite", "scratch", "leaderboard.json",
        "points.json", "details.json", "report.html", "winner", "vectors", "disagreements.jsonl",
        "answers.jsonl", "energy.json",
    }  # fmt: skip
    assert list((whole / "scratch").iterdir()) == []


def documented(heading: str) -> set[str]:
    text = (DOCS / "leaderboard.md").read_text(encoding="utf-8")
    part = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    first = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return {name for cell in first for name in re.findall(r"`(\w+)`", cell)}


def test_the_board_has_exactly_the_documented_keys(whole: Path) -> None:
    board = board_of(whole)
    of_run = {"schema", "fingerprint", "task", "rows", "matches", "money", "hour",
              "break_even", "advice"}  # fmt: skip
    assert set(board) == of_run
    assert set(board["task"]) == documented("task")
    for row in board["rows"]:
        assert set(row) == documented("rows")
    assert set(board["advice"]) == documented("advice")


ASKED_FOR = (
    "name rung settings status reason score low high per_seed curve trials train_score"
    " trained_params build_seconds build_peak_bytes use_seconds_per_1000 tokens_per_request"
    " disk_bytes form parent"
)
ADVICE = (
    "pick reasons could_be_best verdict corrected_score corrected_low corrected_high"
    " more_test_labels frontier"
)


def test_the_board_has_the_keys_and_kinds_that_were_asked_for(whole: Path) -> None:
    board = board_of(whole)
    assert board["schema"] == 2
    for row in board["rows"]:
        assert set(ASKED_FOR.split()) <= set(row)
        assert row["status"] in ("ok", "skipped", "failed")
        assert (row["reason"] is None) == (row["status"] == "ok")
    assert set(ADVICE.split()) <= set(board["advice"])
    assert board["advice"]["verdict"] in ("settled", "leaning", "cannot_tell")


def test_every_score_is_inside_its_interval(whole: Path) -> None:
    for row in rows_of(board_of(whole)).values():
        if row["status"] == "ok":
            assert 0 <= row["low"] <= row["score"] <= row["high"] <= 1
            assert row["score"] == pytest.approx(sum(row["per_seed"]) / len(row["per_seed"]))


def test_several_shots_give_a_curve_and_the_board_stands_at_the_largest(whole: Path) -> None:
    row = rows_of(board_of(whole))["nearest_mean"]
    assert [point["shots"] for point in row["curve"]] == [2, 4]
    assert row["curve"][-1]["score"] == row["score"]
    assert row["curve"][0]["score"] != row["score"]
    assert board_of(whole)["task"]["shots"] == [2, 4]


def test_a_method_that_cannot_work_here_is_skipped_with_a_sentence(whole: Path) -> None:
    row = rows_of(board_of(whole))["lora"]
    assert (row["status"], row["score"]) == ("skipped", None)
    assert row["reason"] == "the language model cannot train"


def test_the_winner_is_a_row_of_its_own_outside_the_choice(whole: Path) -> None:
    board = board_of(whole)
    deployed = rows_of(board, "deployed")
    assert list(deployed) == [board["advice"]["pick"]]
    (row,) = deployed.values()
    assert row["parent"] == row["name"]
    assert len(row["per_seed"]) == 1
    assert set(board["advice"]["versus_pick"]) <= set(rows_of(board))


def test_the_winner_answers_as_its_row_says(whole: Path) -> None:
    model = nshot.load(whole)
    rows = [json.loads(line) for line in (whole / "data" / "test.jsonl").read_text().splitlines()]
    asked = [Input(fields=tuple(map(tuple, row["input"]["fields"]))) for row in rows]
    right = [p.answer in row["targets"] for p, row in zip(model.predict(asked), rows, strict=True)]
    (row,) = rows_of(board_of(whole), "deployed").values()
    assert sum(right) / len(right) == pytest.approx(row["score"])


def test_beside_retrieved_shots_stands_the_vote(whole: Path) -> None:
    beside = rows_of(board_of(whole))["retrieved_shots"]["beside"]
    assert list(beside) == ["the k-NN vote of the same demonstrations"]
    assert 0 <= beside["the k-NN vote of the same demonstrations"] <= 1


def test_the_pick_is_confirmed_on_draws_it_was_not_chosen_on(whole: Path) -> None:
    points = json.loads((whole / "points.json").read_text())
    assert points["fresh"]["pick"] == board_of(whole)["advice"]["pick"]
    assert board_of(whole)["advice"]["confirmed"]
    pick = points["fresh"]["pick"]
    draws = {
        body["draw"]
        for job, kind, _ in Store(whole).jobs()
        for _, body in [Store(whole).get(job)]  # type: ignore[misc]
        if kind == "measure" and body["method"] == pick and body["shots"] == 4
    }
    assert draws == {0, 1, 2, 3}


def test_deciding_again_under_the_same_wish_changes_nothing(whole: Path) -> None:
    board = Board.read(whole)
    assert board.decide(Wish()) == board.advice


def test_details_hold_what_one_doubts(whole: Path) -> None:
    details = json.loads((whole / "details.json").read_text())
    board = board_of(whole)
    row = rows_of(board)[board["advice"]["pick"]]
    counts = details["confusion"]["counts"]
    total, right = sum(map(sum, counts)), sum(counts[i][i] for i in range(len(counts)))
    assert total == board["task"]["test"] == 60
    assert right / total == pytest.approx(row["per_seed"][0])
    assert len(details["mistakes"]) == total - right
    assert details["command"] == "a command"
    assert details["seeds"] == [0, 1]
    assert details["finished"] > details["started"]


def test_the_same_command_again_runs_no_job_and_says_the_same(whole: Path) -> None:
    before, board, text = written(whole), board_of(whole), (whole / "points.json").read_bytes()
    files = (str(whole.parent / "train.jsonl"), str(whole.parent / "test.jsonl"))
    go(files, whole, **WHOLE)
    assert written(whole) == before
    assert board_of(whole) == board
    assert (whole / "points.json").read_bytes() == text


def test_its_yaml_reproduces_the_run_elsewhere(whole: Path, tmp_path: Path) -> None:
    from nshot.bench.request import read_request

    again = replace(read_request(whole / "nshot.yaml"), out=str(tmp_path / "again"))
    carry_out(prepare(again), ignore)
    assert points_of(tmp_path / "again") == points_of(whole)
    told = [
        {name: (row["score"], row["low"], row["settings"]) for name, row in rows_of(b).items()}
        for b in (board_of(whole), board_of(tmp_path / "again"))
    ]
    assert told[0] == told[1]


# ---------------------------------------------------------------- folders


def test_another_pick_in_the_same_folder_replaces_the_winner(
    files: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    for methods, pick in (
        (("majority", "nearest_mean"), "nearest_mean"),
        (("majority",), "majority"),
        (("majority", "nearest_mean"), "nearest_mean"),
    ):
        assert go(files, out, methods=methods).pick == pick
        told = json.loads((out / "winner" / "method.json").read_text())
        assert told["spec"]["method"] == pick
        assert f"method `{pick}`" in (out / "winner" / "README.md").read_text()
        assert nshot.load(out).check() == []


def test_another_model_in_the_same_folder_is_looked_at_anew(
    files: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    pins = {"zero_shot": {"format": "plain", "calibration": "none"}}
    go(files, out, methods=("majority",), model=None, encoder=None)
    remote = go(files, out, methods=("majority", "lm_probe"), model="fake:remote")
    reason = rows_of(remote.board)["lm_probe"]["reason"]
    assert reason == "the language model cannot show hidden states"
    scorer = go(files, out, methods=("majority", "zero_shot"), settings=pins)
    assert rows_of(scorer.board)["zero_shot"]["status"] == "ok"


def test_a_winner_that_is_gone_is_made_again(files: tuple[str, str], tmp_path: Path) -> None:
    out = tmp_path / "run"
    go(files, out)
    shutil.rmtree(out / "winner")
    go(files, out)
    assert nshot.load(out).check() == []


def test_other_rows_are_refused_before_anything_changes(
    files: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    go(files, out)
    before = written(out), (out / "nshot.yaml").read_text(), board_of(out)
    other = jsonl(tmp_path / "other.jsonl", tickets(9, "o"))
    with pytest.raises(InputError, match="holds a run on other rows"):
        go((other, files[1]), out)
    assert (written(out), (out / "nshot.yaml").read_text(), board_of(out)) == before


# ---------------------------------------------------------------- time


def test_a_budget_of_nothing_still_gives_a_pick(files: tuple[str, str], tmp_path: Path) -> None:
    result = go(files, tmp_path / "run", minutes=1e-9, methods=("nearest_mean", "zero_shot"))
    assert result.exit_code == 0
    assert result.pick == "majority"
    rows = rows_of(result.board)
    for name in ("nearest_mean", "zero_shot"):
        assert rows[name]["status"] == "skipped"
        assert re.fullmatch(r"forecast .+, and 0.0 s were left of 0.0 s", rows[name]["reason"])
        assert rows[name]["forecast_seconds"] > 0
    assert rows["majority"]["notes"] == ["measured because nothing else could be"]
    assert (tmp_path / "run" / "winner" / "nshot.json").exists()
    again = go(files, tmp_path / "all", minutes=1e-9)
    assert rows_of(again.board)["majority"]["status"] == "ok"


def test_what_is_dear_is_left_and_what_is_cheap_is_measured(
    files: tuple[str, str], tmp_path: Path
) -> None:
    methods = ("majority", "nearest_mean", "few_shot")
    more = {"methods": methods, "model": "fake:slow", "minutes": 0.04, "seeds": 1}
    result = go(files, tmp_path / "run", **more)
    rows = rows_of(result.board)
    assert rows["nearest_mean"]["status"] == "ok"
    assert rows["few_shot"]["status"] == "skipped"
    assert "were left of 2.4 s" in rows["few_shot"]["reason"]
    assert "few_shot" not in result.board.advice.versus_pick


def test_what_was_done_is_kept_when_the_next_run_has_no_time(
    files: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    first = go(files, out)
    again = go(files, out, minutes=1e-9)
    scores = [{n: r["per_seed"] for n, r in rows_of(b.board).items()} for b in (first, again)]
    assert scores[0] == scores[1]


def test_a_plan_forecasts_and_leaves_nothing(files: tuple[str, str], tmp_path: Path) -> None:
    prepared = prepare(request(files, tmp_path / "run", methods=None, shots=(2, 4)))
    before = sorted(tmp_path.rglob("*"))
    table = {row["name"]: row for row in plan(prepared, ignore)}
    assert sorted(tmp_path.rglob("*")) == before
    assert list(table) == sorted(STANDARD["classify"], key=list(TABLE).index)
    assert table["lora"]["why_not"] == "the language model cannot train"
    assert table["knn"]["candidates"] > 1
    assert table["knn"]["search"] > 0
    assert all(row["total"] >= row["build"] + row["use"] for row in table.values())


# ---------------------------------------------------------------- folds


@pytest.mark.parametrize("mode", ["plenty", "rare"])
def test_folds_answer_every_row_once_a_repeat(tmp_path: Path, mode: str) -> None:
    rows = tickets(20) if mode == "plenty" else [*tickets(19)[:38], *tickets(2, "x")[2:4]]
    train = jsonl(tmp_path / "train.jsonl", rows)
    more = {"methods": ("majority", "nearest_mean", "few_shot"), "shots": None, "seeds": 3}
    pins = {"few_shot": PINS["few_shot"]}
    result = go((train,), tmp_path / "run", settings=pins, **more)
    assert result.exit_code == 0
    board = result.board
    assert board.task.mode == "folds"
    assert board.task.test == len(rows)
    points = json.loads((tmp_path / "run" / "points.json").read_text())["rows"]
    assert {len(draw) for body in points.values() for draw in body["points"]} == {len(rows)}
    per_seed = {name: len(row["per_seed"]) for name, row in rows_of(board).items()}
    assert per_seed == {"majority": 1, "nearest_mean": 3, "few_shot": SLOW_REPEATS}
    store = Store(tmp_path / "run")
    bodies = [(store.get(job) or ("", {}))[1] for job, kind, _ in store.jobs() if kind == "measure"]
    for name, folds, repeats in (("nearest_mean", FOLDS, 3), ("few_shot", SLOW_FOLDS, 2)):
        for repeat in range(repeats):
            parts = [b for b in bodies if (b["method"], b["draw"]) == (name, repeat)]
            assert len(parts) == folds
            answered = [i for part in parts for i in part["ids"]]
            assert len(answered) == len(set(answered)) == len(rows)
    (row,) = rows_of(board, "deployed").values()
    assert (row["score"], row["per_seed"]) == (None, [])
    assert "it learned from all rows, so none is left to measure it on" in row["notes"]
    assert len((tmp_path / "run" / "winner" / "check.jsonl").read_text().splitlines()) == min(
        50, len(rows)
    )
    assert any("about" in sentence for sentence in board.advice.reasons)


def test_macro_f1_in_folds_and_what_stands_beside(tmp_path: Path) -> None:
    rows = [{**row, "text": row["text"] + " x" * (i % 3)} for i, row in enumerate(tickets(12))]
    jsonl(tmp_path / "rows.jsonl", rows)
    (tmp_path / "task.yaml").write_text("metric: macro_f1\ndata: {train: rows.jsonl}\n")
    more = {"methods": ("nearest_mean", "retrieved_shots"), "shots": None, "seeds": 1}
    pins = {"retrieved_shots": PINS["retrieved_shots"]}
    task = str(tmp_path / "task.yaml")
    result = go((task,), tmp_path / "run", settings=pins, **more)
    row = rows_of(result.board)["retrieved_shots"]
    assert result.board.task.metric == "macro_f1"
    measured = [
        body
        for job, kind, _ in Store(tmp_path / "run").jobs()
        for _, body in [Store(tmp_path / "run").get(job)]  # type: ignore[misc]
        if kind == "measure"
    ]
    parts = [body for body in measured if body["method"] == "retrieved_shots"]
    (what,) = row["beside"]
    votes = [part["extra"]["beside"][what] for part in parts]
    assert len(votes) == SLOW_FOLDS
    assert row["beside"][what] == pytest.approx(sum(votes) / len(votes), abs=0.02)
    assert row["train_score"] is None, "nothing was trained"
    means = [body["train_score"] for body in measured if body["method"] == "nearest_mean"]
    trained = rows_of(result.board)["nearest_mean"]
    assert trained["train_score"] == pytest.approx(sum(means) / FOLDS)


class Eager(NearestMean):
    """Nearest mean that tells on whom it saw, and on whom it was asked about."""

    name: ClassVar = "eager"
    space: ClassVar = {"size": (1, 2)}
    seen: ClassVar[list[tuple[set[str], set[str]]]] = []

    size: int = 1

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        learned = {e.input.text for e in (*shots.labelled, *shots.unlabelled)}
        inner = super().adapt(task, shots, bench)

        class Watched(type(inner)):  # type: ignore[misc]
            def predict(self, inputs: Sequence[Input]) -> Any:
                Eager.seen.append((learned, {i.text for i in inputs}))
                return super().predict(inputs)

        return Watched(**{name: getattr(inner, name) for name in inner.__dataclass_fields__})  # type: ignore[attr-defined]


def test_nothing_is_learned_outside_the_training_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Eager.seen.clear()
    train = jsonl(tmp_path / "train.jsonl", tickets(20))
    prepared = prepare(request((train,), tmp_path / "run", shots=(4,), seeds=2))
    carry_out(setting_of(prepared, Eager()), ignore)
    measured = [(learned, asked) for learned, asked in Eager.seen if learned.isdisjoint(asked)]
    on_train = [(learned, asked) for learned, asked in Eager.seen if asked <= learned]
    assert len(measured) + len(on_train) == len(Eager.seen), "no half of a fold is ever known"
    assert len(measured) >= 10


class Light(NearestMean):
    """Says that it trained 460 parameters of the language model."""

    name: ClassVar = "light"
    trains: ClassVar = "adapter"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        bench.trained(460)
        return super().adapt(task, shots, bench)


def test_the_board_has_the_share_of_the_language_model_that_was_trained(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = str(tiny_llama(tmp_path / "tiny"))
    asked = request(files, tmp_path / "run", methods=("majority", "lora"), model=model)
    prepared = prepare(asked)  # with lora, which asks for the model; it is not run
    methods = (prepared.methods[0], Light())
    board = carry_out(setting_of(prepared, *methods), ignore).board
    parameters = HFModels().open(ModelRef("hf", model)).facts.parameters
    trained = rows_of(board)
    assert trained["light"]["trained_share"] == 460 / parameters
    assert trained["majority"]["trained_share"] is None
    (delivered,) = rows_of(board, "deployed").values()
    assert delivered["trained_share"] == trained[delivered["name"]]["trained_share"]
    told = board_table(board)
    assert f"trained 460 ({100 * 460 / parameters:.2g}" in told
    read = Board.read(tmp_path / "run")
    assert read.decide(Wish()) == board.advice == read.advice


# ---------------------------------------------------------------- what goes wrong


class Moody(NearestMean):
    """Learns, except on the draws it is told not to."""

    name: ClassVar = "moody"
    bad: ClassVar[dict[int, Exception]] = {}

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        if bench.seed in self.bad:
            raise self.bad[bench.seed]
        return super().adapt(task, shots, bench)


@pytest.fixture
def moody(monkeypatch: pytest.MonkeyPatch) -> dict[int, Exception]:
    monkeypatch.setattr(Moody, "bad", {})
    return Moody.bad


def moody_run(files: Sequence[str], out: Path) -> Result:
    prepared = prepare(request(files, out, methods=("majority",)))
    return carry_out(setting_of(prepared, *prepared.methods, Moody()), ignore)


@pytest.mark.parametrize("draw", [0, 1])
def test_a_finding_fails_the_row_and_not_the_run(
    files: tuple[str, str], tmp_path: Path, moody: dict[int, Exception], draw: int
) -> None:
    moody[draw] = DidNotLearn("no better than before")
    result = moody_run(files, tmp_path / "run")
    row = rows_of(result.board)["moody"]
    assert (row["status"], row["reason"]) == ("failed", "no better than before")
    assert (result.exit_code, result.pick) == (0, "majority")
    before = written(tmp_path / "run")
    moody_run(files, tmp_path / "run")
    assert written(tmp_path / "run") == before, "a finding is not looked for again"


def test_a_crash_fails_the_row_and_the_exit_code(
    files: tuple[str, str], tmp_path: Path, moody: dict[int, Exception]
) -> None:
    moody[1] = ZeroDivisionError("oh")
    result = moody_run(files, tmp_path / "run")
    assert rows_of(result.board)["moody"]["reason"] == "ZeroDivisionError: oh"
    assert (result.exit_code, result.pick) == (3, "majority")
    moody.clear()
    mended = moody_run(files, tmp_path / "run")
    assert (mended.exit_code, mended.pick) == (0, "moody"), "a crash is trials again"


@pytest.mark.parametrize(("error", "code"), [(DidNotLearn("no"), 0), (ZeroDivisionError("oh"), 3)])
def test_a_fresh_draw_that_fails_leaves_the_pick_unconfirmed(
    files: tuple[str, str],
    tmp_path: Path,
    moody: dict[int, Exception],
    error: Exception,
    code: int,
) -> None:
    moody[3] = error
    result = moody_run(files, tmp_path / "run")
    assert (result.pick, result.exit_code) == ("moody", code)
    assert not result.board.advice.confirmed
    assert any("fresh draw 3: failed" in n for n in rows_of(result.board)["moody"]["notes"])
    assert nshot.load(tmp_path / "run").check() == []


def test_a_method_of_other_kinds_is_a_row_with_its_reason(tmp_path: Path) -> None:
    rows = [{"prompt": f"say {i}", "chosen": f"word {i}", "rejected": "no"} for i in range(60)]
    task = jsonl(tmp_path / "pairs.jsonl", rows)
    board = go((task,), tmp_path / "run", methods=("knn",), shots=None).board
    (row,) = [row for row in board.contest if row.name == "knn"]
    assert row.status == "skipped"
    assert row.reason == (
        "answers tasks of kind classify or multilabel or number or score, not rank"
    )
    assert board.advice is not None
    assert board.advice.pick in {"longest", "shortest"}


def test_where_what_was_asked_cannot_answer_the_trivial_method_stands(tmp_path: Path) -> None:
    rows = [{"input": f"say {i}", "output": f"word {i}"} for i in range(60)]
    result = go(
        (jsonl(tmp_path / "gen.jsonl", rows),), tmp_path / "run", methods=("knn",), shots=None
    )
    assert result.board.advice.pick == "nearest_answer"


def test_an_interrupted_run_has_a_board_and_goes_on(files: tuple[str, str], tmp_path: Path) -> None:
    out, methods = tmp_path / "run", ("majority", "label_similarity", "nearest_mean", "knn")
    ear = Ear(stop_at="knn")
    result = go(files, out, ear, methods=methods)
    assert result.exit_code == 130
    rows = rows_of(board_of(out))
    assert rows["majority"]["status"] == "ok", "the cheapest comes first"
    assert rows["knn"]["status"] == "skipped"
    assert rows["knn"]["reason"] == "not reached: the run was interrupted"
    assert "interrupted" in ear.messages[-1]
    kept = written(out)
    final = go(files, out, methods=methods)
    assert {job: written(out)[job] for job in kept} == kept
    assert final.board.rows[:4] != result.board.rows
    apart = go(files, tmp_path / "apart", methods=methods)
    assert points_of(out) == points_of(apart.folder)


def test_interrupted_before_anything_it_says_so(files: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go(files, tmp_path / "run", Ear(stop_at="majority"))
    assert not (tmp_path / "run" / "leaderboard.json").exists()
    assert go(files, tmp_path / "run").exit_code == 0, "the folder is free again"


def test_a_worker_that_cannot_start_frees_the_folder(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mute(Here):
        def hello(self) -> Hello:
            raise RunFailed("no such model any more")

    with monkeypatch.context() as patch:
        patch.setattr("nshot.bench.run.LocalProcesses", Mute)
        with pytest.raises(RunFailed, match="no such model any more"):
            go(files, tmp_path / "run")
    assert go(files, tmp_path / "run").exit_code == 0


class Slow(Moody):
    """Says that it takes an hour."""

    name: ClassVar = "slow"

    def forecast(self, brief: Brief) -> Cost:
        return Cost(seconds=3600.0)


def test_what_came_from_the_store_teaches_the_budget_nothing(
    files: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(request(files, tmp_path / "run", methods=("majority",), seeds=1))
    carry_out(setting_of(prepared, Slow()), ignore)
    hurried = replace(prepared.request, seeds=6, minutes=1.0)
    result = carry_out(replace(setting_of(prepared, Slow()), request=hurried), ignore)
    row = rows_of(result.board)["slow"]
    assert len(row["per_seed"]) == 3, "draw 0 and the two fresh ones were kept, no other begun"
    assert "forecast 60 min" in row["notes"][0]


class Searched(Moody):
    """Has a setting to search, and takes a tenth of a second to adapt."""

    name: ClassVar = "searched"
    space: ClassVar = {"size": (1, 2)}

    size: int = 1

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        time.sleep(0.1)
        return super().adapt(task, shots, bench)


def test_a_search_that_was_taken_up_again_teaches_the_budget_its_whole_time(
    files: tuple[str, str], tmp_path: Path
) -> None:
    """Its first fold is in the store: what is left of it goes by in half the time or less."""
    prepared = setting_of(prepare(request(files, tmp_path / "run", seeds=1)), Searched())
    carry_out(prepared, ignore)
    store = Store(tmp_path / "run")
    whole = next(store.get(job) for job, kind, _ in store.jobs() if kind == "search")
    with sqlite3.connect(tmp_path / "run" / "store.sqlite") as db:
        db.execute("delete from results where kind in ('search', 'measure')")
    carry_out(prepared, ignore)
    again = next(store.get(job) for job, kind, _ in store.jobs() if kind == "search")
    assert whole
    assert again
    assert again[1]["spent_seconds"] == pytest.approx(whole[1]["spent_seconds"])
    ladder = Ladder.of(prepared)
    draw = ladder.draw(ladder.contenders[0], 4, 0)
    outcome = Outcome(draw.contender.search(4, 0, None), "ok", again[1], seconds=0.001)
    assert schedule._spent(draw, outcome)[1] == again[1]["spent_seconds"] >= 0.1


# ---------------------------------------------------------------- adapt


def test_adapting_one_method_saves_and_measures_it(files: tuple[str, str], tmp_path: Path) -> None:
    asked = request(files, tmp_path / "run", methods=("knn",), seeds=1)
    row = adapt_one(prepare(asked, hold_out=False), ignore)
    assert (row.form, row.parent, row.status) == ("deployed", "knn", "ok")
    assert 0 < row.score <= 1
    assert "k" in row.settings
    assert nshot.load(tmp_path / "run").check() == []


def test_adapting_without_test_rows_learns_from_all(tmp_path: Path) -> None:
    train = jsonl(tmp_path / "train.jsonl", tickets(150))
    asked = request((train,), tmp_path / "run", methods=("nearest_mean",), shots=None, seeds=1)
    prepared = prepare(asked, hold_out=False)
    assert (len(prepared.split.train), prepared.split.test) == (450, ())
    assert adapt_one(prepared, ignore).score is None


def test_adapting_again_with_other_settings_replaces_what_was_saved(
    files: tuple[str, str], tmp_path: Path
) -> None:
    for k in (1, 3, 1):
        asked = request(files, tmp_path / "run", methods=("knn",), settings={"knn": {"k": k}})
        adapt_one(prepare(asked, hold_out=False), ignore)
        told = json.loads((tmp_path / "run" / "winner" / "method.json").read_text())
        assert told["spec"]["k"] == k


def test_a_method_that_cannot_work_here_is_refused(files: tuple[str, str], tmp_path: Path) -> None:
    asked = request(files, tmp_path / "run", methods=("lora",))
    with pytest.raises(InputError, match="lora cannot be adapted here: the language model cannot"):
        adapt_one(prepare(asked, hold_out=False), ignore)


def test_python_takes_what_the_command_takes(files: tuple[str, str], tmp_path: Path) -> None:
    result = nshot.compare(
        Path(files[0]), test=Path(files[1]), text=["text"], label="label",
        encoder="fake:encoder", model="fake:scorer", methods=["knn", "majority"],
        settings={"knn": {"k": 1}}, shots=[4, None], seeds=1, test_limit=30, out=tmp_path / "run",
    )  # fmt: skip
    assert result.board.task.test == 30
    assert result.board.task.shots == (4, "all")
    assert rows_of(result.board)["knn"]["settings"] == {"k": 1}
    assert rows_of(result.board)["knn"]["trials"] == []
    assert result.folder == tmp_path / "run"


def test_a_name_alone_is_one_name(files: tuple[str, str], tmp_path: Path) -> None:
    result = nshot.compare(files[0], text="text", methods="majority", out=tmp_path / "run", seeds=1)
    assert [row.name for row in result.board.rows] == ["majority", "majority"]


def test_python_says_the_kind_where_a_guess_would_be_another(
    files: tuple[str, str], tmp_path: Path
) -> None:
    result = nshot.compare(
        files[0], text="text", label="label", kind="generate", methods="nearest_answer",
        encoder="fake:encoder", out=tmp_path / "run", seeds=1, test_limit=9,
    )  # fmt: skip
    assert result.board.task.kind == "generate"
