"""A row of a finished run teaches a student: measured on the run's rows, delivered, explained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import nshot
from nshot.bench.distilling import Distillation, Taught, prepare_lessons
from nshot.board.schema import Board
from nshot.core.errors import InputError
from spine import jsonl, stay_here, tickets

ROWS = tickets(12)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run on few labelled rows; what it measured is kept."""
    folder = tmp_path_factory.mktemp("tickets")
    train, test = tickets(3), tickets(12, "t")
    with pytest.MonkeyPatch.context() as patch:
        stay_here(patch)
        nshot.compare(
            jsonl(folder / "train.jsonl", train),
            test=jsonl(folder / "test.jsonl", test),
            methods=("majority", "tfidf_lr", "linear_probe"),
            encoder="fake:encoder",
            out=folder / "run",
        )
    more = [{"text": row["text"]} for row in tickets(30, "u")]
    jsonl(folder / "more.jsonl", [*more, {"text": test[0]["text"]}, more[0]])
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    stay_here(monkeypatch)
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy" / "run"


def distil(run: Path, student: str = "tfidf_lr", **more: object) -> Taught:
    unlabelled = run.parent / "more.jsonl"
    return nshot.distil(run, student, teacher="linear_probe", unlabelled=unlabelled, **more)  # type: ignore[arg-type]


def test_the_three_stand_on_the_board_of_the_runs_rows(run: Path) -> None:
    taught = distil(run, give_up=100)
    folder = taught.result.folder
    assert folder == run / "distil-tfidf_lr"
    assert taught.result.exit_code == 0
    board, before = Board.read(folder), Board.read(run)
    assert {row.name for row in board.contest} == {
        "tfidf_lr", "from_folder:linear_probe", "distil:tfidf_lr",
    }  # fmt: skip
    assert board.points.ids == before.points.ids, "the test rows of the run"
    one = taught.lesson
    assert one.teacher.score == before.row("linear_probe").score, "as it lay there"
    assert one.alone.score == before.row("tfidf_lr").score, "with the settings of the run"
    assert one.taught.build_seconds is not None
    assert one.taught.build_seconds > (before.row("linear_probe").build_seconds or 0)
    assert json.loads((folder / "distilled.json").read_text(encoding="utf-8"))["speed"] == one.speed
    assert any("unlabelled: 90 rows; left out: 1 that say the same as a test row, 1 that"
               in note for note in board.task.notes)  # fmt: skip
    (answer,) = nshot.load(folder).predict(["refund money card please"])
    assert answer.answer in {"refund", "parcel", "로그인"}


def test_a_run_without_test_rows_teaches_in_each_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stay_here(monkeypatch)
    train = jsonl(tmp_path / "train.jsonl", ROWS)
    methods = ("tfidf_lr", "linear_probe")
    nshot.compare(train, methods=methods, encoder="fake:encoder", seeds=1, out=tmp_path / "run")
    jsonl(tmp_path / "more.jsonl", [{"text": row["text"]} for row in tickets(5, "u")])
    taught = distil(tmp_path / "run")
    assert {row.name for row in taught.result.board.contest} == {
        "tfidf_lr", "linear_probe", "distil:tfidf_lr",
    }  # fmt: skip
    assert taught.lesson.against_teacher is not None
    assert (taught.result.folder / "winner").is_dir()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"student": "tfidf"}, "did you mean 'tfidf_lr'"),
        ({"student": "distil"}, "a method that learns from rows"),
        ({"student": "zero_shot"}, "learns nothing from rows"),
        ({"teacher": "linear_prob"}, "did you mean 'linear_probe'"),
        ({"teacher": "tfidf_lr"}, "teacher and student at once"),
        ({"confidence": 1.5}, "a probability below 1"),
        ({"settings": {"knn": {"k": 3}}}, "a setting of distil or tfidf_lr"),
        ({"unlabelled": "nowhere.csv"}, "nowhere.csv"),
    ],
)
def test_what_cannot_be_is_said_at_once(
    changes: dict[str, object], message: str, run: Path
) -> None:
    request = {"folder": str(run), "student": "tfidf_lr", "teacher": "linear_probe", **changes}
    with pytest.raises(InputError, match=message):
        prepare_lessons(Distillation(**request))  # type: ignore[arg-type]
    assert not (run / "distil-tfidf_lr").exists()


def test_a_folder_that_is_no_run_and_files_that_changed_are_refused(run: Path) -> None:
    with pytest.raises(InputError, match="no run that has come to a board"):
        prepare_lessons(Distillation(folder=str(run.parent), student="tfidf_lr"))
    jsonl(run.parent / "train.jsonl", tickets(4))
    with pytest.raises(InputError, match="have changed since"):
        prepare_lessons(Distillation(folder=str(run), student="tfidf_lr"))


def test_a_teacher_below_the_student_is_warned_of(run: Path) -> None:
    board = Board.read(run)
    scores = {row.name: row.score or 0.0 for row in board.contest}
    low, high = sorted(("tfidf_lr", "linear_probe"), key=scores.__getitem__)
    lessons = prepare_lessons(Distillation(folder=str(run), student=high, teacher="majority"))
    assert f"below {high} without a teacher" in lessons.notes[0]
    assert low != high
